import Glibc

/// System calls of the master for figures about itself and its workers.
extension System {
  /// Descriptors that a process has open, `countedDescriptors` at most; nil if this process may not look. The
  /// directory is /proc/PID/fd; the corresponding C functions are `opendir` and `readdir`.
  static func descriptors(of pid: pid_t) -> Int? {
    guard let directory = opendir("/proc/\(pid)/fd") else { return nil }
    defer { closedir(directory) }
    var count = 0
    while count < countedDescriptors, let entry = readdir(directory) {
      if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
    }
    return count
  }

  /// Descriptors of a process that are counted: the master looks at all workers in one turn.
  private static let countedDescriptors = 65_536

  /// This process's user and group, and its working directory. The corresponding C functions are `getuid`,
  /// `getgid` and `getcwd`.
  static var surroundings: (uid: Int, gid: Int, directory: String) {
    let path = getcwd(nil, 0)
    defer { free(path) }
    return (Int(getuid()), Int(getgid()), path.map { String(cString: $0) } ?? "")
  }

  /// Ends listening on a socket for all processes that have it; its address can be bound again at once. The
  /// corresponding C function is `shutdown`, which does so on Linux.
  static func endListening(_ fd: Int32) { _ = shutdown(fd, Int32(SHUT_RDWR)) }

  /// Connections that wait on a TCP socket to be accepted, and how many may; nil for other sockets. The
  /// corresponding C function is `getsockopt` with TCP_INFO (tcp(7)).
  static func listenQueue(_ fd: Int32) -> (waiting: Int, bound: Int)? {
    var info = tcp_info()
    var length = socklen_t(MemoryLayout<tcp_info>.size)
    guard getsockopt(fd, Int32(IPPROTO_TCP), TCP_INFO, &info, &length) == 0 else { return nil }
    return (Int(info.tcpi_unacked), Int(info.tcpi_sacked))
  }
}
