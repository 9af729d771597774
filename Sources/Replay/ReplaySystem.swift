import CLinux
import Glibc
import Host
import Posix

/// System calls of a replay: those of a process that starts others, and what is said to copies of builds.
extension System: ParentSystem {
  /// Sends what the socket takes at once. The corresponding C function is `send`.
  static func sendSome(_ fd: Int32, _ bytes: ArraySlice<UInt8>) throws(SystemError) -> Int {
    let count = bytes.withUnsafeBytes { clinux_send(fd, $0.baseAddress, $0.count, 0) }
    if count < 0 { throw SystemError("send") }
    return count
  }

  /// Receives what is there, as far as there is room; 0 at the end. The corresponding C function is `read`.
  static func receiveSome(_ fd: Int32, _ room: inout [UInt8]) throws(SystemError) -> Int {
    let count = room.withUnsafeMutableBytes { Glibc.read(fd, $0.baseAddress, $0.count) }
    if count < 0 { throw SystemError("read") }
    return count
  }

  /// Waits until a descriptor can be read or written; false when the time is up. C function: `poll`.
  static func waitForEither(_ fd: Int32, writes: Bool, milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: fd, events: Int16(writes ? POLLIN | POLLOUT : POLLIN), revents: 0)
    return poll(&entry, 1, milliseconds) > 0
  }

  /// At most so many bytes of a file, from its beginning. The corresponding C function is `pread`.
  static func contents(_ file: Int32, most: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: most)
    var done = 0
    while done < most {
      let count = bytes.withUnsafeMutableBytes {
        pread(file, $0.baseAddress! + done, $0.count - done, off_t(done))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      done += count
    }
    return Array(bytes[..<done])
  }
}
