import CLinux
import Glibc

/// System calls of a process's setup: who it is, where it is, and what it tells its launcher.
extension System {
  /// The corresponding C function is `umask`.
  static func setUmask(_ mask: UInt32) { _ = umask(mode_t(mask)) }

  /// The corresponding C function is `chdir`.
  static func changeDirectory(_ path: String) throws(SystemError) {
    _ = try retrying("chdir") { Int(chdir(path)) }
  }

  /// Writes a small file anew. The corresponding C functions are `open` and `write`.
  static func writeFile(_ path: String, _ text: String) throws(SystemError) {
    let fd = Int32(try retrying("open") { Int(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)) })
    defer { close(fd) }
    let bytes = Array(text.utf8)
    try bytes.withUnsafeBufferPointer { buffer throws(SystemError) in
      try writeAll(fd, UnsafeRawBufferPointer(buffer))
    }
  }

  /// Gives up root for a user and group; a user alone brings its own groups. The corresponding C
  /// functions are `setgid`, `initgroups`, `setuid`.
  static func become(user: uid_t?, group: gid_t?) throws(SystemError) {
    let entry = user.flatMap { getpwuid($0) }
    let primary = group ?? entry?.pointee.pw_gid
    if let primary { _ = try retrying("setgid") { Int(setgid(primary)) } }
    if let entry, let primary {
      _ = try retrying("initgroups") { Int(initgroups(entry.pointee.pw_name, primary)) }
    }
    if let user { _ = try retrying("setuid") { Int(setuid(user)) } }
  }

  /// Sends one datagram to a unix socket. The corresponding C function is `sendto`.
  static func sendDatagram(_ text: String, to address: SocketAddress) throws(SystemError) {
    let fd = Int32(try retrying("socket") { Int(clinux_datagram_socket()) })
    defer { close(fd) }
    let bytes = Array(text.utf8)
    try address.withPointer { pointer, length throws(SystemError) in
      _ = try retrying("sendto") { sendto(fd, bytes, bytes.count, Int32(MSG_NOSIGNAL), pointer, length) }
    }
  }

  /// A user by name or number. The corresponding C function is `getpwnam`.
  static func user(_ name: String) throws(SystemError) -> uid_t {
    if let number = uid_t(name) { return number }
    guard let entry = getpwnam(name) else { throw SystemError("getpwnam", ENOENT) }
    return entry.pointee.pw_uid
  }

  /// A group by name or number. The corresponding C function is `getgrnam`.
  static func group(_ name: String) throws(SystemError) -> gid_t {
    if let number = gid_t(name) { return number }
    guard let entry = getgrnam(name) else { throw SystemError("getgrnam", ENOENT) }
    return entry.pointee.gr_gid
  }
}
