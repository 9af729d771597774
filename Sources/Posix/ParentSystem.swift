import CLinux
import Control
import Glibc

/// System calls of a process that starts others and speaks with them, such as a master or a replay: the
/// `System` of a module has them by conforming.
public protocol ParentSystem {}

extension ParentSystem {
  // MARK: Descriptors for a child

  /// A pair of connected packet sockets, neither of which waits; the caller's. C function: `socketpair`.
  public static func packetPair() throws(SystemError) -> (own: Int32, other: Int32) {
    try socketPair(clinux_packet_pair)
  }

  /// The same for streams.
  public static func streamPair() throws(SystemError) -> (own: Int32, other: Int32) {
    try socketPair(clinux_stream_pair)
  }

  private static func socketPair(
    _ make: (UnsafeMutablePointer<Int32>) -> Int32
  ) throws(SystemError) -> (own: Int32, other: Int32) {
    var ends: (Int32, Int32) = (-1, -1)
    let result = withUnsafeMutableBytes(of: &ends) {
      make($0.bindMemory(to: Int32.self).baseAddress!)
    }
    guard result == 0 else { throw SystemError("socketpair") }
    return (ends.0, ends.1)
  }

  /// A file in memory with these bytes; the caller's. The corresponding C function is `memfd_create`.
  public static func memoryFile(_ name: String, _ bytes: [UInt8] = []) throws(SystemError) -> Int32 {
    let fd = clinux_memory_file(name)
    guard fd >= 0 else { throw SystemError("memfd_create") }
    var done = 0
    while done < bytes.count {
      let count = bytes[done...].withUnsafeBytes { write(fd, $0.baseAddress, $0.count) }
      guard count > 0 else {
        let error = SystemError("write")
        close(fd)
        throw error
      }
      done += count
    }
    return fd
  }

  /// Memory for another process to write into; the caller's. Its size is sealed: truncating a file that is
  /// mapped here would end this process by SIGBUS. The corresponding C functions are `memfd_create` and
  /// `fcntl` with F_ADD_SEALS.
  public static func sealedMemory(_ name: String, _ count: Int) throws(SystemError) -> Int32 {
    let fd = clinux_sealed_memory(name, count)
    guard fd >= 0 else { throw SystemError("memfd_create") }
    return fd
  }

  // MARK: Packets

  /// Sends one packet, with a descriptor or -1. The corresponding C function is `sendmsg`.
  public static func sendPacket(
    _ fd: Int32, _ bytes: [UInt8], descriptor: Int32 = -1
  ) throws(SystemError) {
    if clinux_send_packet(fd, bytes, bytes.count, descriptor) < 0 { throw SystemError("sendmsg") }
  }

  /// The next packet; empty when the other end is gone. Nobody has descriptors to give to a parent: any that
  /// come along are closed. The corresponding C function is `recvmsg`.
  public static func receivePacket(_ fd: Int32) throws(SystemError) -> [UInt8] {
    try receive(fd, nil)
  }

  /// The next packet, and the descriptor that came along, or -1; the caller closes it. For what a process
  /// that gives its place up hands to the one after it. The corresponding C function is `recvmsg`.
  public static func receiveHanded(
    _ fd: Int32
  ) throws(SystemError) -> (bytes: [UInt8], descriptor: Int32) {
    var descriptor: Int32 = -1
    let bytes = try receive(fd, &descriptor)
    return (bytes, descriptor)
  }

  private static func receive(
    _ fd: Int32, _ descriptor: UnsafeMutablePointer<Int32>?
  ) throws(SystemError) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: Message.packetBytes)
    let count = clinux_receive_packet(fd, &buffer, buffer.count, descriptor)
    if count < 0 { throw SystemError("recvmsg") }
    return Array(buffer[..<count])
  }

  // MARK: Processes

  /// How a child ended; nil while it runs. The corresponding C function is `waitpid` with WNOHANG.
  public static func ending(of pid: pid_t) -> Ending? {
    var status: Int32 = 0
    switch clinux_reap(pid, &status) {
    case 1: return Ending(status: status)
    case 0: return nil
    default: return .exited(-1)
    }
  }

  /// Sends a signal to a child that has not been reaped yet. The corresponding C function is `kill`.
  public static func signal(_ pid: pid_t, _ number: Int32) { _ = kill(pid, number) }

  /// Bytes of a process's address space, and those that are resident; 0 when they cannot be read. The file is
  /// /proc/PID/statm.
  public static func memory(of pid: pid_t) -> (virtual: Int, resident: Int) {
    let fd = open("/proc/\(pid)/statm", O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { return (0, 0) }
    defer { close(fd) }
    var buffer = [UInt8](repeating: 0, count: 128)
    let count = read(fd, &buffer, buffer.count)
    let pages = String(decoding: buffer[..<max(0, count)], as: UTF8.self).split(separator: " ")
      .map { (Int($0) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) }
    return pages.count > 1 ? (pages[0], pages[1]) : (0, 0)
  }
}
