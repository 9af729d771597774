import CLinux
import Glibc

/// What the number in a file leads to.
enum NamedProcess {
  /// No process runs that could be meant.
  case nobody
  /// It runs; the descriptor is the taker's.
  case process(pid_t, descriptor: Int32)
  /// What it leads to is none of the server's business; why.
  case refused(String)
}

/// System calls of the master for programs of the operator's.
extension System {
  /// The process that a file names, if it runs as this user. Whoever may write the file has root's master
  /// signal what it names: so who that process is is asked once a descriptor holds it, and it keeps its
  /// number. The corresponding C functions are `openat`, `read`, `pidfd_open` and `pidfd_send_signal`.
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

  /// Whether the process that a descriptor holds runs as this user, and as nobody else besides.
  static func belongs(_ pid: pid_t, _ descriptor: Int32, to user: uid_t) -> Bool {
    guard let users = users(of: pid), clinux_pidfd_signal(descriptor, 0) == 0 || errno == EPERM else {
      return false
    }
    return users.allSatisfy { $0 == user }
  }

  /// Sends a signal to the process that a descriptor holds. The corresponding call is `pidfd_send_signal`.
  static func signal(held descriptor: Int32, _ number: Int32) { _ = clinux_pidfd_signal(descriptor, number) }

  /// Real, effective, saved and file system's user of a process; nil if there is none. The corresponding C
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

  /// The beginning of a file that is root's, the master's or the user's; nil for any other. Where programs
  /// are root's, nobody else may be able to write it.
  private static func trustedText(of path: String, _ user: uid_t) throws(SystemError) -> String? {
    var name = [CChar](repeating: 0, count: Int(NAME_MAX) + 1)
    let directory = try check("open", clinux_open_parent(path, &name))
    defer { close(directory) }
    var status = stat()
    // A device would be told of being opened.
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

  /// The minute that a time is in, in the machine's time zone. The corresponding C function is `localtime_r`.
  static func minute(of seconds: Int64) -> Minute {
    var (now, parts) = (time_t(seconds), tm())
    localtime_r(&now, &parts)
    return Minute(
      number: seconds / 60, minute: Int(parts.tm_min), hour: Int(parts.tm_hour), day: Int(parts.tm_mday),
      month: Int(parts.tm_mon) + 1, weekday: Int(parts.tm_wday))
  }
}
