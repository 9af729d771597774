import Glibc

/// What the program asks of the system.
enum System {
  /// Whether a file is open there: what has an end. The corresponding C function is `fstat`.
  static func isFile(_ fd: Int32) -> Bool {
    var status = stat()
    return fstat(fd, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }
}
