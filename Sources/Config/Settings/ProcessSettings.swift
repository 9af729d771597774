// The processes of a server: what they become, when they are replaced, and how a new build goes live.

/// User, group, directory and files of the process.
public struct ProcessSettings: Sendable, Equatable {
  /// Workers are supervised by a master; false: one plain process, which cannot be replaced or swap.
  public var hasMaster = true
  /// Worker processes; nil: as many as the process may use processors.
  public var workers: Int?
  /// User to become after the sockets are bound: a name or a number. The master stays what it is.
  public var user: String?
  /// Group to become after the sockets are bound: a name or a number.
  public var group: String?
  /// Programs that apps start get no rights that the apps have not: set-user-ID has no effect.
  public var forbidsPrivileges = false
  /// Directory to enter before apps are loaded.
  public var directory: String?
  /// File that gets the process id.
  public var pidFile: String?
  /// Permission bits withheld from new files; nil: inherited.
  public var umask: UInt32?
  /// Log file of a server that leaves its terminal; nil: it stays.
  public var daemonLog: String?
  /// Open descriptors that a worker may have; nil: inherited.
  public var maxDescriptors: Int?
  /// Processors for each worker, bound one after the other; 0: the kernel chooses.
  public var processorsPerWorker = 0

  /// The defaults: one worker a processor, nothing changed.
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

  /// Requests after which a worker is replaced; 0: never.
  public var maxRequests = 0
  /// Up to so many requests are added for each worker, by chance, so that they do not all go at once.
  public var maxRequestsDelta = 0
  /// Seconds after which a worker is replaced; 0: never.
  public var maxLifetimeSeconds = 0.0
  /// Resident bytes beyond which a worker is replaced; 0: never.
  public var maxResidentBytes: Int64 = 0
  /// The control socket; nil: in the runtime directory, where `server ctl` finds it.
  public var controlSocket: String?
  /// How a new build replaces the old one.
  public var swap = SwapMode.rolling
  /// Seconds in which a build must load and pass its probe, in the trial and in each worker.
  public var startSeconds = 30.0
  /// Seconds that the first new worker serves beside the old ones before the others follow.
  public var soakSeconds = 1.0
  /// Seconds after a swap in which crashes or failures bring the previous build back; 0: never.
  public var probationSeconds = 30.0
  /// Files whose change swaps every app and rereads the configuration.
  public var touchFiles: [String] = []
  /// A new build at an app's path is swapped in by itself.
  public var watchesApps = false

  /// The defaults.
  public init() {}
}
