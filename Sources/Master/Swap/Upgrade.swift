import Control
import Glibc

/// The master that will follow this one: a new process of a new binary, with the same sockets.
struct Heir {
  let pid: Int32
  let processDescriptor: Int32
  let link: Int32
  var failure: String?
  var hearing = Hearing()
  /// How many records of changes there were when it was told of them.
  var toldChanges = 0
}

/// The upgrade of the server itself: the new master starts its own workers on the same sockets; when they
/// accept, this one's leave. If it does not get that far, it is refused, and nothing has changed.
extension Master {
  /// Starts a new master of a binary, or of this program's own file.
  func startHeir(_ ticket: Int, _ binary: String?) {
    var orders = Orders(.master)
    // The serving release goes on: an upgrade changes only the program.
    orders.arguments = releases.current?.arguments ?? plan.arguments
    orders.commandLine = plan.commandLine
    orders.files = releases.current?.files ?? []
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
      heirs[ticket]!.toldChanges = releases.journal.added
      tellAskers("the new server starts as pid \(child.pid)")
    } catch {
      let reason = "\(binary ?? "the program") cannot be started (\(error.reason))"
      inform(.heirFailed(ticket: ticket, reason))
    }
  }

  /// The new master distributes its lines itself: to the places where this one's would go.
  private var errorsOfHeir: [(Int32, Int32)] { pipes.map { [($0.original, STDERR_FILENO)] } ?? [] }

  /// What else the new master needs to know. Makes removed copies again for it to copy.
  private func bequest() -> Bequest {
    for build in releases.history.builds.values.joined() where !build.status.isWithdrawn {
      try? mend([build])
    }
    var bequest = releases.bequest
    (bequest.tickets, bequest.seen) = (tickets.keys, seenFiles)
    bequest.trial?.usual = (releases.current?.builds ?? []).map { build in
      Bequest.Usual(
        mount: build.mount, failures: usualFailures[build.mount] ?? 0,
        longest: usualLongest[build.mount] ?? 0)
    }
    return bequest
  }

  /// Reads the new master's messages.
  func heirSpeaks(_ ticket: Int) {
    guard let heir = heirs[ticket] else { return }
    guard let message = hear(heir.link, &heirs[ticket]!.hearing) else {
      // The server has ended: this master has no reason to stay any more.
      if hasHandedOver, sources[heir.link] == nil { stopPrograms() }
      return
    }
    switch message.verb {
    case .ready:
      // A new master that has ended since then serves nobody: the reason for its end follows.
      if !System.haveInput([heir.processDescriptor]) { inform(.heirReady(ticket: ticket, pid: heir.pid)) }
    case .failed: heirs[ticket]!.failure = message["reason"]
    default: break
    }
  }

  /// The new master serves: from now on the server belongs to it.
  func handOver(to ticket: Int) {
    guard let heir = heirs[ticket] else { return }
    hasHandedOver = true
    let control = giveControlUp()
    defer { System.close(control) }
    closeCommandPipes(isLast: false)
    let seen = workers.values.map {
      (id: $0.id, board: $0.board, mounts: $0.release.builds.map(\.mount))
    }
    let journal = releases.journal
    let changes = journal.records.suffix(max(0, journal.added - heir.toldChanges)).suffix(Master.lateChanges)
    let needed = programFields + changes.map { .init("history", $0.line) }
    let last = Message(.retiring, needed + statistics.legacy(seen)).bytes
    // Figures that do not fit are lost; the server is handed over all the same.
    let fits = last.count <= Message.packetBytes
    let message = fits ? last : Message(.retiring, needed).bytes
    try? System.sendPacket(heir.link, message, descriptor: control)
    sources[heir.processDescriptor] = nil
    System.unwatch(epoll, heir.processDescriptor)
    for socket in sockets { System.close(socket.descriptor) }
    sockets = []
    closeWatchSockets()
    stopPrograms(attachedOnly: true)
  }

  /// Changes that end with the hand-over, and that the new master is told of: the upgrade itself, and those
  /// that waited after it.
  private static let lateChanges = 8

  /// A worker has ended after the server was handed over: its last answers are counted there.
  func tellFollower(of id: Int, _ board: Scoreboard, mounts: [String], count: String) {
    let fields = statistics.rest(of: id, board, mounts: mounts, count: count)
    for heir in heirs.values { try? System.sendPacket(heir.link, Message(.retiring, fields).bytes) }
  }

  /// The new master is no longer wanted, or is not in time.
  func killHeir(_ ticket: Int) {
    if let heir = heirs[ticket] { System.signal(heir.pid, SIGKILL) }
  }

  /// The new master has ended before it served.
  func heirEnded(_ ticket: Int) {
    guard let heir = heirs[ticket], !hasHandedOver, let ending = System.ending(of: heir.pid) else { return }
    // Of its last messages only the reason for its failure still matters.
    var failure = heir.failure
    while let message = hear(heir.link, &heirs[ticket]!.hearing) {
      if message.verb == .failed { failure = message["reason"] }
    }
    let reason = failure ?? "the new server ended with \(ending.description) before it served"
    heirs[ticket] = nil
    unwatch(heir.link)
    unwatch(heir.processDescriptor)
    inform(.heirFailed(ticket: ticket, reason))
  }

  /// Reads the messages of the process that started this master: the previous master hands over, or is gone
  /// without having done so.
  func parentSpeaks(_ fd: Int32) {
    var (bytes, control): ([UInt8], Int32) = ([], -1)
    do throws(SystemError) { (bytes, control) = try System.receiveHanded(fd) } catch {
      // Any other error means its end.
      if error.isMomentary { return }
    }
    inheritControl(control)
    guard let message = Message(bytes) else {
      unwatch(fd)
      heedPrograms(nil)
      if plan.follows { takeOver() }
      return
    }
    guard message.verb == .retiring else { return }
    statistics.inherit(message)
    for line in message.all("history").prefix(Master.lateChanges) {
      if let record = ChangeRecord(line: line) { releases.journal.inherit(record) }
    }
    heedPrograms(message)
    if plan.follows { takeOver() }
  }

  /// The server belongs to this master alone; its programs may do so later.
  private func takeOver() {
    defer { startPrograms() }
    guard !hasTakenOver else { return }
    hasTakenOver = true
    // The master before may have died while this one's workers load: nobody else serves, and a place that
    // cannot start ends nothing any more.
    releases.follows = false
    plan.takeOver()
    if controlSocket < 0 { lookForControl() }
    _ = openCommandPipes()
    startWatcher()
  }
}
