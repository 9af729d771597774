import CLinux
import Glibc

/// System calls about connected sockets.
extension System {
  /// Bytes that the socket has taken and its peer has not; 0 if that is not known. The corresponding C
  /// function is `ioctl` with SIOCOUTQ.
  static func unsentBytes(_ fd: Int32) -> Int64 { Int64(max(0, clinux_unsent(fd))) }
}
