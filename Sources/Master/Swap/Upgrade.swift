import Control
import Glibc

/// The master that is to follow this one: a new process of a new binary, with the same sockets.
struct Heir {
  let pid: Int32
  let processDescriptor: Int32
  let link: Int32
  var failure: String?
  var hearing = Hearing()
}

/// The upgrade of the server itself: the new master starts its own workers on the same sockets; when they
/// accept, this one's leave. One that does not come so far is refused, and nothing has changed.
extension Master {
  /// Starts a new master of a binary, or of this program's own file.
  func startHeir(_ ticket: Int, _ binary: String?) {
    var orders = Orders(.master)
    // What serves goes on: an upgrade changes the program alone.
    orders.arguments = releases.current?.arguments ?? plan.arguments
    orders.commandLine = plan.commandLine
    for (app, build) in (releases.current?.builds ?? []).enumerated() {
      var served = Orders.Build(app: app, generation: build.generation, path: build.path)
      served.source = build.path
      orders.builds.append(served)
    }
    orders.bequest = bequest()
    var handed = HandedMap()
    for socket in sockets { handed.add(socket, to: &orders) }
    for socket in watchSockets { handed.add(socket, to: &orders) }
    do throws(SystemError) {
      try mend(releases.current?.builds ?? [])
      let child = try startChild(
        orders, handed.map + errorsOfHeir, words: [ChildRole.heir, binary ?? System.programPath],
        speaks: .heirLink(ticket: ticket), ended: .heirEnd(ticket: ticket))
      heirs[ticket] = Heir(pid: child.pid, processDescriptor: child.processDescriptor, link: child.link)
      tellAskers("the new server starts as pid \(child.pid)")
    } catch {
      let reason = "\(binary ?? "the program") cannot be started (\(error.reason))"
      inform(.heirFailed(ticket: ticket, reason))
    }
  }

  /// The new master distributes its lines itself: to where this one's would go.
  private var errorsOfHeir: [(Int32, Int32)] { pipes.map { [($0.original, STDERR_FILENO)] } ?? [] }

  /// What the new master is to know besides. Copies that somebody has removed are made again for it to copy.
  private func bequest() -> Bequest {
    for build in releases.history.builds.values.joined() where !build.status.isWithdrawn {
      try? mend([build])
    }
    var bequest = releases.bequest
    bequest.tickets = tickets.keys
    bequest.trial?.usual = (releases.current?.builds ?? []).map { build in
      Bequest.Usual(
        mount: build.mount, failures: usualFailures[build.mount] ?? 0,
        longest: usualLongest[build.mount] ?? 0)
    }
    return bequest
  }

  /// Takes what the new master says.
  func heirSpeaks(_ ticket: Int) {
    guard let heir = heirs[ticket] else { return }
    guard let message = hear(heir.link, &heirs[ticket]!.hearing) else {
      // The server has ended: what this master has stayed for is over.
      if hasHandedOver, sources[heir.link] == nil { stopPrograms() }
      return
    }
    switch message.verb {
    case .ready: inform(.heirReady(ticket: ticket, pid: heir.pid))
    case .failed: heirs[ticket]!.failure = message["reason"]
    default: break
    }
  }

  /// The new master serves: the server is its own from now on.
  func handOver(to ticket: Int) {
    guard let heir = heirs[ticket] else { return }
    hasHandedOver = true
    closeControl()
    closeCommandPipes(isLast: false)
    let seen = workers.values.map {
      (id: $0.id, board: $0.board, mounts: $0.release.builds.map(\.mount))
    }
    let last = Message(.retiring, statistics.legacy(seen) + programFields).bytes
    // Figures that do not fit are lost; the server is handed over.
    let fits = last.count <= Message.packetBytes
    try? System.sendPacket(heir.link, fits ? last : Message(.retiring, programFields).bytes)
    sources[heir.processDescriptor] = nil
    System.unwatch(epoll, heir.processDescriptor)
    for socket in sockets { System.close(socket.descriptor) }
    sockets = []
    closeWatchSockets()
    stopPrograms(attachedOnly: true)
  }

  /// A worker has ended after the server was handed over: what it still answered counts on there.
  func tellFollower(of id: Int, _ board: Scoreboard, mounts: [String], count: String) {
    let fields = statistics.rest(of: id, board, mounts: mounts, count: count)
    for heir in heirs.values { try? System.sendPacket(heir.link, Message(.retiring, fields).bytes) }
  }

  /// The new master is not wanted any more, or not in time.
  func killHeir(_ ticket: Int) {
    if let heir = heirs[ticket] { System.signal(heir.pid, SIGKILL) }
  }

  /// The new master is gone before it served.
  func heirEnded(_ ticket: Int) {
    guard heirs[ticket] != nil, !hasHandedOver else { return }
    heirSpeaks(ticket)
    guard let heir = heirs[ticket], let ending = System.ending(of: heir.pid) else { return }
    let reason = heir.failure ?? "the new server ended with \(ending.description) before it served"
    heirs[ticket] = nil
    unwatch(heir.link)
    unwatch(heir.processDescriptor)
    inform(.heirFailed(ticket: ticket, reason))
  }

  /// Takes what the process says that started this master: the master before it hands over, or is gone
  /// without having done so.
  func parentSpeaks(_ fd: Int32) {
    var bytes: [UInt8] = []
    do throws(SystemError) { bytes = try System.receivePacket(fd) } catch {
      // Any other error is its end.
      if error.isMomentary { return }
    }
    guard let message = Message(bytes) else {
      unwatch(fd)
      heedPrograms(nil)
      if plan.follows { takeOver() }
      return
    }
    guard message.verb == .retiring else { return }
    statistics.inherit(message)
    heedPrograms(message)
    if plan.follows { takeOver() }
  }

  /// The server is this master's alone; its programs may be so later.
  private func takeOver() {
    defer { startPrograms() }
    guard !hasTakenOver else { return }
    hasTakenOver = true
    plan.takeOver()
    if controlSocket < 0 { lookForControl() }
    _ = openCommandPipes()
    startWatcher()
  }
}
