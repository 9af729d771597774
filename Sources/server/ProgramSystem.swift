import Glibc

/// System calls around programs that a subcommand or a start runs to its end, for what they print.
enum ProgramSystem {
  /// Why a program has not done what it was for: one sentence.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Bytes that a program may print; what is more is left out.
  private static let most = 4 << 20

  /// What the program prints on both of its outputs, and whether it ended with 0. The corresponding C
  /// functions are `pipe`, `posix_spawn`, `read` and `waitpid`.
  static func run(_ program: String, _ arguments: [String]) throws -> (isGood: Bool, output: String) {
    var ends = [Int32](repeating: -1, count: 2)
    guard pipe(&ends) == 0 else { throw Failure(description: String(cString: strerror(errno))) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO)
    for end in ends { posix_spawn_file_actions_addclose(&actions, end) }
    let words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, program, &actions, nil, words, environ)
    close(ends[1])
    defer { close(ends[0]) }
    guard code == 0 else {
      throw Failure(description: "\(program) cannot be run (\(String(cString: strerror(code))))")
    }
    let output = readAll(ends[0])
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    return (status == 0, output)
  }

  private static func readAll(_ fd: Int32) -> String {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 16_384)
    while true {
      let count = read(fd, &piece, piece.count)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { break }
      if bytes.count < most { bytes += piece[..<count] }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
