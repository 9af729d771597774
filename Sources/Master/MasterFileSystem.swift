import CLinux
import Control
import Glibc

/// System calls of the master for memory, sockets by name, and files.
extension System {
  /// Maps memory that another process writes, to read it. The corresponding C function is `mmap`.
  static func mapShared(_ fd: Int32, _ count: Int) throws(SystemError) -> UnsafeRawPointer {
    let address = mmap(nil, count, PROT_READ, MAP_SHARED, fd, 0)
    guard let address, address != MAP_FAILED else { throw SystemError("mmap") }
    return UnsafeRawPointer(address)
  }

  /// Makes eight bytes of a file zero. The corresponding C function is `pwrite`.
  static func clear(_ fd: Int32, at offset: Int) {
    let zero: UInt64 = 0
    _ = withUnsafeBytes(of: zero) { pwrite(fd, $0.baseAddress, $0.count, off_t(offset)) }
  }

  /// The corresponding C function is `munmap`.
  static func unmap(_ address: UnsafeRawPointer, _ count: Int) {
    _ = munmap(UnsafeMutableRawPointer(mutating: address), count)
  }

  /// Binds a unix socket for its owner alone, and listens. Replaces a file that nobody answers on.
  static func controlSocket(_ path: String) throws(SystemError) -> Int32 {
    let fd = try check("socket", clinux_socket(AF_UNIX))
    do throws(SystemError) {
      guard var address = unixAddress(path) else { throw SystemError("bind", ENAMETOOLONG) }
      try guardPlace(of: path)
      if connects(address) { throw SystemError("bind", EADDRINUSE) }
      removeSocket(path)
      let mask = umask(0o177)
      defer { _ = umask(mask) }
      let length = socklen_t(MemoryLayout<sockaddr_un>.size)
      let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, length) }
      }
      _ = try check("bind", result)
      _ = try check("listen", listen(fd, 16))
      let high = try duplicate(fd)
      close(fd)
      return high
    } catch {
      close(fd)
      throw error
    }
  }

  /// Why no socket can be bound at a path. The corresponding C function is `lstat`.
  static func socketPlace(_ path: String, _ error: Int32) -> SocketPlace {
    SocketPlace(rawValue: clinux_socket_place(path, error)) ?? .unknown
  }

  private static func unixAddress(_ path: String) -> sockaddr_un? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return address
  }

  /// Whether somebody listens there, even if it accepts nobody at the moment (EAGAIN, connect(2)).
  private static func connects(_ address: sockaddr_un) -> Bool {
    let probe = clinux_socket(AF_UNIX)
    guard probe >= 0 else { return false }
    defer { close(probe) }
    var address = address
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(probe, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 || errno == EAGAIN
      }
    }
  }

  /// Puts the null device in place of a standard descriptor. The corresponding C functions are `open` and
  /// `dup2`.
  static func release(_ fd: Int32) {
    guard fd <= 2 else { return close(fd) }
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    if null >= 0 {
      _ = dup2(null, fd)
      close(null)
    }
  }

  /// Accepts, non-blocking. The corresponding C function is `accept4`.
  static func accept(_ fd: Int32) throws(SystemError) -> Int32 {
    var peer = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return try check("accept4", clinux_accept(fd, &peer, &length))
  }

  /// The user and the process at the other end of a unix socket when it connected; nil if the kernel does not
  /// say. The corresponding C function is `getsockopt` with SO_PEERCRED (unix(7)).
  static func peer(of fd: Int32) -> (user: Int, process: Int)? {
    var (user, process): (uid_t, pid_t) = (0, 0)
    guard clinux_peer(fd, &user, &process) == 0 else { return nil }
    return (Int(user), Int(process))
  }

  /// Opens the null device. The corresponding C function is `open`.
  static func openNull() throws(SystemError) -> Int32 {
    let low = try check("open", open("/dev/null", O_RDWR | O_CLOEXEC))
    defer { close(low) }
    return try duplicate(low)
  }
}
