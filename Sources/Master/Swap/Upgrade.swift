import Control
import Glibc

/// The master that is to follow this one: a new process of a new binary, with the same sockets.
struct Heir {
  let pid: Int32
  let processDescriptor: Int32
  let link: Int32
  /// Who asked for it.
  let watcher: Int?
  var failure: String?
}

/// The upgrade of the server itself: the new master starts its own workers on the same sockets; when they
/// accept, this one's leave. One that does not come so far is refused, and nothing has changed.
extension Master {
  /// Starts a new master of a binary, or of this program's own file.
  func upgrade(_ id: Int, _ binary: String?) {
    guard phase == .serving, heir == nil, underWay == nil, rollout == nil else {
      return tell(id, .end(.refused("another change is under way")))
    }
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
      heir = Heir(
        pid: child.pid, processDescriptor: child.processDescriptor, link: child.link, watcher: id)
      try watch(child.processDescriptor, .heirEnd)
      try watch(child.link, .heirLink)
      tell(id, .progress("the new server starts as pid \(child.pid)"))
    } catch {
      tell(
        id, .end(.refused("\(binary ?? "the program") cannot be started (\(error.reason)); still serving")))
    }
  }

  /// Takes what the new master says.
  func heirSpeaks() {
    guard let heir, let bytes = try? System.receivePacket(heir.link) else { return }
    guard let message = Message(bytes) else {
      System.unwatch(epoll, heir.link)
      return
    }
    switch message.verb {
    case .ready: handOver(heir)
    case .failed: self.heir!.failure = message["reason"]
    default: break
    }
  }

  /// The new master serves: the server is its own from now on.
  private func handOver(_ heir: Heir) {
    hasHandedOver = true
    closeControl()
    try? System.sendPacket(heir.link, Message(.retiring).bytes)
    MasterLog.info("the server goes on as pid \(heir.pid)")
    tell(heir.watcher, .end(.done("the server goes on as pid \(heir.pid)", changed: true)))
    sources[heir.processDescriptor] = nil
    System.unwatch(epoll, heir.processDescriptor)
    phase = .stopping
    abandonChanges("the server goes on as pid \(heir.pid)")
    for worker in workers.values { retire(worker) }
    for socket in sockets { System.close(socket.descriptor) }
    sockets = []
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
    tell(heir.watcher, .end(.refused("\(reason); still serving \(serviceText)")))
  }

  /// Takes what the process says that started this master: the master before it hands over.
  func parentSpeaks(_ fd: Int32) {
    guard let bytes = try? System.receivePacket(fd), let message = Message(bytes) else {
      return unwatch(fd)
    }
    guard message.verb == .retiring, plan.follows else { return }
    plan.takeOver()
    if controlSocket < 0 { _ = openControl() }
  }
}
