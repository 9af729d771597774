import CLinux
import Glibc
import Posix

/// System calls for the master's own directory: every name is one component, looked up in an open directory,
/// and never a link.
extension System {
  /// The corresponding C function is `mkdirat`.
  static func makeDirectory(_ name: String, in directory: Int32) throws(SystemError) {
    _ = try check("mkdirat", mkdirat(directory, name, 0o700))
  }

  /// The corresponding C function is `openat` with O_NOFOLLOW.
  static func openDirectory(_ name: String, in directory: Int32) throws(SystemError) -> Int32 {
    try check("openat", openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
  }

  /// Creates a file that must not exist, open for writing, numbered above the descriptors that children get.
  /// The corresponding C function is `openat`.
  static func createFile(_ name: String, in directory: Int32) throws(SystemError) -> Int32 {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let low = try check("openat", openat(directory, name, flags, 0o600))
    defer { close(low) }
    return try duplicate(low)
  }

  /// Opens a file for reading, numbered above the descriptors that children get. The corresponding C function
  /// is `openat`.
  static func openFile(_ name: String, in directory: Int32) throws(SystemError) -> Int32 {
    let low = try check("openat", openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC))
    defer { close(low) }
    return try duplicate(low)
  }

  /// Whether a file or a directory that is open still has a name. The corresponding C function is `fstat`.
  static func hasName(_ fd: Int32) -> Bool {
    var status = stat()
    return fstat(fd, &status) == 0 && status.st_nlink > 0
  }

  /// Whether something is there. The corresponding C function is `lstat`.
  static func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 || errno != ENOENT
  }

  /// Copies all of a file. The corresponding C function is `sendfile`.
  static func copy(_ from: Int32, to other: Int32) throws(SystemError) {
    var offset: off_t = 0
    while try check("sendfile", Int32(clamping: sendfile(other, from, &offset, 1 << 30))) > 0 {}
  }

  /// Sets a file's mode and group. The corresponding C functions are `fchown` and `fchmod`.
  static func share(_ fd: Int32, with group: UInt32?, mode: UInt32) throws(SystemError) {
    if let group { _ = try check("fchown", fchown(fd, uid_t.max, group)) }
    _ = try check("fchmod", fchmod(fd, mode))
  }

  /// The corresponding C function is `unlinkat`.
  static func removeFile(_ name: String, in directory: Int32) { _ = unlinkat(directory, name, 0) }

  /// The corresponding C function is `unlinkat` with AT_REMOVEDIR.
  static func removeDirectory(_ name: String, in directory: Int32) {
    _ = unlinkat(directory, name, AT_REMOVEDIR)
  }

  /// Opens a file, but no link and no file that another user could have put there (`clinux_open_guarded`).
  private static func openGuarded(_ path: String, _ flags: Int32, _ mode: mode_t) throws(SystemError) -> Int32
  {
    try check("open", clinux_open_guarded(path, flags | O_CLOEXEC, mode))
  }

  /// Makes and opens a pipe for its owner alone (`clinux_open_pipe`). The corresponding C functions are
  /// `mkfifoat` and `openat`.
  static func commandPipe(_ path: String) throws(SystemError) -> Int32 {
    try check("mkfifo", clinux_open_pipe(path))
  }

  /// Whether the path leads to it. The corresponding C function is `fstatat`.
  static func isCommandPipe(_ pipe: Int32, at path: String) -> Bool { clinux_pipe_is_at(path, pipe) != 0 }

  /// Removes it, if the path still leads to it. The corresponding C function is `unlinkat`.
  static func removeCommandPipe(_ path: String, _ pipe: Int32) { _ = clinux_remove_pipe(path, pipe) }

  /// Reads what is in a pipe, at most this many bytes. The corresponding C function is `read`.
  static func bytes(of pipe: Int32, atMost count: Int) -> ArraySlice<UInt8> {
    var buffer = [UInt8](repeating: 0, count: count)
    return buffer[..<max(0, read(pipe, &buffer, count))]
  }

  /// What an error of the guarded calls means, for the operator.
  static func guardedReason(_ error: SystemError) -> String {
    String(cString: clinux_guarded_reason(error.code))
  }

  /// Opens a log for appending, numbered above the descriptors that children get. The corresponding C
  /// function is `open`.
  static func openLog(_ path: String) throws(SystemError) -> Int32 {
    let low = try openGuarded(path, O_WRONLY | O_CREAT | O_APPEND, 0o640)
    defer { close(low) }
    return try duplicate(low)
  }

  /// Opens a log for appending in place of a standard descriptor. The corresponding C functions are `open`
  /// and `dup2`.
  static func redirect(_ standard: Int32, to path: String) throws(SystemError) {
    let fd = try openGuarded(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK, 0o640)
    defer { close(fd) }
    _ = try check("dup2", dup2(fd, standard))
    if standard > STDERR_FILENO { _ = fcntl(standard, F_SETFD, FD_CLOEXEC) }
    LogSink.shared.renew()
  }

  /// Throws if another user could have made a link on the way to a name.
  static func guardPlace(of path: String) throws(SystemError) {
    var name = [CChar](repeating: 0, count: Int(NAME_MAX) + 1)
    close(try check("open", clinux_open_parent(path, &name)))
  }

  /// Removes a name if it is a socket's; anything else that the path leads to by now stays. The corresponding
  /// C functions are `fstatat` and `unlinkat`.
  static func removeSocket(_ path: String) {
    var name = [CChar](repeating: 0, count: Int(NAME_MAX) + 1)
    let directory = clinux_open_parent(path, &name)
    guard directory >= 0 else { return }
    defer { close(directory) }
    var status = stat()
    guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFSOCK
    else { return }
    _ = unlinkat(directory, name, 0)
  }
}
