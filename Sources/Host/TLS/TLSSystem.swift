import Glibc

/// System calls for TLS: files of certificates, and their modes.
extension System {
  /// The bytes of a regular file; ENOTSUP for another, EFBIG for one above `most` bytes. The corresponding C
  /// functions are `open`, `fstat` and `read`.
  static func contents(of path: String, most: Int) throws(SystemError) -> [UInt8] {
    let fd = Int32(
      try retrying("open") { Int(Glibc.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) })
    defer { close(fd) }
    let found = try status(fd)
    guard found.st_mode & S_IFMT == S_IFREG else {
      throw SystemError("read", found.st_mode & S_IFMT == S_IFDIR ? EISDIR : ENOTSUP)
    }
    guard Int(found.st_size) <= most else { throw SystemError("read", EFBIG) }
    return try contents(fd)
  }

  /// Ends our receiving side: the kernel reports that like the peer's end. The corresponding C function is
  /// `shutdown` with SHUT_RD.
  static func shutdownReading(_ fd: Int32) { _ = Glibc.shutdown(fd, Int32(SHUT_RD)) }
}
