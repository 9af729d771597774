import CLinux
import Glibc

/// System calls for users and groups: which there are, which this process has, and changing to others.
extension System {
  /// The corresponding C function is `geteuid`.
  static var effectiveUser: UInt32 { geteuid() }

  /// The corresponding C function is `getpwnam`.
  static func account(named name: String) -> Account? { getpwnam(name).map { account($0.pointee) } }

  /// The corresponding C function is `getpwuid`.
  static func account(of user: UInt32) -> Account? { getpwuid(user).map { account($0.pointee) } }

  private static func account(_ entry: passwd) -> Account {
    Account(
      name: String(cString: entry.pw_name), user: entry.pw_uid, group: entry.pw_gid,
      home: entry.pw_dir.map { String(cString: $0) } ?? "/")
  }

  /// The corresponding C function is `getgrnam`.
  static func group(named name: String) -> UInt32? { getgrnam(name).map(\.pointee.gr_gid) }

  /// The groups of a user, `group` among them. The corresponding C function is `getgrouplist`.
  static func groups(of name: String, with group: UInt32) -> Set<UInt32> {
    var count: Int32 = 64
    while true {
      var list = [gid_t](repeating: 0, count: Int(count))
      let room = count
      if getgrouplist(name, group, &list, &count) >= 0 { return Set(list[..<Int(count)]) }
      // It has reported how many there are.
      if count <= room { return [group] }
    }
  }

  /// Real, effective and saved user, the same of the group, and the supplementary groups. The corresponding C
  /// functions are `getresuid`, `getresgid` and `getgroups`.
  static func identity() -> (users: [UInt32], groups: [UInt32], supplementary: Set<UInt32>)? {
    var ids = [UInt32](repeating: 0, count: 6)
    guard clinux_identity(&ids) == 0 else { return nil }
    let count = getgroups(0, nil)
    var list = [gid_t](repeating: 0, count: Int(max(count, 0)))
    guard count >= 0, getgroups(count, &list) == count else { return nil }
    return (Array(ids[..<3]), Array(ids[3...]), Set(list))
  }

  /// The corresponding C function is `setgroups`.
  static func setGroups(_ groups: Set<UInt32>) throws(SystemError) {
    let list = groups.sorted()
    guard setgroups(list.count, list) == 0 else { throw SystemError("setgroups") }
  }

  /// The corresponding C function is `setresgid`.
  static func setGroup(_ group: UInt32) throws(SystemError) {
    guard clinux_set_group(group) == 0 else { throw SystemError("setresgid") }
  }

  /// The corresponding C function is `setresuid`.
  static func setUser(_ user: UInt32) throws(SystemError) {
    guard clinux_set_user(user) == 0 else { throw SystemError("setresuid") }
  }

  /// Whether `setGroups` and those after it can succeed. The corresponding call is `capget`.
  static var mayChangeUser: Bool { clinux_may_change_user() != 0 }

  /// The corresponding call is `capset`.
  static func dropCapabilities() throws(SystemError) {
    guard clinux_drop_capabilities() == 0 else { throw SystemError("capset") }
  }

  /// Tries something that must fail in a process that has given up root. The corresponding C function is
  /// `setuid`.
  static var canBecomeRoot: Bool { setuid(0) == 0 }

  /// Prevents processes of the same user from tracing this one or reading its memory. The corresponding C
  /// function is `prctl` with PR_SET_DUMPABLE.
  static func closeToUsers() { _ = clinux_close_to_users() }

  /// Denies programs that this process starts any rights that it does not have (set-user-ID, file
  /// capabilities). Verified. The corresponding C function is `prctl` with PR_SET_NO_NEW_PRIVS.
  package static func forbidPrivileges() throws(SystemError) {
    guard clinux_forbid_privileges() == 0, clinux_forbids_privileges() == 1 else {
      throw SystemError("prctl")
    }
  }

  /// nil removes the variable. The corresponding C functions are `setenv` and `unsetenv`.
  static func setEnvironment(_ name: String, _ value: String?) {
    if let value { setenv(name, value, 1) } else { unsetenv(name) }
  }

  /// The owner of a directory; nil for anything else, including a link. C function: `lstat`.
  static func owner(of directory: String) -> UInt32? {
    var status = stat()
    guard lstat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
    return status.st_uid
  }

  /// The user at the other end of a unix socket. The corresponding C function is `getsockopt` with
  /// SO_PEERCRED.
  static func peerUser(_ fd: Int32) throws(SystemError) -> UInt32 {
    var (user, process): (uid_t, pid_t) = (0, 0)
    guard clinux_peer(fd, &user, &process) == 0 else { throw SystemError("getsockopt") }
    return user
  }
}
