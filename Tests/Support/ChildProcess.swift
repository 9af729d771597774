// A program that a test runs: in its own process group, its output in a file, its end awaited, and
// nothing of it left when the test is over - even when the test process itself is killed.
import Foundation
import Synchronization

/// One started program.
public final class ChildProcess: Sendable {
  /// How a program ended.
  public enum Exit: Equatable, Sendable {
    case status(Int32)
    case signal(Int32)
  }

  /// What the program finds as its standard input.
  public enum Input: Sendable {
    case nothing
    /// A descriptor of the test, which stays the test's.
    case descriptor(Int32)
  }

  /// The program's process id, also that of its process group.
  public let pid: pid_t
  private let program: String
  private let outputPath: String
  private let folder: TemporaryFolder
  private let exit = Mutex<Exit?>(nil)

  /// Starts `program` with `arguments`. `descriptors` are the test's, which the program gets as 3, 4, ….
  public init(
    _ program: String, _ arguments: [String] = [], environment: [String: String] = [:],
    directory: String? = nil, input: Input = .nothing, descriptors: [Int32] = []
  ) throws {
    self.program = program
    folder = try TemporaryFolder()
    outputPath = folder.file("output")
    let moved = directory.map { ["/usr/bin/env", "-C", $0] } ?? []
    // setpriv ends the program when the test process dies, however that happens.
    let words = ["/usr/bin/setpriv", "--pdeathsig", "TERM", "--"] + moved + [program] + arguments
    // What begins with NSGI_ would be an option of the server.
    var merged = ProcessInfo.processInfo.environment.filter {
      // How the loops of a whole run ask the kernel is its say.
      !$0.key.hasPrefix("NSGI_") || $0.key == "NSGI_IO"
    }
    merged.merge(environment) { $1 }
    let request = Spawn(
      words: words, environment: merged.map { "\($0.key)=\($0.value)" }, input: input,
      descriptors: descriptors, output: outputPath)
    pid = try Spawner.shared.start(request)
  }

  deinit {
    if exit.withLock({ $0 }) == nil {
      kill(-pid, SIGKILL)
      var status: Int32 = 0
      waitpid(pid, &status, 0)
    }
    kill(-pid, SIGKILL)
  }

  /// Everything the program has written to its standard output and error so far.
  public var output: String {
    String(decoding: FileManager.default.contents(atPath: outputPath) ?? Data(), as: UTF8.self)
  }

  /// How it ended, or nil while it runs.
  public var ended: Exit? {
    exit.withLock { known in
      if known != nil { return known }
      var status: Int32 = 0
      guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
      known = status & 0x7f == 0 ? .status((status >> 8) & 0xff) : .signal(status & 0x7f)
      return known
    }
  }

  /// Waits for its end.
  @discardableResult
  public func wait(_ deadline: Deadline = .usual) throws -> Exit {
    try deadline.wait(for: "the end of \(program)", output: { output }) { ended }
  }

  /// Waits until its output holds what `find` looks for; the program's end before that is a failure.
  public func waitForOutput<Found>(
    _ what: String, _ deadline: Deadline = .usual, _ find: (String) -> Found?
  ) throws -> Found {
    try deadline.wait(for: "\(what) from \(program)", output: { output }) {
      let hasEnded = ended
      if let found = find(output) { return found }
      if let hasEnded { throw SupportError.ended(program: program, exit: hasEnded, output: output) }
      return nil
    }
  }

  /// Sends a signal to the program (not to its children).
  public func send(_ signal: Int32) { if ended == nil { kill(pid, signal) } }

  /// Sends a signal and waits for the end.
  @discardableResult
  public func stop(_ signal: Int32 = SIGTERM, _ deadline: Deadline = .usual) throws -> Exit {
    send(signal)
    return try wait(deadline)
  }

  /// Runs a program to its end; returns how it ended and its output.
  public static func run(
    _ program: String, _ arguments: [String], environment: [String: String] = [:],
    directory: String? = nil, deadline: Deadline = .usual
  ) throws -> (exit: Exit, output: String) {
    let child = try ChildProcess(program, arguments, environment: environment, directory: directory)
    let exit = try child.wait(deadline)
    return (exit, child.output)
  }
}
