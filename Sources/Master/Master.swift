import Config
import Control
import Glibc

/// A listening socket that the master keeps for ever.
public struct MasterSocket: Sendable {
  /// The bound socket; the master's from now on.
  public let descriptor: Int32
  /// What is spoken on it.
  public let gateway: ListenerProtocol
  /// Where it is bound, as people write it.
  public let address: String
  /// What is announced once it is served: "http socket 127.0.0.1:8080 ready".
  public let readyLine: String

  /// A socket.
  public init(descriptor: Int32, gateway: ListenerProtocol, address: String, readyLine: String) {
    (self.descriptor, self.gateway, self.address) = (descriptor, gateway, address)
    self.readyLine = readyLine
  }
}

/// What the master starts with.
public struct MasterPlan {
  /// What was asked for.
  public var settings: Settings
  /// The options in effect, as workers read them.
  public var arguments: [String]
  /// The command line as it was given, to be read again.
  public var commandLine: [String]
  /// The sockets to serve.
  public var sockets: [MasterSocket]
  /// The server's own directory: private copies and the control socket.
  public var directory: MasterDirectory
  /// What the operator is told once when the server serves; nil for nothing.
  public var warning: String?
  /// Tells the launcher (sd_notify).
  public var notify: (String) -> Void
  /// Packet socket to the process that waits for this master's readiness; -1 for none.
  public var parent: Int32 = -1
  /// The sockets come from a master that serves until this one is ready, and hands over then.
  public var follows = false
  /// Runs when the server is this master's alone.
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
/// builds to work. It never parses a request and never loads an application; whatever could block it is
/// done by a child.
///
/// One thread runs all of it, in `loop`. The life of a worker is in Spawn/, that of a build in Swap/.
public final class Master {
  /// What the server as a whole does.
  enum Phase {
    /// The first workers load; a failure ends the start.
    case starting
    case serving
    case stopping
  }

  /// What a descriptor tells of.
  enum Source {
    case signals
    case workerEnd(Int)
    case workerLink(Int)
    case jobEnd(Int)
    case jobLink(Int)
    case control
    case client(Int)
    case parent
    case heirLink
    case heirEnd
    case files
  }

  let plan: MasterPlan
  let epoll: Int32
  var sources: [Int32: Source] = [:]
  var alarms = Alarms()
  var phase = Phase.starting
  var exitCode: Int32 = 0
  /// Monotonic nanoseconds.
  let began = System.now()
  private var counter = 0

  var workers: [Int: WorkerHandle] = [:]
  var backoffs: [Int: Backoff] = [:]
  /// Places that are empty for good: their workers could not start.
  var abandoned: Set<Int> = []
  /// Respawns and crashes since the start.
  var respawns = 0
  var crashes: [Crash] = []
  var sockets: [MasterSocket]
  /// Memory in which the workers say what they spool (`SpoolShares`).
  let spoolShares: Int32
  /// Connections waited at the last look.
  var hadBacklog = false

  var jobs: [Int: Job] = [:]
  /// What all workers run, or should; nil until the first builds are staged.
  var current: Release?
  var history = History()
  var rollout: Rollout?
  var inPlace: InPlaceSwap?
  /// The change that is being carried out.
  var underWay: Request?
  /// Changes that wait for it.
  var queue: [Request] = []
  /// Private copies on disk.
  var copies: Copies
  var probation: Probation?
  /// What the last change came to.
  var lastOutcome: String?

  var controlPath: String
  var controlSocket: Int32 = -1
  var clients: [Int: Client] = [:]
  /// The master that is to follow this one.
  var heir: Heir?
  /// It has followed: sockets and files are its own.
  var hasHandedOver = false
  var files: FileWatch?

  /// Serves until a stop; the exit code, and whether another master goes on with the sockets.
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
    copies = Copies(in: plan.directory)
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
    let signals = try System.signalDescriptor([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1])
    try watch(signals, .signals)
    if plan.parent >= 0 { try watch(plan.parent, .parent) }
    let isLater = plan.follows && plan.settings.supervision.controlSocket != nil
    guard isLater || openControl() else { return 1 }
    defer { closeControl() }
    stageFirst()
    while !isDone {
      for fd in System.wait(epoll, milliseconds: alarms.wait) { handle(fd) }
      while let action = alarms.next() { perform(action) }
    }
    flushClients()
    return exitCode
  }

  /// The last worker has left.
  private var isDone: Bool { phase == .stopping && workers.isEmpty && jobs.isEmpty }

  /// Says something to the process that waits for this master's readiness.
  func tellParent(_ message: Message) {
    if plan.parent >= 0 { try? System.sendPacket(plan.parent, message.bytes) }
  }

  func watch(_ fd: Int32, _ source: Source) throws(SystemError) {
    try System.watch(epoll, fd)
    sources[fd] = source
  }

  func unwatch(_ fd: Int32) {
    System.unwatch(epoll, fd)
    sources[fd] = nil
    System.close(fd)
  }

  private func handle(_ fd: Int32) {
    switch sources[fd] {
    case .signals: while let signal = System.nextSignal(fd) { signalled(signal) }
    case .workerEnd(let id): workerEnded(id)
    case .workerLink(let id): workerSpeaks(id)
    case .jobEnd(let id): jobEnded(id)
    case .jobLink(let id): jobSpeaks(id)
    case .control: acceptClient()
    case .parent: parentSpeaks(fd)
    case .heirLink: heirSpeaks()
    case .heirEnd: heirEnded()
    case .client(let id): clientSpeaks(id)
    case .files: filesChanged()
    case nil: System.unwatch(epoll, fd)
    }
  }

  private func perform(_ action: Alarms.Action) {
    switch action {
    case .respawn(let place): fill(place)
    case .startTimeout(let id): startTimedOut(id)
    case .mercy(let id): mercyIsOver(id)
    case .lifetime(let id): replace(id, "it has served long enough (--max-worker-lifetime)")
    case .stageTimeout(let id): jobTimedOut(id)
    case .saveTimeout(let id): savingTimedOut(id)
    case .swapTimeout(let id): swapTimedOut(id)
    case .soak(let number): soakIsOver(number)
    case .probation(let number): probationIsOver(number)
    case .stacks(let id): stacksAreShown(to: id)
    case .look: look()
    case .settled: filesSettled()
    }
  }

  // MARK: Signals

  private func signalled(_ signal: Int32) {
    switch signal {
    case SIGHUP: submit(.reload(cause: "SIGHUP"), watcher: nil)
    case SIGUSR1: _ = reopenLogs()
    default: phase == .stopping ? hurry() : stop(code: 0)
    }
  }

  /// Opens the logs by their names again, and hands them to the workers: they may not be allowed to.
  func reopenLogs() -> Outcome {
    let daemonLog = plan.settings.process.daemonLog
    let errorLog = current?.settings.log.file ?? plan.settings.log.file ?? daemonLog
    let logs = [(STDERR_FILENO, errorLog), (STDOUT_FILENO, daemonLog)].compactMap { standard, path in
      path.map { (standard, $0) }
    }
    for (standard, path) in logs {
      do { try System.redirect(standard, to: path) } catch {
        let reason = "log \(path) cannot be reopened: \(System.guardedReason(error))"
        MasterLog.error(reason)
        return .refused(reason)
      }
      let message = Message(.reopen, [.init("standard", "\(standard)")])
      for worker in workers.values { worker.send(message, descriptor: standard) }
    }
    return logs.isEmpty
      ? .done("there is no log file: the log is standard error", changed: false)
      : .done("logs are reopened", changed: true)
  }

  /// No new connections; what is under way is answered, then the server ends.
  func stop(code: Int32) {
    guard phase != .stopping else { return }
    phase = .stopping
    exitCode = code
    plan.notify("STOPPING=1")
    abandonChanges("the server stops")
    for job in jobs.values { System.signal(job.pid, SIGKILL) }
    if let heir, !hasHandedOver { System.signal(heir.pid, SIGTERM) }
    for worker in workers.values {
      worker.send(Message(.stop))
      if worker.state == .starting { endLoading(worker) }
      worker.state = .retiring
      alarms.set(.mercy(worker: worker.id), seconds: plan.settings.limits.gracefulSeconds + 3)
    }
    for socket in sockets { System.close(socket.descriptor) }
    sockets = []
  }

  /// A second signal: at once.
  private func hurry() {
    for worker in workers.values {
      worker.send(Message(.quit))
      alarms.set(.mercy(worker: worker.id), seconds: 1)
    }
  }
}
