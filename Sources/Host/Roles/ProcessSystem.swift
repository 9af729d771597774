import CLinux
import Glibc

/// System calls of a process's setup: who it is, where it is, and what it tells its launcher.
extension System {
  /// Shows other words than the command line in lists of processes (`clinux_set_title`).
  static func setTitle(_ title: String) { _ = clinux_set_title(title) }

  /// The corresponding C function is `umask`.
  static func setUmask(_ mask: UInt32) { _ = umask(mode_t(mask)) }

  /// Runs something under another umask; nil: under the current one. The corresponding C function is `umask`.
  static func withUmask(_ mask: UInt32?, _ body: () throws(SystemError) -> Void) throws(SystemError) {
    guard let mask else { return try body() }
    let before = umask(mode_t(mask))
    defer { _ = umask(before) }
    try body()
  }

  /// The most descriptors that this process may have. The corresponding C function is `getrlimit`.
  static var descriptorLimit: Int {
    let limit = clinux_descriptor_limit()
    return limit < 0 ? Int.max : limit
  }

  /// Throws if this many descriptors are not available. The corresponding C function is `fcntl` with
  /// F_DUPFD_CLOEXEC.
  static func tryDescriptors(_ count: Int) throws(SystemError) {
    var taken: [Int32] = []
    defer { for fd in taken { close(fd) } }
    for _ in 0..<count {
      taken.append(Int32(try retrying("fcntl") { Int(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) }))
    }
  }

  /// The corresponding C function is `chdir`.
  static func changeDirectory(_ path: String) throws(SystemError) {
    _ = try retrying("chdir") { Int(chdir(path)) }
  }

  /// Sends one datagram to a unix socket. The corresponding C function is `sendto`.
  static func sendDatagram(_ text: String, to address: SocketAddress) throws(SystemError) {
    let fd = Int32(try retrying("socket") { Int(clinux_datagram_socket()) })
    defer { close(fd) }
    let bytes = Array(text.utf8)
    try address.withPointer { pointer, length throws(SystemError) in
      _ = try retrying("sendto") { sendto(fd, bytes, bytes.count, Int32(MSG_NOSIGNAL), pointer, length) }
    }
  }

  /// What execve(2) was given for this process. The corresponding C function is `getauxval`.
  static func executedFile() -> String? { clinux_executed().map { String(cString: $0) } }

  /// Whether both paths exist and lead to the same file. The corresponding C function is `stat`.
  static func areSame(_ first: String, _ second: String) -> Bool {
    var (one, other) = (stat(), stat())
    return stat(first, &one) == 0 && stat(second, &other) == 0 && one.st_dev == other.st_dev
      && one.st_ino == other.st_ino
  }

  /// The text of a file of at most `most` bytes; nil for a longer one, or one that cannot be read. The
  /// corresponding C functions are `open` and `read`.
  static func text(of path: String, most: Int) -> String? {
    bytes(of: path, most: most).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The same as bytes. Never waits for something that is not a file: a FIFO whose writer never comes, a
  /// terminal.
  static func bytes(of path: String, most: Int) -> [UInt8]? {
    guard let fd = try? openForReading(path) else { return nil }
    defer { close(fd) }
    guard let found = try? status(fd), found.st_mode & S_IFMT == S_IFREG || isNothing(found) else {
      return nil
    }
    var bytes = [UInt8](repeating: 0, count: most + 1)
    var done = 0
    while done <= most {
      let count = bytes.withUnsafeMutableBytes { Glibc.read(fd, $0.baseAddress! + done, $0.count - done) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { return nil }
      if count == 0 { break }
      done += count
    }
    return done > most ? nil : Array(bytes[..<done])
  }

  /// Whether it is /dev/null, which can be read at once.
  private static func isNothing(_ status: stat) -> Bool {
    status.st_mode & S_IFMT == S_IFCHR && status.st_rdev == 0x103
  }

  /// Removes a variable from this process's environment. The corresponding C function is `unsetenv`.
  static func removeVariable(_ name: String) { unsetenv(name) }

  /// Moves standard input to another descriptor of the process's own; /dev/null takes its place. The
  /// corresponding C functions are `fcntl` with F_DUPFD_CLOEXEC, `open` and `dup2`.
  static func moveStandardInput() throws(SystemError) -> Int32 {
    let nothing = Int32(try retrying("open") { Int(open("/dev/null", O_RDWR | O_CLOEXEC)) })
    defer { close(nothing) }
    return try move(STDIN_FILENO, leaving: nothing)
  }

  /// Moves standard output likewise; output printed from now on goes to standard error.
  static func moveStandardOutput() throws(SystemError) -> Int32 {
    try move(STDOUT_FILENO, leaving: STDERR_FILENO)
  }

  private static func move(_ stream: Int32, leaving other: Int32) throws(SystemError) -> Int32 {
    let moved = own(Int32(try retrying("fcntl") { Int(clinux_duplicate(stream, 3)) }))
    _ = try retrying("dup2") { Int(dup2(other, stream)) }
    return moved
  }
}
