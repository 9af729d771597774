import CLinux
import CNSGI
import Config
import Control
import Glibc
import Synchronization
import Wire

/// Records at fixed addresses in their slabs.
typealias ConnectionPointer = UnsafeMutablePointer<Connection>
typealias ExchangePointer = UnsafeMutablePointer<Exchange>

/// The process that serves: one reactor, its listeners, connections and applications.
///
/// All of it belongs to the leader, the thread that runs `run`; an application reaches it only through the
/// host table. The life of a request is in Connection/Life.swift.
///
/// Unchecked: what belongs to the leader is passed on with the leadership, under its lock.
final class Worker: @unchecked Sendable {
  /// SERVER_SOFTWARE and the Server field.
  static let software: StaticString = "nsgi-server/0.1.0"

  let settings: Settings
  let limits: Limits
  let log: Log
  var reactor: Reactor
  var timers: TimerWheel
  let connections: Slab<Connection>
  let exchanges: Slab<Exchange>
  var blocks: BlockPool
  /// Bytes that were freed and not by way of the pool, as any thread says; when memory is given back.
  let churn = Atomic<Int>(0)
  var relief = Relief()
  /// Where bodies and answers go that are too long for memory.
  let spools: SpoolRoom
  var listeners: [Listener]
  let mounts: MountTable
  /// Connections with requests in their buffer and no event to come: pipelining is served in turns.
  var postponed: [Token] = []
  /// Those of them whose turn it is.
  private var resumed = Round<Token>()
  /// io_uring, while the leader has a ring.
  var ring = Ring()
  /// When a leader may take one up, in monotonic nanoseconds.
  var ringDue: UInt64
  /// Since when there is one, and for how many seconds there is none after a hand-off.
  var ringSince: UInt64 = 0
  var ringRest: Double
  /// Turns in a row in which the ring alone had something.
  var ringTurns: UInt8 = 0
  /// Connections for which the ring has brought something, and those of them whose turn it is.
  var arriving: [Token] = []
  var fresh = Round<Token>()
  /// Connections whose answers leave with the next wait.
  var outgoing: [Token] = []
  /// The watchdog's period in which answers have last left.
  var lastPeriod: UInt32 = 0
  /// What threads beside the loop have said and the leader has not heeded yet.
  var messages = Round<Inbox.Message>()
  /// Monotonic nanoseconds at the beginning of this turn of the loop.
  var now: UInt64
  var date: DateField
  var accessLog: AccessLog
  /// Which refusals get a line.
  var refusals = RefusalLog()
  /// FCGI_WEB_SERVER_ADDRS (FastCGI §3.2): the only peers that may speak FastCGI to us; nil for all.
  let webServers: [IPAddress]?
  /// Its place in `WorkerRegistry`.
  let number: UInt32
  let leadership = Leadership()
  /// The thread that leads, and its number apart: a call compares that.
  private(set) var leader = HostThread()
  private(set) var leaderID: UInt64 = 0
  /// `--threads 1`: the thread on which apps were loaded; set before `run`.
  var home: HomeThread?
  /// There is a home thread, and it does not lead: no app may be called.
  private(set) var isAway = false
  /// It has just begun to lead: requests may have queued meanwhile.
  var hasQueues = false
  /// Apps that were replaced and still have exchanges, or threads that they were told of.
  var retiring: [Retiring] = []
  /// The apps know that no call will come.
  var isDrained = false
  let watched = UnsafeMutablePointer<WatchedCall>.allocate(capacity: 1)
  let watchdog: Watchdog
  /// Requests have a deadline: every call is watched.
  let watchesAll: Bool
  let inbox: Inbox
  /// Read by calls beside the loop: responses say `Connection: close`.
  let isStopping = Atomic<Bool>(false)
  /// Why the loop ends; nil while it runs.
  var stopping: Stop?
  /// It leaves, and others go on accepting: connections between two requests are served once more
  /// (Leaving.swift).
  var isRetired = false
  /// Monotonic nanoseconds from which on a worker that leaves waits for no connection that asks nothing.
  var lateFrom: UInt64 = .max
  /// From then on it does not wait for the end of a call before it tells the apps that nothing more comes.
  var drainFrom: UInt64 = .max
  /// Why the loop could not go on.
  private(set) var failure: SystemError?
  /// No call of an application outlasts the loop: they may be unloaded.
  var isQuiet = true
  /// Connections that this worker accepts before it lets others go first.
  var acceptsLeft = Worker.acceptsInARow
  static let acceptsInARow = 16
  /// What the connection under way has received was all there was: it ended within a block.
  var hasReadAll = false
  /// Whether it takes what waits in the backlogs, and when it has last said so (Backlog.swift).
  var (admission, backlogLines) = (Admission.open, LinePace())
  /// Generations that were replaced in place and have not left memory, or cannot.
  let leftOver = Atomic<Int>(0)
  /// Calls that were cancelled and go on: nobody waits for them.
  var stuckCalls = 0
  /// Under a master: what it hears and what it shows; nil in a plain process.
  var supervisor: Supervisor?
  /// CGI: the one connection, with whose answer the loop ends.
  var only: ConnectionPointer?
  /// CGI: the answer did not reach the web server.
  var cgiFailed = false

  /// How a worker ends.
  enum Stop {
    case graceful(deadline: UInt64)
    case immediate
  }

  /// - Parameters:
  ///   - listeners: bound and listening; the worker does not close what it inherited.
  ///   - mounts: loaded, started and probed applications with their mounts.
  init(
    settings: Settings, listeners: [Listener], mounts: MountTable, log: Log, supervisor: Supervisor? = nil,
    spools: SpoolRoom? = nil
  ) throws(SystemError) {
    self.supervisor = supervisor
    self.spools = spools ?? SpoolRoom(settings)
    if let board = supervisor?.board { LastWords.use(board) }
    self.settings = settings
    self.listeners = listeners
    self.mounts = mounts
    self.log = log
    limits = settings.limits
    now = System.now()
    reactor = try Reactor(capacity: limits.eventsPerTurn)
    if settings.eventLoop == .ioUring { try Ring.probe() }
    ringRest = limits.ringRestSeconds / 2
    ringDue = settings.eventLoop == .epoll || settings.isCGI ? .max : 0
    timers = TimerWheel(now: now)
    watched.initialize(to: WatchedCall())
    watchesAll = limits.requestTimeoutSeconds > 0
    watchdog = try Watchdog(
      watched, microseconds: limits.handOffMicroseconds, patience: limits.requestTimeoutSeconds)
    inbox = try Inbox()
    webServers = System.environmentValue("FCGI_WEB_SERVER_ADDRS").map {
      $0.split(separator: ",").compactMap { IPAddress(parsing: $0.filter { $0 != " " }) }
    }
    date = DateField(server: settings.namesServer ? Worker.software : "")
    blocks = BlockPool(kept: 256)
    accessLog = AccessLog(settings.log)
    let headLimits = HeadLimits(limits)
    connections = Slab(maximum: limits.connections + 1)
    exchanges = Slab(maximum: limits.connections + 1)
    number = try WorkerRegistry.reserve()
    connections.setMake { Connection(slot: $0, codec: Codec(.http1, limits: headLimits)) }
    exchanges.setMake { [unowned(unsafe) self] slot in
      Exchange(
        slot: slot, worker: self, fields: self.limits.headerFields,
        responseHeadBytes: self.limits.responseHeadBytes)
    }
    WorkerRegistry.set(self, number)
  }

  deinit {
    WorkerRegistry.remove(self, number)
    watched.deinitialize(count: 1)
    watched.deallocate()
  }

  @inline(__always)
  func connection(_ slot: UInt32) -> ConnectionPointer { connections.record(slot) }

  /// The link of the timer wheel in a connection.
  @inline(__always)
  func timer(_ slot: UInt32) -> UnsafeMutablePointer<TimerWheel.Entry> {
    // The record lives at a fixed address in its slab.
    let record = connections.record(slot)
    return withUnsafeMutablePointer(to: &record.pointee.timer) { $0 }
  }

  // MARK: The loop

  /// Blocks the signals that the worker reads itself, and returns the descriptor that brings them. To be
  /// called before anything of an app runs: threads that it starts inherit the mask.
  static func takeSignals() throws(SystemError) -> Int32 {
    clinux_disarm_sigpipe()
    return try System.signalDescriptor([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1])
  }

  /// Serves until a stop signal and the end of what is under way; the calling thread only waits.
  ///
  /// - Returns: false when calls of applications outlasted the graceful end: nothing of theirs may be freed.
  func run(signals: Int32) throws(SystemError) -> Bool {
    try reactor.add(signals, .read, Token(.signal, slot: UInt32(signals)))
    try reactor.add(inbox.bell, .read, Token(.inbox, slot: 0))
    if let link = supervisor?.link { try reactor.add(link.fd, .read, Token(.control, slot: 0)) }
    for index in listeners.indices { try watch(index) }
    reportReady()
    System.letSignals()
    guard startWatchdog(), startLeader() else { throw SystemError("pthread_create", EAGAIN) }
    System.readsSignals ? leadership.readSignals() : leadership.waitForEnd()
    watchdog.end()
    isQuiet = leadership.waitForThreads(seconds: 1)
    closeAll()
    if isQuiet { WorkerRegistry.remove(self, number) }
    if let failure { throw failure }
    return isQuiet
  }

  /// A thread's life: leads when it is its turn, follows otherwise.
  func serve(_ first: Leadership.Wake?, isHome: Bool = false) {
    let thread = HostThread(isHome: isHome)
    var wake = first ?? leadership.follow(thread)
    while true {
      switch wake {
      case .lead(let detached):
        lead(as: thread)
        // What the last leader was calling for is no call on the loop any more.
        watched.pointee.ended()
        leaveRing()
        sendOutgoing()
        for exchange in detached { takeOver(exchange) }
        if lead() == .ended {
          for app in apps { app.drain() }
          leadership.end()
        }
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
    (leader, leaderID) = (thread, thread.id)
    isAway = home != nil && !thread.isHome
    hasQueues = home != nil && thread.isHome
  }

  /// How a time as leader ends.
  enum Tenure { case ended, handedOff }

  /// Runs the loop until the worker is done, or until a call of this thread is taken off it.
  func lead() -> Tenure {
    while !isDone {
      do {
        if try turn() == .handedOff { return .handedOff }
      } catch {
        failure = error
        return .ended
      }
    }
    return .ended
  }

  private func turn() throws(SystemError) -> Turn {
    // What the last leader had begun comes first: its order counts.
    if !messages.isEmpty, serveInbox() == .handedOff { return .handedOff }
    if hasQueues, serveQueues() == .handedOff { return .handedOff }
    if !fresh.isEmpty, serveNews() == .handedOff { return .handedOff }
    if now >= ringDue { takeUpRing() }
    let count =
      ring.isOpen
      ? try waitOnRing(milliseconds: waitMilliseconds) : try reactor.wait(milliseconds: waitMilliseconds)
    now = System.now()
    if !arriving.isEmpty, serveNews() == .handedOff { return .handedOff }
    // What is left of the events when a call is handed off comes again: they are level-triggered.
    for index in 0..<count {
      if handle(reactor.event(index)) == .handedOff { return .handedOff }
      sendOutgoingInTime()
    }
    if !postponed.isEmpty || !resumed.isEmpty, servePostponed() == .handedOff { return .handedOff }
    // The ring takes them with its next wait.
    if !ring.isOpen { sendOutgoing() }
    advanceTimers()
    if admission == .full, hasRoom { acceptAgain() }
    accessLog.flush()
    if !retiring.isEmpty { tendRetiring() }
    supervisor?.look(now)
    return .goesOn
  }

  private var waitMilliseconds: Int32 {
    if !postponed.isEmpty || !resumed.isEmpty || !arriving.isEmpty { return 0 }
    if stopping != nil { return 100 }
    return timers.count > 0 || admission != .open || hasRelief || refusals.held > 0 ? 250 : -1
  }

  @inline(__always)
  private func handle(_ event: Readiness) -> Turn {
    switch event.token.kind {
    case .connection:
      let connection = connections.record(event.token.slot)
      guard connection.pointee.token == event.token, connection.pointee.state != .closed else {
        return .goesOn
      }
      if connection.pointee.state == .calling {
        besideEvent(connection, event)
        return .goesOn
      }
      if event.canWrite, connection.pointee.hasOutput, flushed(connection) == .handedOff { return .handedOff }
      // Requests that wait in the buffer come first: reading on would let it grow without bound.
      let mayRead = connection.pointee.token == event.token && !connection.pointee.isPostponed
      return event.canRead && mayRead ? receive(connection) : .goesOn
    case .listener: return accept(Int(event.token.slot))
    case .inbox: return serveInbox()
    case .control: serveControl()
    case .signal: signalled(Int32(event.token.slot))
    case .nobody, .answer, .ring, nil: break
    }
    return .goesOn
  }

  /// One more turn for connections whose buffer still holds requests.
  private func servePostponed() -> Turn {
    if resumed.isEmpty { resumed.begin(with: &postponed) }
    while let token = resumed.next() {
      let connection = connections.record(token.slot)
      guard connection.pointee.token == token, connection.pointee.isPostponed else { continue }
      connection.pointee.isPostponed = false
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
      // A terminal's signals reach the whole group: the master says what they mean.
      case _ where supervisor != nil: break
      case SIGUSR1, SIGHUP: log.reopen()
      default: stop()
      }
    }
  }

  /// First time: no new connections, what is under way is answered. Second time: now.
  func stop() {
    guard stopping == nil else {
      stopping = .immediate
      return
    }
    beginToLeave()
    if supervisor == nil { ProcessSetup.notify("STOPPING=1") }
    closeIdle()
    closeListeners()
    drainWhenQuiet()
  }

  /// A second signal has come, or the master has said so: nothing is waited for.
  var endsAtOnce: Bool { if case .immediate? = stopping { true } else { false } }

  /// Something that the peer has sent waits to be served.
  func hasInput(_ connection: ConnectionPointer) -> Bool {
    !connection.pointee.input.isEmpty || System.hasInput(connection.pointee.fd)
  }

  /// First deaf, then empty: takes what waits in the backlogs, and leaves the addresses to others. What the
  /// kernel has woken this worker for must not be left lying.
  func closeListeners() {
    for index in listeners.indices {
      try? reactor.remove(listeners[index].fd)
      acceptWaiting(index)
      System.close(listeners[index].fd)
    }
  }

  private var isDone: Bool {
    switch stopping {
    case nil: only.map { $0.pointee.state == .closed } ?? false
    case .immediate: true
    case .graceful(let deadline): connections.alive <= stuckCalls || now > deadline
    }
  }

  private func closeAll() {
    closeRing()
    for slot in 0..<UInt32(connections.capacity) where connections.record(slot).pointee.state != .closed {
      if !connections.record(slot).pointee.isDetached { close(connections.record(slot)) }
    }
    accessLog.flush()
  }
}
