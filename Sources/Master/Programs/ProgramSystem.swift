import CLinux
import Glibc

/// The process that the number in a file refers to.
enum NamedProcess {
  /// No process that could be meant is running.
  case nobody
  /// It runs; the receiver owns the descriptor.
  case process(pid_t, descriptor: Int32)
  /// It refers to a process that is not for the server to watch; why.
  case refused(String)
}

/// System calls of the master for the operator's programs.
extension System {
  /// The process that a file names, if it runs as this user. Anyone who may write the file could make a
  /// master that is root signal the process it names: so the process is checked once a descriptor holds it,
  /// while its number cannot change. The corresponding C functions are `openat`, `read`, `pidfd_open` and
  /// `pidfd_send_signal`.
  static func process(namedBy pidFile: String, of user: uid_t) -> NamedProcess {
    var text = ""
    do throws(SystemError) {
      guard let found = try trustedText(of: pidFile, user) else {
        return .refused("it is no file that only user \(user) or root can have written")
      }
      text = found
    } catch { return error.code == ENOENT ? .nobody : .refused(guardedReason(error)) }
    guard let pid = pid_t(text.prefix { $0.isNumber }), pid > 0 else { return .nobody }
    if pid == 1 || pid == ownPID { return .refused("process \(pid) is \(pid == 1 ? "init" : "the server")") }
    let descriptor = clinux_pidfd(pid)
    guard descriptor >= 0 else { return .nobody }
    if belongs(pid, descriptor, to: user) { return .process(pid, descriptor: descriptor) }
    defer { close(descriptor) }
    let isThere = clinux_pidfd_signal(descriptor, 0) == 0 || errno == EPERM
    return isThere ? .refused("process \(pid) does not run as user \(user), as programs do") : .nobody
  }

  /// Whether the process that a descriptor holds runs as this user, and as no other user.
  static func belongs(_ pid: pid_t, _ descriptor: Int32, to user: uid_t) -> Bool {
    guard let users = users(of: pid), clinux_pidfd_signal(descriptor, 0) == 0 || errno == EPERM else {
      return false
    }
    return users.allSatisfy { $0 == user }
  }

  /// Sends a signal to the process that a descriptor holds. The corresponding call is `pidfd_send_signal`.
  static func signal(held descriptor: Int32, _ number: Int32) { _ = clinux_pidfd_signal(descriptor, number) }

  /// Real, effective, saved and file-system user of a process; nil if there is none. The corresponding C
  /// function is `fopen`, of /proc/PID/status.
  private static func users(of pid: pid_t) -> [uid_t]? {
    guard let file = fopen("/proc/\(pid)/status", "re") else { return nil }
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = fread(&buffer, 1, buffer.count, file)
    for line in String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n") {
      guard line.hasPrefix("Uid:") else { continue }
      let users = line.dropFirst(4).split(separator: "\t").compactMap { uid_t($0) }
      return users.count == 4 ? users : nil
    }
    return nil
  }

  /// The beginning of a file that belongs to root, the master's user or the given user; nil for any other. If
  /// programs run as root, nobody else may be able to write it.
  private static func trustedText(of path: String, _ user: uid_t) throws(SystemError) -> String? {
    var name = [CChar](repeating: 0, count: Int(NAME_MAX) + 1)
    let directory = try check("open", clinux_open_parent(path, &name))
    defer { close(directory) }
    var status = stat()
    // Opening a device would have an effect on it.
    _ = try check("fstatat", fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW))
    guard status.st_mode & S_IFMT == S_IFREG else { return nil }
    let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
    let fd = try check("openat", openat(directory, name, flags))
    defer { close(fd) }
    _ = try check("fstat", fstat(fd, &status))
    let isWritable = user == 0 && status.st_mode & (S_IWGRP | S_IWOTH) != 0
    guard status.st_mode & S_IFMT == S_IFREG, !isWritable,
      status.st_uid == user || clinux_trusts_owner(status.st_uid) != 0
    else { return nil }
    var buffer = [UInt8](repeating: 0, count: 32)
    let count = read(fd, &buffer, buffer.count)
    return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
  }

  /// The number of the minute that contains a time, by the machine's time zone (`Minute`). The corresponding
  /// C function is `localtime_r`.
  static func minute(of seconds: Int64) -> Int64 {
    var (now, parts) = (time_t(seconds), tm())
    localtime_r(&now, &parts)
    return (seconds + Int64(parts.tm_gmtoff)) / 60
  }

  /// The calendar's names for such a minute. The corresponding C function is `gmtime_r`: the time zone is in
  /// the number already.
  static func calendar(minute number: Int64) -> Minute {
    var (seconds, parts) = (time_t(number * 60), tm())
    gmtime_r(&seconds, &parts)
    return Minute(
      minute: Int(parts.tm_min), hour: Int(parts.tm_hour), day: Int(parts.tm_mday),
      month: Int(parts.tm_mon) + 1, weekday: Int(parts.tm_wday))
  }
}
