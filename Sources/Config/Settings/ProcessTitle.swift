/// The names of the processes in process lists (uWSGI's procname family).
public struct ProcessTitle: Sendable, Equatable {
  /// The process that is named.
  public enum Role: Sendable, Equatable {
    case master
    /// By its place, from 0.
    case worker(Int)
    /// By its purpose.
    case helper(String)
  }

  /// Each has a title that says what it is.
  var isAutomatic = false
  /// The name of all.
  var name: String?
  /// The name of the master.
  var master: String?
  var (prefix, suffix) = ("", "")

  /// The default of all programs: the command line.
  public init() {}

  /// Some title is configured.
  public var isSet: Bool { self != ProcessTitle() }

  /// The title of a process; nil: its command line.
  public func text(_ role: Role) -> String? {
    guard isSet else { return nil }
    let word: String
    switch role {
    case .master: word = master ?? name ?? "uWSGI master"
    case .worker(let place): word = name ?? "uWSGI worker \(place + 1)"
    case .helper(let purpose): word = name ?? "uWSGI \(purpose)"
    }
    // Only the master has a name of its own: the others keep their command lines.
    let isOthers = !isAutomatic && name == nil && prefix.isEmpty && suffix.isEmpty
    if isOthers, role != .master { return nil }
    return prefix + word + suffix
  }
}
