import CLinux
import CNSGI
import Config
import Control
import Glibc
import Posix
import Wire

/// The process that serves: one reactor, its listeners, connections and applications.
///
/// All of it belongs to the leader; an application reaches it only through the host table. The life of a
/// request is in Request/Life.swift.
///
/// Unchecked: what belongs to the leader is passed on with the leadership, under its lock.
final class Worker: @unchecked Sendable {
  let settings: Settings
  let limits: Limits
  let log: Log
  var reactor: Reactor
  var timers: Timers
  let connections: Slab<Connection>
  let exchanges: Slab<Exchange>
  var blocks: BlockPool
  let webSockets: WebSockets
  /// Links to other workers, for messages of topics.
  let topicLinks: TopicLinks
  /// The place for bodies and answers that are too long for memory.
  let spools: SpoolRoom
  var listeners: [Listener]
  /// Those that it calls.
  var apps: Applications
  /// Files, rules and pages: what is answered without an app.
  let ownAnswers: OwnAnswers
  /// Work for this turn or the next.
  var rounds = Rounds()
  /// io_uring, while the leader has a ring.
  var ring: Ring
  /// Monotonic nanoseconds at the beginning of this turn of the loop.
  var now: UInt64
  var date: DateField
  /// Lines about requests.
  var requestLines: RequestLines
  /// Its number in `WorkerRegistry`.
  let number: UInt32
  let leadership = Leadership()
  /// Who leads.
  var leading = Leading()
  /// Sees calls that run too long.
  let callWatch: CallWatch
  let inbox: Inbox
  /// What any thread may read and change.
  let common = CommonFacts()
  /// How it ends.
  var departure = Departure()
  /// Failures of the kernel.
  var trouble = Trouble()
  /// How it takes connections.
  var acceptor: Acceptor
  /// Facts about the bytes that were received last.
  var intake = Intake()
  /// Under a master: its link and its scoreboard; nil in a plain process.
  var supervisor: Supervisor?
  /// Its scoreboard, kept separately, because each request needs it.
  let board: Scoreboard?
  /// The requests that it remembers for a replay; nil: none.
  var recall: Recall?

  /// - Parameters:
  ///   - listeners: bound and listening; the worker does not close those that it inherited.
  ///   - mounts: loaded, started and probed applications with their mounts.
  init(
    settings: Settings, listeners: [Listener], mounts: MountTable, log: Log, supervisor: Supervisor? = nil,
    spools: SpoolRoom? = nil, presented: Presented = Presented()
  ) throws(SystemError) {
    self.supervisor = supervisor
    board = supervisor?.board
    self.spools = spools ?? SpoolRoom(settings)
    if let board { LastWords.use(board) }
    self.settings = settings
    self.listeners = listeners.numbered
    acceptor = Acceptor(presented: presented)
    apps = Applications(mounts)
    ownAnswers = OwnAnswers(settings, listeners)
    self.log = log
    limits = settings.limits
    now = System.now()
    reactor = try Reactor(capacity: limits.eventsPerTurn)
    if settings.eventLoop == .ioUring { try Ring.probe() }
    ring = Ring(
      RingTenure(
        isAllowed: settings.eventLoop != .epoll && !settings.isCGI,
        restSeconds: limits.ringRestSeconds / 2))
    timers = Timers(now: now, limits)
    callWatch = try CallWatch(settings.limits)
    inbox = try Inbox()
    date = DateField(server: settings.namesServer ? Program.software : "")
    blocks = BlockPool(kept: 256)
    requestLines = RequestLines(access: AccessLog(settings.log, supervisor))
    let headLimits = HeadLimits(limits)
    connections = Slab(maximum: limits.connections + 1)
    exchanges = Slab(maximum: limits.connections + 1)
    webSockets = WebSockets(limits)
    topicLinks = TopicLinks(log, supervisor?.board)
    if supervisor != nil, case let replay = settings.supervision.replay, replay.requests > 0 {
      recall = Recall(
        most: replay.requests, keepsCredentials: replay.keepsCredentials, apps: settings.apps.count)
    }
    number = try WorkerRegistry.reserve()
    connections.setMake { Connection(slot: $0, codec: Codec(.http1, limits: headLimits)) }
    exchanges.setMake { [unowned(unsafe) self] slot in
      Exchange(
        slot: slot, worker: self, fields: self.limits.headerFields,
        responseHeadBytes: self.limits.responseHeadBytes)
    }
    webSockets.slab.setMake { [unowned(unsafe) self] slot in WebSocket(slot: slot, worker: self) }
    WorkerRegistry.set(self, number)
  }

  deinit {
    WorkerRegistry.remove(self, number)
    callWatch.free()
    intake.free()
  }

  /// The link of the timer wheel in a connection.
  @inline(__always)
  func timer(_ slot: UInt32) -> UnsafeMutablePointer<TimerWheel.Entry> {
    // The record lives at a fixed address in its slab.
    let record = connections.record(slot)
    return withUnsafeMutablePointer(to: &record.pointee.timer) { $0 }
  }

  // MARK: The loop

  /// Takes the signals that the worker reads itself, and returns the descriptor that brings them; before
  /// any code of an app runs.
  static func takeSignals() throws(SystemError) -> Int32 {
    clinux_disarm_write_signals()
    return try System.signalDescriptor([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1])
  }

  /// Serves until a stop signal and the end of running requests; the calling thread only waits.
  ///
  /// - Returns: false when calls of applications still ran at the deadline: do not free their memory.
  func run(signals: Int32) throws(SystemError) -> Bool {
    try reactor.add(signals, .read, Token(.signal, slot: UInt32(signals)))
    try reactor.add(inbox.bell, .read, Token(.inbox, slot: 0))
    if let link = supervisor?.link { try reactor.add(link.fd, .read, Token(.control, slot: 0)) }
    for index in listeners.indices { try watch(index) }
    System.retakeSignals()
    guard startWatchdog(), startLeader() else { throw SystemError("pthread_create", EAGAIN) }
    System.readsSignals ? leadership.readSignals() : leadership.waitForEnd()
    callWatch.dog.end()
    acceptor.handshakes.end()
    departure.isQuiet = leadership.waitForThreads(seconds: 1)
    closeAll()
    if let failure = trouble.failure { throw failure }
    return departure.isQuiet
  }

  /// Runs a thread: leads when it is its turn, follows otherwise.
  func serve(_ first: Leadership.Wake?, isHome: Bool = false) {
    let thread = HostThread(isHome: isHome)
    var wake = first ?? leadership.follow(thread)
    while true {
      switch wake {
      case .lead(let detached):
        lead(as: thread)
        // The last leader's call is no longer a call on the loop.
        callWatch.call.pointee.ended()
        leaveRing()
        sendOutgoing()
        for exchange in detached { takeOver(exchange) }
        if lead() == .ended {
          endCGIInCall()
          for app in apps.all { app.drain() }
          leadership.end()
        }
        thread.runErrands()
      case .stir: if thread.leave() { inbox.post(.threadLeft) }
      case .end:
        if thread.leave(all: true) { inbox.post(.threadLeft) }
        return
      }
      cameHome(thread)
      wake = leadership.follow(thread)
    }
  }

  /// This thread makes the calls from now on.
  func lead(as thread: HostThread) {
    leading.begin(thread)
    watchGuest()
  }

  /// How a time as leader ends.
  enum Tenure { case ended, handedOff }

  /// Runs the loop until the worker is done, or until a call of this thread is taken off it.
  func lead() -> Tenure {
    while !departure.isOver(at: now, connections.alive) {
      do {
        if try turn() == .handedOff { return .handedOff }
        trouble.count = 0
      } catch {
        guard survives(error) else { return .ended }
      }
    }
    return .ended
  }

  private func turn() throws(SystemError) -> Turn {
    if !leading.errands.isEmpty, goOnErrands() == .handedOff { return .handedOff }
    // Work begun by the last leader comes first: its order matters.
    if !rounds.messages.isEmpty, serveInbox() == .handedOff { return .handedOff }
    if leading.hasQueues {
      if leading.guest.goesFirst(), serveGuest() == .handedOff { return .handedOff }
      if serveQueues() == .handedOff { return .handedOff }
    }
    if !rounds.fresh.isEmpty, serveNews() == .handedOff { return .handedOff }
    if now >= ring.tenure.due { takeUpRing() }
    if !rounds.carriers.isEmpty { sendCarriers() }
    let patience = leading.guest.loop == nil ? waitMilliseconds : guestPatience
    let count =
      ring.isOpen
      ? try waitOnRing(milliseconds: patience) : try reactor.wait(milliseconds: patience)
    now = System.now()
    rounds.epoch &+= 1
    if !rounds.arriving.isEmpty, serveNews() == .handedOff { return .handedOff }
    // Events left when a call is handed off come again: they are level-triggered.
    for index in 0..<count {
      if handle(reactor.event(index)) == .handedOff { return .handedOff }
      sendOutgoingInTime()
    }
    if !trouble.unwatched.isEmpty { watchAgain() }
    // First: what is postponed may wait for its answers.
    if leading.guest.loop != nil, serveGuest() == .handedOff { return .handedOff }
    if rounds.hasPostponed, servePostponed() == .handedOff { return .handedOff }
    // With a ring, its next wait takes them.
    if !ring.isOpen { sendOutgoing() }
    advanceTimers()
    if acceptor.admission == .full, hasRoom { acceptAgain() }
    requestLines.access.flush()
    if LogBacklog.isWaiting { flushLog() }
    if !apps.retiring.isEmpty { tendRetiring() }
    if let board {
      board[.connections].value = UInt64(acceptor.accepted(of: connections.alive))
      supervisor?.look(now)
    }
    return .goesOn
  }

  @inline(never)
  private var guestPatience: Int32 { leading.guest.milliseconds(waitMilliseconds, now: now) }

  private var waitMilliseconds: Int32 {
    if rounds.isWaiting { return 0 }
    if departure.isUnderWay || LogBacklog.isWaiting || !trouble.unwatched.isEmpty { return 50 }
    return timers.wheel.count > 0 || acceptor.admission != .open || hasRelief
      || requestLines.refusals.held > 0 || !apps.retiring.isEmpty
      ? 250 : -1
  }

  @inline(__always)
  private func handle(_ event: Readiness) -> Turn {
    switch event.token.kind {
    case .connection:
      let connection = connections.record(event.token.slot)
      guard connection.token == event.token, connection.state != .closed else {
        return .goesOn
      }
      if connection.socket != nil { return socketEvent(connection, event) }
      if connection.state == .calling {
        besideEvent(connection, event)
        return .goesOn
      }
      if event.canWrite, connection.hasOutput, flushed(connection) == .handedOff { return .handedOff }
      // Requests that wait in the buffer come first: reading on would let it grow without bound.
      let mayRead = connection.token == event.token && !connection.isPostponed
      return event.canRead && mayRead ? receive(connection) : .goesOn
    case .listener: return accept(Int(event.token.slot))
    case .inbox: return serveInbox()
    case .control: serveControl()
    case .topics: topicEvent(event.token.slot, event)
    case .guest: leading.guest.hasNews = true
    case .signal: signalled(Int32(event.token.slot))
    case .nobody, .answer, .ring, nil: break
    }
    return .goesOn
  }

  /// One more turn for connections whose buffer still holds requests.
  private func servePostponed() -> Turn {
    rounds.resume()
    while let token = rounds.nextResumed() {
      let connection = connections.record(token.slot)
      guard connection.token == token, connection.isPostponed else { continue }
      connection.isPostponed = false
      if decode(connection) == .handedOff { return .handedOff }
    }
    return .goesOn
  }

  // MARK: Stopping

  private func signalled(_ descriptor: Int32) {
    while true {
      switch clinux_next_signal(descriptor) {
      case 0: return
      case SIGTERM where supervisor != nil: retire()
      // A terminal's signals reach the whole group: the master decides what they mean.
      case _ where supervisor != nil: break
      case SIGUSR1, SIGHUP: log.reopen()
      default: stop()
      }
    }
  }

  /// First time: takes no new connections, answers running requests. Second time: stops now.
  func stop() {
    if departure.isUnderWay { return departure.endNow() }
    beginToLeave()
    if supervisor == nil { ProcessSetup.notify("STOPPING=1") }
    letIdleEnd()
    closeListeners()
    drainWhenQuiet()
  }

  /// Stops polling, then accepts what is queued, so that no connection for which the kernel has woken this
  /// worker is stranded; others keep the addresses.
  func closeListeners() {
    for index in listeners.indices {
      try? reactor.remove(listeners[index].fd)
      acceptWaiting(index)
      System.close(listeners[index].fd)
    }
  }

  private func closeAll() {
    closeRing()
    topicLinks.closeAll()
    for slot in 0..<UInt32(connections.capacity) where connections.record(slot).state != .closed {
      if !connections.record(slot).isDetached { close(connections.record(slot)) }
    }
    requestLines.access.flush()
  }
}
