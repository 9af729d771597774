// How the process was started: what the kernel and the file system say about it, whatever its arguments are.

/// The basis for judging CGI arguments: which file was executed, and what the front end's script is.
public struct Launch: Sendable {
  /// The file given to execve(2).
  public enum Start: Sendable, Equatable {
    /// This program's own file.
    case program
    /// A script whose first line names this program.
    case script(path: String)
    /// Neither can be told.
    case unknown
  }

  /// What was executed.
  public var start: Start
  /// The name by which this program was executed, without directories; for `start == .program`.
  public var name: String
  /// Whether a path leads to this program's own file.
  public var isProgram: @Sendable (String) -> Bool
  /// Whether two paths lead to one file.
  public var areSame: @Sendable (String, String) -> Bool
  /// The text of a script; nil if it cannot be read, or is too long for one.
  public var text: @Sendable (String) -> String?

  /// A launch with all of its facts.
  public init(
    start: Start, name: String, isProgram: @escaping @Sendable (String) -> Bool,
    areSame: @escaping @Sendable (String, String) -> Bool, text: @escaping @Sendable (String) -> String?
  ) {
    (self.start, self.name, self.isProgram) = (start, name, isProgram)
    (self.areSame, self.text) = (areSame, text)
  }
}
