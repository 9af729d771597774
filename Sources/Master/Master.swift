import Config
import Control
import Glibc
import Posix

/// A listening socket that the master keeps for as long as it lives.
public struct MasterSocket: Sendable {
  /// The bound socket; the master's from now on.
  public let descriptor: Int32
  /// The protocol spoken on it.
  public let gateway: ListenerProtocol
  /// Where it is bound, as people write it.
  public let address: String
  /// The announcement once it is served: "http socket 127.0.0.1:8080 ready".
  public let readyLine: String

  /// A socket.
  public init(descriptor: Int32, gateway: ListenerProtocol, address: String, readyLine: String) {
    (self.descriptor, self.gateway, self.address) = (descriptor, gateway, address)
    self.readyLine = readyLine
  }
}

/// What the master starts with.
public struct MasterPlan {
  /// The requested settings.
  public var settings: Settings
  /// The options in effect, as workers read them.
  public var arguments: [String]
  /// Files that workers may not read themselves.
  public var files: [HandedFile] = []
  /// They are the ones that serve in the previous master: nobody tries them again.
  public var filesServe = false
  /// The command line as it was given, to be read again.
  public var commandLine: [String]
  /// The sockets to serve.
  public var sockets: [MasterSocket]
  /// The sockets for those who watch the server.
  public var watchSockets: [WatchSocket] = []
  /// The server's own directory: private copies and the control socket.
  public var directory: MasterDirectory
  /// A warning to the operator, given once when the server serves; nil for none.
  public var warning: String?
  /// Tells the launcher (sd_notify).
  public var notify: (String) -> Void
  /// Packet socket to the process that waits for this master's readiness; -1 for none.
  public var parent: Int32 = -1
  /// The sockets come from a master that serves until this one is ready, and then hands over.
  public var follows = false
  /// The user that the operator's programs run as.
  public var programUser: UInt32 = 0
  /// The builds that serve in the previous master, by application, for this one to go on with.
  public var builds: [Orders.Build] = []
  /// Everything else that the previous master has left.
  public var bequest = Bequest()
  /// Files of the server's own, held open for the processes that are started later, and this program's file.
  public var (held, program): ([HeldFile], String) = ([], "")
  /// Makes the server's own directory again at its path; nil, with errno, if that is not possible.
  public var remakeDirectory: () -> MasterDirectory? = { nil }
  /// Runs when the server belongs to this master alone.
  public var takeOver: () -> Void = {}

  /// A plan.
  public init(
    settings: Settings, arguments: [String], commandLine: [String], sockets: [MasterSocket],
    directory: MasterDirectory, notify: @escaping (String) -> Void
  ) {
    (self.settings, self.arguments, self.commandLine) = (settings, arguments, commandLine)
    (self.sockets, self.directory, self.notify) = (sockets, directory, notify)
  }
}

/// The process that supervises: it keeps the listening sockets, starts and replaces workers, and puts new
/// builds to work. It never parses a request and never loads an application; anything that could block it is
/// done by a child.
///
/// One thread does all of this, in `loop`. The life of a worker is in Spawn/, that of a build in Swap/.
public final class Master {
  /// What a descriptor reports on.
  enum Source {
    case signals
    case workerEnd(Int)
    case workerLink(Int)
    case zygoteEnd(Int)
    case zygoteLink(Int)
    case jobEnd(Int)
    case jobLink(Int)
    case control
    case client(Int)
    case parent
    case heirLink(ticket: Int)
    case heirEnd(ticket: Int)
    case watcherLink
    case watcherEnd
    case files
    case collectorLink
    case collectorEnd
    case programLink(Int)
    case programEnd(Int)
    case keeperLink
    case keeperEnd
    case commands
  }

  let plan: MasterPlan
  let epoll: Int32
  var sources: [Int32: Source] = [:]
  /// How many waits for events have failed in a row.
  private var failedWaits = 0
  var alarms = Alarms()
  /// Monotonic nanoseconds.
  let began = System.now()
  private var counter = 0

  /// Decides what serves, what is being changed, and what to do about it.
  var releases = Releases()
  /// Events that wait for the actions of the event before them.
  var events: [Event] = []
  var isDeciding = false

  var workers: [Int: WorkerHandle] = [:]
  /// Workers that wait for the state of those before them, or for their zygote: they have no process yet.
  var launching: Set<Int> = []
  /// Those of them that a zygote was told to fork.
  var forking: [Int: Forking] = [:]
  var zygotes: [Int: Zygote] = [:]
  /// Processes that this one has not started may have become its children: those that zygotes have forked,
  /// and as the first process of a container any that has lost its parent.
  var hasOrphans = System.ownPID == 1
  /// Processes that were killed because they could not be watched, and have not been waited for.
  var unwatched: [Int32] = []
  /// Respawns and crashes since the start.
  var respawns = 0
  var crashes: [Crash] = []
  var statistics = Statistics()
  var sockets: [MasterSocket]
  /// The sockets for those who watch, and the process that serves them.
  var watchSockets: [WatchSocket] = []
  var watcher: Watcher?
  /// Memory in which the workers report what they spool (`SpoolShares`), and the owner of each number.
  let spoolShares: Int32
  var spoolNumbers = SpoolNumbers()
  /// Links between workers; and whether the last one could not be made, which was reported.
  var (introductions, hasFailedToIntroduce) = (Introductions(), false)
  /// Memory that the workers share, and reloads that they ask for.
  var (commons, renewal): ([CommonMemory], Renewal) = ([], Renewal())
  /// Keys of session tickets.
  var tickets: TicketKeys
  /// Connections were waiting at the last look.
  var hadBacklog = false

  var jobs: [Int: Job] = [:]
  /// The configuration that the change in progress has read.
  var configured: (ticket: Int, arguments: [String], settings: Settings, files: [HandedFile])?
  /// The replay that is on its way to its child.
  var rehearsal: Rehearsal?
  /// Private copies on disk.
  var copies: Copies
  /// The share of failed answers before the build on trial served, by mount.
  var usualFailures: [String: Double] = [:]
  /// The longest that a request was seen to take, in seconds, before the build on trial served; by mount.
  var usualLongest: [String: Double] = [:]
  /// There was a build on trial after the last event.
  var wasOnTrial = false
  /// Monotonic nanoseconds of the next look at figures that are compared.
  var nextMeasure: UInt64 = 0
  /// Monotonic nanoseconds of the last look at all workers.
  var lastLook: UInt64 = 0

  var controlPath: String
  var controlSocket: Int32 = -1
  /// Why there is none, once that has been reported.
  var controlTrouble: String?
  var clients: [Int: Client] = [:]
  /// Masters that are to follow this one, by the change that asks for it: one, and those that were killed and
  /// have not ended.
  var heirs: [Int: Heir] = [:]
  /// One of them has followed: sockets and files belong to it.
  var hasHandedOver = false
  /// The master before this one is gone, or has handed the server over to this one.
  var hasTakenOver = false
  var files: FileWatch?
  /// Files that the previous master watched, until this one does.
  var inheritedFiles: [String: Bequest.Seen] = [:]
  /// What the paths of certificates led to at the start.
  var certificatesSeen: [String: FileIdentity] = [:]
  /// The pipes through which commands come (`--master-fifo`), by path.
  var commandPipes = CommandPipes()
  /// The operator's programs that are running.
  var programs: [Int: RunningProgram] = [:]
  /// How those that run beside the server have ended, by their place.
  var programPatience: [Int: Patience] = [:]
  /// They belong to this master.
  var hasPrograms = false
  /// The process that ends them if this one cannot, and what is heard from it.
  var keeper: Keeper?
  var keeperHearing = Hearing()
  /// Those of the previous master have not ended: this one's would find their ports or files taken.
  var programsWait = false
  /// Scheduled commands that the previous master has started and that are still running.
  var foreignTimed: [String] = []
  /// Everybody has left except processes that the kernel holds.
  var (hasWaited, isWaiting) = (false, false)
  /// Which of their minutes have come.
  var minutes = Minutes()
  /// The pipes of lines that are distributed, and the process that distributes them.
  var pipes: LogPipes?
  var collector: Collector?
  /// Earlier such processes that were killed and have not ended.
  var forsaken = 0
  /// Monotonic nanoseconds of the last look at it.
  var lastBeat = System.now()
  /// Lines that nobody took, counted by that process and by its predecessors.
  var collectorDrops = 0
  var earlierDrops = 0

  /// Processors that this process may use; at least 1.
  public static var processors: Int { System.processors }

  /// Serves until a stop; returns the exit code, and whether another master goes on with the sockets.
  public static func run(_ plan: MasterPlan) -> (code: Int32, hasHandedOver: Bool) {
    do {
      let master = try Master(plan)
      let code = try master.serve()
      return (code, master.hasHandedOver)
    } catch {
      MasterLog.announce("the master cannot be made: \(error)")
      return (1, false)
    }
  }

  private init(_ plan: MasterPlan) throws(SystemError) {
    self.plan = plan
    var kept: [MasterSocket] = []
    for socket in plan.sockets {
      kept.append(
        MasterSocket(
          descriptor: try System.duplicate(socket.descriptor), gateway: socket.gateway,
          address: socket.address, readyLine: socket.readyLine))
      System.release(socket.descriptor)
    }
    sockets = kept
    for socket in plan.watchSockets {
      let copy = try System.duplicate(socket.descriptor)
      watchSockets.append(WatchSocket(descriptor: copy, kind: socket.kind, address: socket.address))
      System.release(socket.descriptor)
    }
    copies = Copies(in: plan.directory)
    tickets = TicketKeys(plan.bequest.tickets)
    releases.follows = plan.follows
    for file in plan.bequest.seen { inheritedFiles[file.path] = file }
    for file in plan.files { certificatesSeen[file.path] = System.identity(of: file.path) }
    spoolShares = try System.sealedMemory("spools", SpoolShares.bytes)
    epoll = try System.epollCreate()
    controlPath = plan.settings.supervision.controlSocket ?? plan.directory.path + "/control.sock"
  }

  /// A number for a worker, a job, a client or a release.
  func nextNumber() -> Int {
    counter += 1
    return counter
  }

  // MARK: The loop

  private func serve() throws(SystemError) -> Int32 {
    System.ignoreStraySignals()
    let signals = try System.signalDescriptor([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1])
    try watch(signals, .signals)
    if plan.parent >= 0 { try watch(plan.parent, .parent) }
    let isLater = plan.follows && plan.settings.supervision.controlSocket != nil
    try startCollecting()
    defer { endCollecting() }
    guard isLater || openControl() else { return 1 }
    defer { closeControl() }
    guard plan.follows || openCommandPipes() else { return 1 }
    defer { closeCommandPipes(isLast: !hasHandedOver) }
    if !plan.follows {
      if let code = runSteps(.beforeAll, signals: signals) { return code }
      if let code = runSteps(.beforeApps, signals: signals) { return code }
    }
    defer { endPrograms(signals) }
    awaitTickets()
    stageFirst()
    while !isDone {
      do throws(SystemError) {
        for fd in try System.wait(epoll, milliseconds: patience) { handle(fd) }
        failedWaits = 0
      } catch { waitFailed(error) }
      while let action = alarms.next() { perform(action) }
      LogSink.shared.flush()
      waitForLast()
    }
    endWatching()
    flushClients()
    if !hasHandedOver {
      // Those who wait for the server's end can see that it takes no more orders.
      closeControl()
      endPrograms(signals)
      runLastSteps(signals)
    }
    if case .stopping(let code, _) = releases.state { return code }
    return 1
  }

  /// The kernel does not say what has come: looks at every descriptor, ten times a second. If this lasts, the
  /// server ends, and says why.
  private func waitFailed(_ error: SystemError) {
    failedWaits += 1
    if failedWaits == 1 { MasterLog.error("\(error); the master looks by itself, ten times a second") }
    System.pause(milliseconds: 100)
    for fd in sources.keys.sorted() { handle(fd) }
    guard failedWaits == Limits.failedWaits else { return }
    if case .stopping = releases.state { return }
    MasterLog.announce("the server ends: \(error) for \(failedWaits / 10) s")
    inform(.stop(code: 1))
  }

  /// Milliseconds until something is to be done; -1: nothing.
  private var patience: Int32 {
    guard LogBacklog.isWaiting else { return alarms.wait }
    return alarms.wait < 0 ? 100 : min(alarms.wait, 100)
  }

  /// The server has started and is not about to end, whatever change is in progress.
  var servesOn: Bool {
    switch releases.state {
    case .starting, .stopping: false
    case .serving, .staging, .replaying, .rolling, .swapping, .presenting, .handingOver: !hasHandedOver
    }
  }

  /// Says something to the process that waits for this master's readiness.
  func tellParent(_ message: Message) {
    if plan.parent >= 0 { try? System.sendPacket(plan.parent, message.bytes) }
  }

  func watch(_ fd: Int32, _ source: Source) throws(SystemError) {
    try System.watch(epoll, fd)
    sources[fd] = source
  }

  func unwatch(_ fd: Int32) {
    hearNoMore(fd)
    System.close(fd)
  }

  /// Stops watching a descriptor, which stays open.
  func hearNoMore(_ fd: Int32) {
    System.unwatch(epoll, fd)
    sources[fd] = nil
  }
}
