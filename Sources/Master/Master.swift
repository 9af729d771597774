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
  /// Monotonic nanoseconds.
  let began = System.now()
  private var counter = 0

  /// What serves, what is being changed, and what to do about it.
  var releases = Releases()
  /// Events that wait for the actions of the one before.
  var events: [Event] = []
  var isDeciding = false

  var workers: [Int: WorkerHandle] = [:]
  /// Workers that wait for the state of those before them: they have no process yet.
  var launching: Set<Int> = []
  /// Respawns and crashes since the start.
  var respawns = 0
  var crashes: [Crash] = []
  var sockets: [MasterSocket]
  /// Memory in which the workers say what they spool (`SpoolShares`).
  let spoolShares: Int32
  /// Connections waited at the last look.
  var hadBacklog = false

  var jobs: [Int: Job] = [:]
  /// The configuration that the change under way has read.
  var configured: (ticket: Int, arguments: [String], settings: Settings)?
  /// Private copies on disk.
  var copies: Copies
  /// The share of failed answers before the build on trial, by mount.
  var usualFailures: [String: Double] = [:]
  /// Monotonic nanoseconds of the last look at all workers.
  var lastLook: UInt64 = 0

  var controlPath: String
  var controlSocket: Int32 = -1
  var clients: [Int: Client] = [:]
  /// The master that is to follow this one.
  var heir: Heir?
  /// It has followed: sockets and files are its own.
  var hasHandedOver = false
  /// The master before this one is gone, or has said that the server is this one's.
  var hasTakenOver = false
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
    if case .stopping(let code) = releases.state { return code }
    return 1
  }

  /// The last worker has left.
  private var isDone: Bool {
    releases.isDone && workers.isEmpty && jobs.isEmpty && (heir == nil || hasHandedOver)
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
    case .releases(let alarm): rang(alarm)
    case .lifetime(let id):
      replace(id, "it has served long enough (--max-worker-lifetime)")
    case .stageTimeout(let id): jobTimedOut(id)
    case .saveTimeout(let id): savingTimedOut(id)
    case .stacks(let id): stacksAreShown(to: id)
    case .look: look()
    case .settled: filesSettled()
    }
  }

  private func rang(_ alarm: ReleaseAlarm) {
    // What its answers say up to now counts.
    if case .soak = alarm { lookForEvidence() }
    inform(.alarm(alarm))
  }

  // MARK: Signals

  private func signalled(_ signal: Int32) {
    switch signal {
    case SIGHUP: inform(.asked(.reload(cause: "SIGHUP"), by: nil))
    case SIGUSR1: _ = reopenLogs()
    default: inform(.stop(code: 0))
    }
  }

  /// Opens the logs by their names again, and hands them to the workers: they may not be allowed to.
  func reopenLogs() -> Outcome {
    let daemonLog = plan.settings.process.daemonLog
    let errorLog = releases.current?.settings.log.file ?? plan.settings.log.file ?? daemonLog
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
}
