// The processes of a server: what they become, when they are replaced, and how a new build goes live.

/// User, group, directory and files of the process.
public struct ProcessSettings: Sendable, Equatable {
  /// Bytes of address space that a worker may have; 0: no bound.
  public var addressSpaceBytes: Int64 = 0
  /// Workers are supervised by a master; false: one plain process, which cannot be replaced or swap.
  public var hasMaster = true
  /// Worker processes; nil: as many as there are processors for the process.
  public var workers: Int?
  /// User to become after the sockets are bound: a name or a number. The master keeps its user.
  public var user: String?
  /// Group to become after the sockets are bound: a name or a number.
  public var group: String?
  /// Programs that apps start get no rights that the apps do not have: set-user-ID has no effect.
  public var forbidsPrivileges = false
  /// Directory to enter before apps are loaded.
  public var directory: String?
  /// Where the server's own directory is made, for copies of builds and the control socket; nil: in the
  /// system's place for it.
  public var runtimeDirectory: String?
  /// The names of the processes.
  public var title = ProcessTitle()
  /// Pipes from which the master takes commands (uWSGI's master-fifo).
  public var commandPipes: [String] = []
  /// File that gets the process id.
  public var pidFile: String?
  /// Permission bits withheld from new files; nil: inherited.
  public var umask: UInt32?
  /// Log file of a server that leaves its terminal; nil: it does not leave.
  public var daemonLog: String?
  /// Open descriptors that a worker may have; nil: inherited.
  public var maxDescriptors: Int?
  /// Processors for each worker, bound one after the other; 0: the kernel chooses.
  public var processorsPerWorker = 0

  /// The defaults: one worker per processor, nothing changed.
  public init() {}
}

/// When workers are replaced, and how a new build goes live.
public struct SupervisionSettings: Sendable, Equatable {
  /// How a new build replaces the old one.
  public enum SwapMode: String, Sendable, Equatable, CaseIterable {
    /// New workers first, then the old ones leave.
    case rolling
    /// Two generations in one worker, for apps that can be unloaded; rolling for all others.
    case inPlace = "in-place"
  }

  /// Whether applications are loaded before there are workers, in a process that forks them.
  public enum Preloading: String, Sendable, Equatable {
    /// Each worker loads its own.
    case never
    /// If the applications allow it, as uWSGI does by default.
    case wherePossible
    /// The operator wants it, and is told if it is not possible.
    case wanted
  }

  /// Whether applications are loaded before there are workers.
  public var preloading = Preloading.never
  /// Requests after which a worker is replaced; 0: never.
  public var maxRequests = 0
  /// A random number of requests, up to this, is added for each worker, so that they are not all replaced at
  /// once.
  public var maxRequestsDelta = 0
  /// Seconds after which a worker is replaced; 0: never.
  public var maxLifetimeSeconds = 0.0
  /// Resident bytes beyond which a worker is replaced; 0: never.
  public var maxResidentBytes: Int64 = 0
  /// Bytes of address space, and bytes that the worker does not share, beyond which it is replaced; 0: never.
  public var (maxVirtualBytes, maxOwnBytes): (Int64, Int64) = (0, 0)
  /// Resident bytes, and bytes of address space, beyond which a worker is killed; 0: never.
  public var (killResidentBytes, killVirtualBytes): (Int64, Int64) = (0, 0)
  /// By how many seconds the lifetime of a worker exceeds that of the one before it.
  public var lifetimeDeltaSeconds = 0.0
  /// A worker has a bound of memory after which it is replaced.
  public var boundsMemory: Bool { maxResidentBytes > 0 || maxVirtualBytes > 0 || maxOwnBytes > 0 }
  /// How many workers serve; nil: all of them.
  public var cheaper: CheaperSettings?
  /// The control socket; nil: in the runtime directory, where `server ctl` finds it.
  public var controlSocket: String?
  /// How a new build replaces the old one.
  public var swap = SwapMode.rolling
  /// Seconds in which a build must load and pass its probe, in the trial and in each worker.
  public var startSeconds = 30.0
  /// Seconds after which a worker whose loop does not turn is killed; 0: never. Precedent: gunicorn 30.
  public var silenceSeconds = 30.0
  /// Seconds that the first new worker serves beside the old ones before the others follow.
  public var soakSeconds = 1.0
  /// Seconds after a swap in which crashes or failures bring the previous build back; 0: never.
  public var probationSeconds = 30.0
  /// How much worse than the previous build a new one may be while both serve; nil: they are not compared.
  public var gate: SwapGate?
  /// Which requests are remembered, and replayed before a new build serves anybody.
  public var replay = ReplaySettings()
  /// The public key that builds have to be signed with; nil: any build is loaded.
  public var appKey: String?
  /// Files whose change swaps every app and rereads the configuration.
  public var touchFiles: [String] = []
  /// A new build at an app's path is swapped in automatically.
  public var watchesApps = false
  /// The client is the developer: clients see tracebacks, and saved files are served at once.
  public var isDevelopment = false

  /// The defaults.
  public init() {}
}

/// How many workers serve, between a minimum and all, depending on the load (uWSGI's cheaper).
public struct CheaperSettings: Sendable, Equatable {
  /// The deciding algorithm.
  public enum Algorithm: String, Sendable, Equatable, CaseIterable {
    /// As many workers as are busy, plus some free ones.
    case spare
    /// The share of time that workers spend on requests.
    case busyness
  }

  /// The fewest workers, 1 to `processes`; nil: all, until there has been no request for `idleSeconds`.
  public var least: Int?
  /// Workers at the start; nil: the fewest.
  public var initial: Int?
  /// Workers that are started at once.
  public var step = 1
  public var algorithm = Algorithm.spare
  /// Seconds that a shortage lasts before workers are started; for `busyness` the length of an interval.
  /// Precedent: uWSGI 3.
  public var overload = 3
  /// The percentage of the time above which workers are started, and below which one is stopped.
  public var (busynessMost, busynessLeast) = (50, 25)
  /// Intervals below it before one is stopped, and how many more if that was too early.
  public var (busynessMultiplier, busynessPenalty) = (10, 2)
  /// Seconds that connections wait before workers are started, and how many; 0: this does not count.
  public var (backlogSeconds, backlogStep) = (60, 1)
  /// Bytes that all workers hold together above which none is started, and above which some are stopped; 0:
  /// no bound.
  public var (softBytes, hardBytes): (Int64, Int64) = (0, 0)
  /// Seconds without a request after which only the fewest are left; 0: never.
  public var idleSeconds = 0

  /// The defaults.
  public init() {}
}
