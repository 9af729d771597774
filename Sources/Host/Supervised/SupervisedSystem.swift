import CLinux
import Control
import Glibc

/// System calls of a process that a master started: the packet socket to it, and shared memory.
extension System {
  /// Sends one packet, with a descriptor or -1. The corresponding C function is `sendmsg`.
  static func sendPacket(_ fd: Int32, _ bytes: [UInt8], descriptor: Int32 = -1) throws(SystemError) {
    let count = clinux_send_packet(fd, bytes, bytes.count, descriptor)
    if count < 0 { throw SystemError("sendmsg") }
  }

  /// Receives one packet and the descriptor that came along, or -1. The corresponding C function is
  /// `recvmsg`.
  static func receivePacket(_ fd: Int32) throws(SystemError) -> (bytes: [UInt8], descriptor: Int32) {
    var descriptor: Int32 = -1
    var buffer = [UInt8](repeating: 0, count: Message.packetBytes)
    let count = clinux_receive_packet(fd, &buffer, buffer.count, &descriptor)
    if count < 0 { throw SystemError("recvmsg") }
    return (Array(buffer[..<count]), descriptor)
  }

  /// Everything in a file, from its beginning. The corresponding C function is `pread`.
  static func contents(_ fd: Int32) throws(SystemError) -> [UInt8] {
    let size = Int(try fileSize(fd))
    guard size > 0 else { return [] }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
    defer { buffer.deallocate() }
    var done = 0
    while done < size {
      let part = try read(fd, buffer.baseAddress! + done, size - done, at: Int64(done))
      if part == 0 { break }
      done += part
    }
    return Array(UnsafeRawBufferPointer(rebasing: buffer[..<done]))
  }

  /// Maps memory that another process reads too. The corresponding C function is `mmap` with MAP_SHARED.
  static func mapShared(_ fd: Int32, _ count: Int) throws(SystemError) -> UnsafeMutableRawPointer {
    let address = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
    guard let address, address != MAP_FAILED else { throw SystemError("mmap") }
    return address
  }

  /// Makes a thread write its backtrace to standard error. The corresponding C function is `pthread_kill`.
  static func trace(_ thread: pthread_t) { clinux_trace(thread) }

  /// The corresponding C function is `fcntl` with F_SETFL.
  static func setBlocking(_ fd: Int32) throws(SystemError) {
    guard fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0 else { throw SystemError("fcntl") }
  }

  /// Puts a copy of a descriptor in the place of another. The corresponding C function is `dup2`.
  static func replace(_ fd: Int32, by other: Int32) throws(SystemError) {
    guard dup2(other, fd) >= 0 else { throw SystemError("dup2") }
  }

  /// The parent's death brings SIGTERM. The corresponding C function is `prctl`.
  static func endWithParent() { _ = clinux_death_signal(SIGTERM) }

  /// Raises or lowers the bound of open descriptors. The corresponding C function is `setrlimit`.
  static func limitDescriptors(_ count: Int) throws(SystemError) {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
      throw SystemError("getrlimit")
    }
    limit.rlim_cur = rlim_t(count)
    if limit.rlim_max < limit.rlim_cur { limit.rlim_max = limit.rlim_cur }
    guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
      throw SystemError("setrlimit")
    }
  }

  /// Binds this process to processors of its own. The corresponding C function is `sched_setaffinity`.
  static func bindProcessors(place: Int, count: Int) throws(SystemError) {
    guard clinux_bind_processor(UInt32(place), UInt32(count)) == 0 else {
      throw SystemError("sched_setaffinity")
    }
  }

  /// Resident bytes of this process; 0 if /proc does not say.
  static func residentBytes() -> Int64 {
    guard let fd = try? openForReading("/proc/self/statm") else { return 0 }
    defer { close(fd) }
    var buffer = [UInt8](repeating: 0, count: 128)
    guard let count = try? read(fd, &buffer, buffer.count) else { return 0 }
    let words = buffer[..<count].split(separator: UInt8(ascii: " "))
    guard words.count > 1, let pages = Int64(String(decoding: words[1], as: UTF8.self)) else { return 0 }
    return pages * Int64(sysconf(Int32(_SC_PAGESIZE)))
  }
}
