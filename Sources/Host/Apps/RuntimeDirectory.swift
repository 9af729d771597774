import Control
import Glibc

/// The server's own directory: private copies of builds and the control socket. Nobody but its owner can
/// write in it; a master's workers of another user may read the copies through their group. It has a fresh
/// name for each process and is removed when the server ends. A crash leaves it behind, so that the addresses
/// of a backtrace still have a file; a later server removes it after a day.
package final class RuntimeDirectory {
  /// Absolute path.
  package let path: String
  /// The directory itself; holds the lock that says "in use".
  private(set) var descriptor: Int32
  private let parent: Int32
  private let group: UInt32?
  private var copies = 0
  private var isRemoved = false

  private static let keptAfterCrashSeconds = 24 * 60 * 60
  /// The service's directory (systemd: RuntimeDirectory=nsgi-server).
  static let service = "/run/nsgi-server"
  private static let fallback = "/tmp"

  private init(in parent: String, for identity: Identity?) throws(SystemError) {
    self.parent = System.own(try System.openDirectory(parent))
    path = try System.makeUniqueDirectory("\(parent)/nsgi-\(getpid())-XXXXXX")
    group = identity?.group
    descriptor = -1
    descriptor = try take()
  }

  private func take() throws(SystemError) -> Int32 {
    // A copy of the process that an app makes must not say "in use" after this one has ended.
    let fd = System.own(try System.openOwnDirectory(Paths.name(of: path), in: parent))
    if let group {
      try System.give(fd, uid_t.max, group)
      try System.setMode(fd, 0o710)
    }
    try System.lock(fd)
    return fd
  }

  /// Makes the directory again, empty, because somebody has removed it.
  func remake() throws(SystemError) {
    try System.makeDirectory(path, 0o700)
    let fresh = try take()
    System.close(descriptor)
    descriptor = fresh
  }

  /// Makes one in `parent`, otherwise where the system has a place for it.
  package static func create(in parent: String? = nil) throws(LoadError) -> RuntimeDirectory {
    try create(in: parent, for: nil)
  }

  /// Makes one: in `parent` if given, otherwise where the system has a place for it.
  ///
  /// - Parameters:
  ///   - identity: who has to read the copies, if that is somebody else.
  ///   - sweeps: look for what killed servers left; a CGI program, which lives for one request, does not.
  static func create(
    in parent: String? = nil, for identity: Identity?, sweeps: Bool = true
  ) throws(LoadError) -> RuntimeDirectory {
    var reasons: [String] = []
    for candidate in parent.map({ [System.absolute($0)] }) ?? candidates() {
      do throws(SystemError) {
        if let obstacle = try obstacle(candidate, identity) {
          reasons.append("\(candidate) \(obstacle)")
          continue
        }
        let directory = try RuntimeDirectory(in: candidate, for: identity)
        if sweeps { sweep(candidate, olderThan: keptAfterCrashSeconds) }
        return directory
      } catch { reasons.append("\(candidate): \(error.reason)") }
    }
    throw .noRuntimeDirectory(reason: reasons.joined(separator: "; "))
  }

  /// Why a directory cannot hold ours; nil if it can.
  private static func obstacle(_ parent: String, _ identity: Identity?) throws(SystemError) -> String? {
    // Debian mounts /run noexec when it boots through an initramfs: dlopen would fail there.
    guard try System.allowsExecution(parent) else { return "is mounted noexec" }
    guard System.isStable(parent) else { return "can be changed by other users" }
    guard let user = identity?.user,
      !System.isReachable(parent, by: user, identity!.groups.union([identity!.group]))
    else { return nil }
    return "is closed to \(identity!)"
  }

  /// The user's runtime directory, the service's, the temporary one; the last for want of a better one.
  private static func candidates() -> [String] {
    var result: [String] = []
    if let own = System.environmentValue("XDG_RUNTIME_DIR"), own.hasPrefix("/") { result.append(own) }
    if System.exists(service) { result.append(service) }
    if let own = System.environmentValue("TMPDIR") { result.append(own) }
    return result + [fallback]
  }

  /// A new directory for one copy; its name is never used again.
  func makeCopyDirectory() throws(SystemError) -> String {
    copies += 1
    let directory = "\(path)/gen-\(copies)"
    try System.makeDirectory(directory, 0o700)
    return directory
  }

  /// Removes the directory and what is in it. Libraries that are still loaded stay mapped.
  package func remove() {
    guard !isRemoved else { return }
    isRemoved = true
    Self.removeTree(descriptor, named: Paths.name(of: path), in: parent)
    System.close(descriptor)
    System.close(parent)
  }

  // MARK: Other servers

  /// A running server: its control socket, and the user that it has to be.
  struct Running {
    let socket: String
    let owner: UInt32
  }

  /// The servers that this user may trust: its own and, for root, those of the service, whose directory root
  /// has made; `directory`: only those that have their own directory in it.
  static func running(in directory: String? = nil) -> [Running] {
    var result: [Running] = []
    var seen: Set<String> = []
    for parent in directory.map({ [System.absolute($0)] }) ?? candidates() where seen.insert(parent).inserted
    {
      if parent == fallback, seen.count > 1, !result.isEmpty { continue }
      guard let holder = System.owner(of: parent) else { continue }
      let isService = parent == service && System.isStable(service, besides: holder)
      func trusts(_ owner: UInt32) -> Bool {
        owner == System.effectiveUser || isService && owner == holder && System.effectiveUser == 0
      }
      if isService, trusts(holder), System.isSocket(service + "/control.sock") {
        result.append(Running(socket: service + "/control.sock", owner: holder))
      }
      for name in ((try? System.names(in: parent)) ?? []).sorted() where name.hasPrefix("nsgi-") {
        let path = "\(parent)/\(name)"
        guard let fd = try? System.openOwnDirectory(path) else { continue }
        defer { System.close(fd) }
        guard let status = try? System.status(fd), trusts(status.st_uid), status.st_mode & 0o022 == 0 else {
          continue
        }
        // The process that holds the lock is running.
        guard (try? System.lock(fd)) == nil, System.isSocket(path + "/control.sock") else { continue }
        result.append(Running(socket: path + "/control.sock", owner: status.st_uid))
      }
    }
    return result
  }

  // MARK: What crashed servers left

  /// Removes directories of this user that no process holds and that nobody has needed for this long.
  package static func sweep(_ parent: String, olderThan seconds: Int) {
    guard let names = try? System.names(in: parent), let above = try? System.openDirectory(parent) else {
      return
    }
    defer { System.close(above) }
    for name in names where name.hasPrefix("nsgi-") {
      guard let fd = try? System.openOwnDirectory(name, in: above) else { continue }
      defer { System.close(fd) }
      guard let status = try? System.status(fd), status.st_uid == geteuid(),
        status.st_mode & 0o777 & ~0o010 == 0o700,
        time(nil) - status.st_mtim.tv_sec >= seconds, (try? System.lock(fd)) != nil
      else { continue }
      removeTree(fd, named: name, in: above)
    }
  }

  /// Removes a directory of ours. Copies lie two levels deep: gen-N/NAME. Anything that is not a directory of
  /// this user is at most a name, and nothing is looked up by more than one.
  private static func removeTree(_ directory: Int32, named name: String, in parent: Int32) {
    for entry in (try? System.names(in: directory)) ?? [] {
      if let copy = try? System.openOwnDirectory(entry, in: directory) {
        for file in (try? System.names(in: copy)) ?? [] { try? System.unlink(file, in: copy) }
        System.close(copy)
        try? System.removeDirectory(entry, in: directory)
      } else {
        try? System.unlink(entry, in: directory)
      }
    }
    try? System.removeDirectory(name, in: parent)
  }
}
