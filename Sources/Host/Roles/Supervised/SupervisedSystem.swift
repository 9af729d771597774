import CLinux
import Control
import Glibc
import Posix

/// System calls of a process started by a master: the packet socket to it, and shared memory.
extension System {
  /// Sends one packet, with a descriptor or -1. The corresponding C function is `sendmsg`.
  static func sendPacket(_ fd: Int32, _ bytes: [UInt8], descriptor: Int32 = -1) throws(SystemError) {
    let count = clinux_send_packet(fd, bytes, bytes.count, descriptor)
    if count < 0 { throw SystemError("sendmsg") }
  }

  /// Receives a packet and the descriptor that came along, or -1. The corresponding C function is `recvmsg`.
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

  /// Has a thread write its backtrace to standard error. The corresponding C function is `pthread_kill`.
  static func trace(_ thread: pthread_t) { clinux_trace(thread) }

  /// The corresponding C function is `fcntl` with F_SETFL.
  static func setBlocking(_ fd: Int32) throws(SystemError) {
    guard fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0 else { throw SystemError("fcntl") }
  }

  /// Puts a copy of a descriptor in place of another. The corresponding C function is `dup2`.
  static func replace(_ fd: Int32, by other: Int32) throws(SystemError) {
    guard dup2(other, fd) >= 0 else { throw SystemError("dup2") }
    LogSink.shared.renew()
  }

  /// Has the parent's death send SIGTERM. The corresponding C function is `prctl`.
  static func endWithParent() { _ = clinux_death_signal(SIGTERM) }

  /// Has the parent's death send nothing. The corresponding C function is `prctl`.
  static func outliveParent() { _ = clinux_death_signal(0) }

  /// Signals all processes of a group; false when there are none. The corresponding C function is `kill`.
  static func signalGroup(_ leader: Int32, _ number: Int32) -> Bool { kill(-leader, number) == 0 }

  /// The corresponding C function is `signal` with SIG_IGN.
  static func ignoreSignals(_ numbers: [Int32]) { for number in numbers { Glibc.signal(number, SIG_IGN) } }

  /// Waits until there is input, or the other end is gone. The corresponding C function is `poll`.
  static func waitForInput(_ fd: Int32) {
    var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
    _ = poll(&entry, 1, -1)
  }

  /// Waits until something can be sent. The corresponding C function is `poll`.
  static func waitForRoom(_ fd: Int32, milliseconds: Int32) {
    var entry = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
    _ = poll(&entry, 1, milliseconds)
  }

  /// The corresponding C function is `usleep`.
  static func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }

  /// Sets NAME=VALUE in the environment. The corresponding C function is `setenv`.
  static func setVariable(_ line: String) {
    guard let equals = line.firstIndex(of: "=") else { return }
    setenv(String(line[..<equals]), String(line[line.index(after: equals)...]), 1)
  }

  /// The result of `body` in a copy of this process, which ends with it; empty if no copy can be made. Call
  /// it before any other thread is started. The corresponding C functions are `pipe`, `fork` and `waitpid`.
  static func answerOfCopy(_ body: () -> [UInt8]) -> [UInt8] {
    guard let ends = try? makePipe() else { return [] }
    let copy = clinux_fork()
    if copy == 0 {
      body().withUnsafeBytes { try? writeAll(ends.writing, $0) }
      _exit(0)
    }
    close(ends.writing)
    defer { close(ends.reading) }
    guard copy > 0 else { return [] }
    var (bytes, piece) = ([UInt8](), [UInt8](repeating: 0, count: 4096))
    while let count = try? read(ends.reading, &piece, piece.count), count > 0 { bytes += piece[..<count] }
    waitpid(copy, nil, 0)
    return bytes
  }

  /// Puts a memory file with these bytes in place of a descriptor; a program that this process becomes keeps
  /// it. The corresponding C functions are `memfd_create`, `write` and `dup2`.
  static func hand(_ bytes: [UInt8], at place: Int32) throws(SystemError) {
    let file = Int32(try retrying("memfd_create") { Int(clinux_memory_file("words")) })
    defer { if file != place { close(file) } }
    try writeAll(file, bytes)
    guard file == place || dup2(file, place) >= 0 else { throw SystemError("dup2") }
    inheritOnExec(place)
  }

  /// Becomes another program; returns only if that fails. The corresponding C function is `execv`.
  static func become(_ program: String, _ arguments: [String]) -> SystemError {
    let words = arguments.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    _ = execv(program, words)
    return SystemError("execv")
  }

  /// Raises or lowers the bound of open descriptors, as far as the process may; returns the bound in force.
  /// The corresponding C function is `setrlimit`.
  static func limitDescriptors(_ count: Int) throws(SystemError) -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
      throw SystemError("getrlimit")
    }
    let hard = limit.rlim_max
    limit.rlim_cur = rlim_t(count)
    if limit.rlim_max < limit.rlim_cur { limit.rlim_max = limit.rlim_cur }
    if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 { return count }
    limit.rlim_cur = min(rlim_t(count), hard)
    limit.rlim_max = hard
    guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
      throw SystemError("setrlimit")
    }
    return Int(limit.rlim_cur)
  }

  /// Binds this process to processors of its own. The corresponding C function is `sched_setaffinity`.
  static func bindProcessors(place: Int, count: Int) throws(SystemError) {
    guard clinux_bind_processor(UInt32(place), UInt32(count)) == 0 else {
      throw SystemError("sched_setaffinity")
    }
  }

  /// Bounds the address space of this process. The corresponding C function is `setrlimit`.
  static func limitAddressSpace(_ bytes: Int64) throws(SystemError) {
    var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
    guard setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0 else {
      throw SystemError("setrlimit")
    }
  }

  /// Bytes of this process that no other shares; 0 if /proc/self/smaps_rollup does not tell.
  static func ownBytes() -> Int64 {
    guard let fd = try? openForReading("/proc/self/smaps_rollup") else { return 0 }
    defer { close(fd) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    guard let count = try? read(fd, &buffer, buffer.count) else { return 0 }
    let lines = buffer[..<count].split(separator: UInt8(ascii: "\n"))
    return lines.reduce(0) { sum, line in
      let words = String(decoding: line, as: UTF8.self).split(separator: " ")
      guard words.count > 1, words[0].hasPrefix("Private_") else { return sum }
      return sum + (Int64(words[1]) ?? 0) << 10
    }
  }

  /// A duplicate of a descriptor. The corresponding C function is `fcntl` with F_DUPFD_CLOEXEC.
  static func duplicate(_ fd: Int32) throws(SystemError) -> Int32 {
    own(Int32(try retrying("fcntl") { Int(clinux_duplicate(fd, 3)) }))
  }
}
