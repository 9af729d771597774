import CLinux
import Glibc

/// System calls about connected sockets.
extension System {
  /// Bytes that the socket has taken and its peer has not; 0 where that is not known. The corresponding C
  /// function is `ioctl` with SIOCOUTQ.
  static func unsentBytes(_ fd: Int32) -> Int64 { Int64(max(0, clinux_unsent(fd))) }

  /// The close of the socket will be a reset, and what was not taken is dropped. The corresponding C function
  /// is `setsockopt` with SO_LINGER.
  static func resetOnClose(_ fd: Int32) {
    var option = linger(l_onoff: 1, l_linger: 0)
    _ = setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }
}
