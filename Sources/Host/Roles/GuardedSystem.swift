import CLinux
import Control
import Glibc

/// A place to look up a name: the directory (O_PATH) and the name in it. Whatever happens to the path
/// afterwards, the directory stays the one that was found.
struct GuardedName: ~Copyable {
  let directory: Int32
  let name: String

  deinit { System.close(directory) }
}

/// System calls on names that other users may be able to change: the last name, and each link on the way, is
/// checked before it is trusted.
extension System {
  /// Opens a file, but no link and no file that another user could have put there: ELOOP, EPERM.
  /// `clinux_open_guarded` says when; the corresponding C function is `openat`.
  static func openGuarded(_ path: String, _ flags: Int32, _ mode: mode_t) throws(SystemError) -> Int32 {
    Int32(try retrying("open") { Int(clinux_open_guarded(path, flags | O_CLOEXEC, mode)) })
  }

  /// Finds the directory of a path's last name, by links of trustworthy owners only.
  static func guardedName(_ path: String) throws(SystemError) -> GuardedName {
    var name = [CChar](repeating: 0, count: Int(NAME_MAX) + 1)
    let directory = Int32(try retrying("open") { Int(clinux_open_parent(path, &name)) })
    let text = name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    return GuardedName(directory: directory, name: text)
  }

  /// Replaces a small file: those who read it meanwhile find either the old text or the new one.
  /// `clinux_write_guarded` says how; the corresponding C functions are `write` and `renameat`.
  static func writeFile(_ path: String, _ text: String) throws(SystemError) {
    _ = try retrying("open") { Int(clinux_write_guarded(path, text, 0o644)) }
  }

  /// Removes a file's name, not what a link leads to. The corresponding C function is `unlinkat`.
  static func unlinkGuarded(_ path: String) throws(SystemError) {
    let found = try guardedName(path)
    _ = try retrying("unlinkat") { Int(unlinkat(found.directory, found.name, 0)) }
  }

  /// Removes a name if it is a socket's. The corresponding C functions are `fstatat` and `unlinkat`.
  static func unlinkSocket(_ path: String) throws(SystemError) {
    let found = try guardedName(path)
    var status = stat()
    _ = try retrying("fstatat") { Int(fstatat(found.directory, found.name, &status, AT_SYMLINK_NOFOLLOW)) }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw SystemError("unlinkat", EEXIST) }
    _ = try retrying("unlinkat") { Int(unlinkat(found.directory, found.name, 0)) }
  }

  /// Opens (O_PATH) the socket file that this process has just made, and nothing that has taken its place.
  static func openSocketFile(_ path: String) throws(SystemError) -> Int32 {
    let found = try guardedName(path)
    let fd = Int32(try retrying("openat") { Int(clinux_open_name(found.directory, found.name)) })
    // A hard link to another of our sockets has a count of two.
    if let status = try? status(fd), status.st_mode & S_IFMT == S_IFSOCK, status.st_nlink == 1,
      status.st_uid == effectiveUser
    {
      return fd
    }
    close(fd)
    throw SystemError("openat", EEXIST)
  }

  /// Gives a file to a user and group (the highest number: unchanged). The corresponding C function is
  /// `fchownat`.
  static func give(_ fd: Int32, _ user: uid_t, _ group: gid_t) throws(SystemError) {
    _ = try retrying("fchownat") { Int(clinux_give(fd, user, group)) }
  }

  /// Whether nobody but root, this user and `other` can change what a directory's path leads to, links
  /// resolved; with `isAlone`, nobody else can create a name in it either. The corresponding C functions are
  /// `realpath` and `lstat`.
  static func isStable(_ directory: String, besides other: UInt32? = nil, isAlone: Bool = false) -> Bool {
    var isShared = true
    let holds = everyDirectory(to: directory) { status in
      isShared = status.st_mode & 0o022 != 0
      let isOurs = clinux_trusts_owner(status.st_uid) != 0 || status.st_uid == other
      return isOurs && (!isShared || status.st_mode & S_ISVTX != 0)
    }
    return holds && !(isAlone && isShared)
  }

  /// Whether nobody but root and this user can put a file into a directory, or create a directory that does
  /// not exist. A path relative to the working directory counts as unguarded.
  static func isGuarded(_ directory: String) -> Bool {
    guard directory.hasPrefix("/") else { return false }
    var place = directory
    while place != "/", !exists(place) {
      let above = Paths.directory(of: place)
      place = above.isEmpty ? "/" : above
    }
    return isStable(place, isAlone: true)
  }

  /// Whether a user may pass through a directory and all those above it, by their modes.
  static func isReachable(_ directory: String, by user: UInt32, _ groups: Set<UInt32>) -> Bool {
    everyDirectory(to: directory) { status in
      if user == 0 { return true }
      if status.st_uid == user { return status.st_mode & 0o100 != 0 }
      return status.st_mode & (groups.contains(status.st_gid) ? 0o010 : 0o001) != 0
    }
  }

  private static func everyDirectory(to directory: String, _ holds: (stat) -> Bool) -> Bool {
    guard let resolved = realpath(directory, nil) else { return false }
    defer { free(resolved) }
    let names = Paths.components(of: String(cString: resolved))
    return (0...names.count).allSatisfy { depth in
      var status = stat()
      let path = "/" + names[..<depth].joined(separator: "/")
      return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && holds(status)
    }
  }

  /// Starts the process that removes files when this one, which gives up its rights, has ended: a descriptor
  /// for `finishRemover`. The corresponding C function is `fork`.
  static func startRemover(_ paths: [String]) throws(SystemError) -> Int32 {
    var directories: [Int32] = []
    var names: [UnsafePointer<CChar>?] = []
    defer {
      for fd in directories { close(fd) }
      for name in names { free(UnsafeMutablePointer(mutating: name)) }
    }
    for path in paths {
      let found = try guardedName(path)
      directories.append(dup(found.directory))
      names.append(UnsafePointer(strdup(found.name)))
    }
    return own(
      Int32(try retrying("fork") { Int(clinux_start_remover(directories, &names, Int32(paths.count))) }))
  }

  /// Has the files removed.
  static func finishRemover(_ link: Int32) {
    clinux_disown(link)
    clinux_finish_remover(link)
  }

  /// What an error of the guarded calls means, for the operator.
  static func guardedReason(_ error: SystemError) -> String {
    String(cString: clinux_guarded_reason(error.code))
  }
}
