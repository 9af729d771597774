import CLinux
import Control
import Glibc
import Host
import Posix

/// System calls of a replay: copies of builds, what is said to them, and what is known about them.
extension System {
  /// A pair of connected packet sockets, neither of which waits; the caller's. C function: `socketpair`.
  static func packetPair() throws(SystemError) -> (own: Int32, other: Int32) {
    try pair(clinux_packet_pair)
  }

  /// The same for streams.
  static func streamPair() throws(SystemError) -> (own: Int32, other: Int32) {
    try pair(clinux_stream_pair)
  }

  private static func pair(
    _ make: (UnsafeMutablePointer<Int32>) -> Int32
  ) throws(SystemError) -> (own: Int32, other: Int32) {
    var ends: [Int32] = [-1, -1]
    let result = ends.withUnsafeMutableBufferPointer { make($0.baseAddress!) }
    guard result == 0 else { throw SystemError("socketpair") }
    return (ends[0], ends[1])
  }

  /// A file in memory with these bytes; the caller's. The corresponding C function is `memfd_create`.
  static func memoryFile(_ name: String, _ bytes: [UInt8]) throws(SystemError) -> Int32 {
    let file = clinux_memory_file(name)
    guard file >= 0 else { throw SystemError("memfd_create") }
    do throws(SystemError) {
      try bytes.withUnsafeBufferPointer { buffer throws(SystemError) in
        try writeAll(file, UnsafeRawBufferPointer(buffer))
      }
      return file
    } catch {
      close(file)
      throw error
    }
  }

  /// Memory of a fixed size to share; the caller's. The corresponding C functions are `memfd_create` and
  /// `fcntl` with F_ADD_SEALS.
  static func sealedMemory(_ name: String, _ count: Int) throws(SystemError) -> Int32 {
    let file = clinux_sealed_memory(name, count)
    guard file >= 0 else { throw SystemError("memfd_create") }
    return file
  }

  /// Sends one packet, with a descriptor or -1. The corresponding C function is `sendmsg`.
  static func sendPacket(_ fd: Int32, _ bytes: [UInt8], descriptor: Int32 = -1) throws(SystemError) {
    if clinux_send_packet(fd, bytes, bytes.count, descriptor) < 0 { throw SystemError("sendmsg") }
  }

  /// The next packet; empty when the other end is gone. The corresponding C function is `recvmsg`.
  static func receivePacket(_ fd: Int32) throws(SystemError) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: Message.packetBytes)
    let count = clinux_receive_packet(fd, &buffer, buffer.count, nil)
    if count < 0 { throw SystemError("recvmsg") }
    return Array(buffer[..<count])
  }

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

  /// How a child ended; nil while it runs. The corresponding C function is `waitpid` with WNOHANG.
  static func ending(of pid: pid_t) -> Ending? {
    var status: Int32 = 0
    switch clinux_reap(pid, &status) {
    case 1: return Ending(status: status)
    case 0: return nil
    default: return .exited(-1)
    }
  }

  /// Sends a signal to a child that has not been waited for. The corresponding C function is `kill`.
  static func signal(_ pid: pid_t, _ number: Int32) { _ = Glibc.kill(pid, number) }

  /// Resident bytes of a process; 0 if they are not known.
  static func residentBytes(of pid: pid_t) -> Int {
    let file = Glibc.open("/proc/\(pid)/statm", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return 0 }
    defer { close(file) }
    let words = String(decoding: contents(file, most: 256), as: UTF8.self).split(separator: " ")
    return words.count > 1 ? (Int(words[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
  }
}
