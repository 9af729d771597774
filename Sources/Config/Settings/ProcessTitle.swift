/// What the processes are called in a list of them (uWSGI's procname family).
public struct ProcessTitle: Sendable, Equatable {
  /// Whose name it is.
  public enum Role: Sendable, Equatable {
    case master
    /// By its place, from 0.
    case worker(Int)
    /// By what it is for.
    case helper(String)
  }

  /// Each says what it is.
  var isAutomatic = false
  /// All are called this.
  var name: String?
  /// The master is called this.
  var master: String?
  var (prefix, suffix) = ("", "")

  /// As programs are: by their command line.
  public init() {}

  /// Some title is asked for.
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
