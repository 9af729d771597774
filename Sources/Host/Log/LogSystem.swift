import Glibc

/// System calls for the values of a line of the request log.
extension System {
  /// Microseconds since 1970. The corresponding C function is `clock_gettime` with CLOCK_REALTIME.
  static func microseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
  }

  /// Opens a log for appending and closes it again. The corresponding C function is `open`.
  static func tryLog(_ path: String) throws(SystemError) {
    close(try openGuarded(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK, 0o640))
  }

  /// Bytes of this process's address space, and those that are resident; 0 if /proc does not tell.
  static func memory() -> (virtual: Int64, resident: Int64) {
    guard let fd = try? openForReading("/proc/self/statm") else { return (0, 0) }
    defer { close(fd) }
    var buffer = [UInt8](repeating: 0, count: 128)
    guard let count = try? read(fd, &buffer, buffer.count) else { return (0, 0) }
    let pages = buffer[..<count].split(separator: UInt8(ascii: " ")).map {
      (Int64(String(decoding: $0, as: UTF8.self)) ?? 0) * Int64(sysconf(Int32(_SC_PAGESIZE)))
    }
    return pages.count > 1 ? (pages[0], pages[1]) : (0, 0)
  }
}
