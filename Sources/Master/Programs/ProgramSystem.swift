import Glibc

/// System calls of the master for programs of the operator's.
extension System {
  /// The process that a file names, if it runs. The corresponding C functions are `open`, `read` and `kill`.
  static func living(_ pidFile: String) -> pid_t? {
    let fd = open(pidFile, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    var buffer = [UInt8](repeating: 0, count: 32)
    let count = read(fd, &buffer, buffer.count)
    let text = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    guard let pid = pid_t(text.prefix { $0.isNumber }), pid > 1, isThere(pid) else { return nil }
    return pid
  }

  /// Whether a process runs. The corresponding C function is `kill` with 0.
  static func isThere(_ pid: pid_t) -> Bool { kill(pid, 0) == 0 || errno == EPERM }

  /// The minute that it is, in the machine's time zone; months from 1, Sunday is 0. The corresponding C
  /// function is `localtime_r`.
  static func minute() -> (minute: Int, hour: Int, day: Int, month: Int, weekday: Int) {
    var (now, parts) = (time(nil), tm())
    localtime_r(&now, &parts)
    return (
      Int(parts.tm_min), Int(parts.tm_hour), Int(parts.tm_mday), Int(parts.tm_mon) + 1, Int(parts.tm_wday)
    )
  }
}
