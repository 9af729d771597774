import Glibc
import Posix

/// System calls around programs that a subcommand or a start runs to its end, for what they print.
enum ProgramSystem {
  /// Why a program has not done what it was for: one sentence.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Bytes that a program may print.
  private static let most = 4 << 20

  /// What the program prints on both of its outputs, and whether it ended with 0. The corresponding C
  /// functions are `pipe`, `posix_spawn`, `read` and `waitpid`.
  ///
  /// - Parameter file: its file, if that has another name than the program.
  static func run(
    _ program: String, _ arguments: [String], from file: String? = nil
  ) throws -> (isGood: Bool, output: String) {
    let ends = try Pipe.make()
    defer { close(ends.reading) }
    let nothing = open("/dev/null", O_RDONLY | O_CLOEXEC)
    let outputs = [STDOUT_FILENO, STDERR_FILENO].map { (ends.writing, $0) }
    let spawn = Spawn(
      file ?? program, [program] + arguments, descriptors: [(nothing, STDIN_FILENO)] + outputs)
    let pid: pid_t
    do throws(SystemError) {
      defer { for fd in [nothing, ends.writing] { close(fd) } }
      pid = try spawn.start()
    } catch {
      throw Failure(description: "\(program) cannot be run (\(error.reason))")
    }
    let output = readAll(ends.reading)
    let isGood = Spawn.waitForEnd(of: pid) == .exited(0)
    guard let output else {
      throw Failure(description: "\(program) prints more than \(most >> 20) MiB; shorten what it reads")
    }
    return (isGood, output)
  }

  /// Nil if there is too much of it: what is left out may be the line that counts.
  private static func readAll(_ fd: Int32) -> String? {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 16_384)
    while true {
      let count = read(fd, &piece, piece.count)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { break }
      // What does not count is read all the same: the program is to end.
      if bytes.count <= most { bytes += piece[..<count] }
    }
    return bytes.count > most ? nil : String(decoding: bytes, as: UTF8.self)
  }
}
