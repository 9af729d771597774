import CLinux
import Glibc

/// A program to start: the one place where the server starts one.
public struct Spawn {
  /// Whose terminal and signals the child shares.
  public enum Family: Int32, Sendable {
    /// Its parent's.
    case parents = 0
    /// A session of its own: a daemon.
    case ownSession = 1
    /// A process group of its own, so that all that it starts can be ended with it.
    case ownGroup = 2
  }

  /// The program's file.
  public var path: String
  /// Its name and its arguments.
  public var words: [String]
  /// Descriptors as (ours, the child's). Beyond these the child gets those that are not closed on exec.
  public var descriptors: [(Int32, Int32)]
  /// Its environment, NAME=value each.
  public var environment: [String]
  /// Whose signals it shares.
  public var family: Family

  /// A program in the environment of this process.
  public init(
    _ path: String, _ words: [String], descriptors: [(Int32, Int32)],
    environment: [String] = ProcessEnvironment.lines, family: Family = .parents
  ) {
    (self.path, self.words, self.descriptors) = (path, words, descriptors)
    (self.environment, self.family) = (environment, family)
  }

  /// Starts it, with every signal at its default and none blocked; its process id. The corresponding C
  /// function is `posix_spawn`.
  public func start() throws(SystemError) -> pid_t {
    var words = self.words.map { strdup($0) } + [nil]
    var lines = environment.map { strdup($0) } + [nil]
    defer { for text in words + lines { free(text) } }
    var pid: pid_t = 0
    let pairs = descriptors.flatMap { [$0.0, $0.1] }
    let code = clinux_spawn(&pid, path, &words, &lines, pairs, Int32(descriptors.count), family.rawValue)
    if code != 0 { throw SystemError("posix_spawn", code) }
    return pid
  }

  /// Waits until a child has ended. The corresponding C function is `waitpid`.
  public static func waitForEnd(of pid: pid_t) -> Ending {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 {
      // Somebody else has reaped it.
      if errno != EINTR { return .exited(-1) }
    }
    return Ending(status: status)
  }
}
