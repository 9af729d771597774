import Control
import Glibc

/// The master that is to follow this one: a new process of a new binary, with the same sockets.
struct Heir {
  let pid: Int32
  let processDescriptor: Int32
  let link: Int32
  var failure: String?
}

/// The upgrade of the server itself: the new master starts its own workers on the same sockets; when they
/// accept, this one's leave. One that does not come so far is refused, and nothing has changed.
extension Master {
  /// Starts a new master of a binary, or of this program's own file.
  func startHeir(_ binary: String?) {
    var orders = Orders(.master)
    orders.arguments = plan.commandLine
    var map: [(Int32, Int32)] = []
    for socket in sockets {
      let place = HandedDescriptor.first + Int32(map.count)
      orders.sockets.append(
        .init(descriptor: place, gateway: socket.gateway.rawValue, address: socket.address))
      map.append((socket.descriptor, place))
    }
    do throws(SystemError) {
      let child = try startChild(orders, map, program: binary ?? System.programPath)
      heir = Heir(pid: child.pid, processDescriptor: child.processDescriptor, link: child.link)
      try watch(child.processDescriptor, .heirEnd)
      try watch(child.link, .heirLink)
      tell(releases.request?.asker, .progress("the new server starts as pid \(child.pid)"))
    } catch {
      inform(.heirFailed("\(binary ?? "the program") cannot be started (\(error.reason))"))
    }
  }

  /// Takes what the new master says.
  func heirSpeaks() {
    guard let heir, let bytes = try? System.receivePacket(heir.link) else { return }
    guard let message = Message(bytes) else { return System.unwatch(epoll, heir.link) }
    switch message.verb {
    case .ready: inform(.heirReady(pid: heir.pid))
    case .failed: self.heir!.failure = message["reason"]
    default: break
    }
  }

  /// The new master serves: the server is its own from now on.
  func handOver() {
    guard let heir else { return }
    hasHandedOver = true
    closeControl()
    try? System.sendPacket(heir.link, Message(.retiring).bytes)
    sources[heir.processDescriptor] = nil
    System.unwatch(epoll, heir.processDescriptor)
    for socket in sockets { System.close(socket.descriptor) }
    sockets = []
  }

  /// The new master is not wanted any more, or not in time.
  func killHeir() {
    if let heir { System.signal(heir.pid, SIGKILL) }
  }

  /// The new master is gone before it served.
  func heirEnded() {
    guard let heir, !hasHandedOver else { return }
    heirSpeaks()
    guard let ending = System.ending(of: heir.pid) else { return }
    let reason = self.heir?.failure ?? "the new server ended with \(ending.description) before it served"
    self.heir = nil
    System.unwatch(epoll, heir.link)
    sources[heir.link] = nil
    System.close(heir.link)
    unwatch(heir.processDescriptor)
    inform(.heirFailed(reason))
  }

  /// Takes what the process says that started this master: the master before it hands over, or is gone
  /// without having done so.
  func parentSpeaks(_ fd: Int32) {
    guard let bytes = try? System.receivePacket(fd), let message = Message(bytes) else {
      unwatch(fd)
      if plan.follows, !hasTakenOver { takeOver() }
      return
    }
    if message.verb == .retiring, plan.follows { takeOver() }
  }

  /// The server is this master's alone.
  private func takeOver() {
    hasTakenOver = true
    plan.takeOver()
    if controlSocket < 0 { _ = openControl() }
  }
}
