import Glibc

/// The server's own directory for private copies: mode 0700, a fresh name for each process, gone when the
/// server ends. A crash leaves it behind, so that the addresses of a backtrace still have a file; a later
/// server removes it after a day.
final class RuntimeDirectory {
  /// Absolute path.
  let path: String
  /// Holds the lock that says "in use".
  private let descriptor: Int32
  private var copies = 0
  private var isRemoved = false

  private static let keptAfterCrashSeconds = 24 * 60 * 60

  private init(in parent: String) throws(SystemError) {
    path = try System.makeUniqueDirectory("\(parent)/nsgi-\(getpid())-XXXXXX")
    descriptor = try System.openOwnDirectory(path)
    try System.lock(descriptor)
  }

  /// Makes one: in `parent` if given, else where the system has a place for it.
  ///
  /// - Parameter sweeps: look for what killed servers left; a CGI program, which lives for one request,
  /// does not.
  static func create(in parent: String? = nil, sweeps: Bool = true) throws(LoadError) -> RuntimeDirectory {
    var reason = "nowhere to look"
    for candidate in parent.map({ [$0] }) ?? candidates() {
      do throws(SystemError) {
        // Debian mounts /run noexec when it boots through an initramfs: dlopen would fail there.
        guard try System.allowsExecution(candidate) else {
          reason = "\(candidate) is mounted noexec"
          continue
        }
        let directory = try RuntimeDirectory(in: candidate)
        if sweeps { sweep(candidate, olderThan: keptAfterCrashSeconds) }
        return directory
      } catch { reason = "\(candidate): \(error.reason)" }
    }
    throw .noRuntimeDirectory(reason: reason)
  }

  /// The user's runtime directory, the service's (systemd: RuntimeDirectory=nsgi-server), the temporary
  /// one.
  private static func candidates() -> [String] {
    var result: [String] = []
    if let own = System.environmentValue("XDG_RUNTIME_DIR"), own.hasPrefix("/") { result.append(own) }
    if System.exists("/run/nsgi-server") { result.append("/run/nsgi-server") }
    result.append(System.environmentValue("TMPDIR") ?? "/tmp")
    return result
  }

  /// A new directory for one copy; its name is never used again.
  func makeCopyDirectory() throws(SystemError) -> String {
    copies += 1
    let directory = "\(path)/gen-\(copies)"
    try System.makeDirectory(directory, 0o700)
    return directory
  }

  /// Removes the directory and what is in it. Libraries that are still loaded stay mapped.
  func remove() {
    guard !isRemoved else { return }
    isRemoved = true
    Self.removeTree(path)
    System.close(descriptor)
  }

  /// Directories of this user whose servers run.
  static func inUse() -> [String] {
    var result: [String] = []
    for parent in candidates() {
      guard let names = try? System.names(in: parent) else { continue }
      for name in names where name.hasPrefix("nsgi-") {
        let path = "\(parent)/\(name)"
        guard let fd = try? System.openOwnDirectory(path) else { continue }
        defer { System.close(fd) }
        // Whoever holds the lock runs.
        if (try? System.lock(fd)) == nil { result.append(path) }
      }
    }
    return result.sorted()
  }

  // MARK: What crashed servers left

  /// Removes directories of this user that no process holds and that nobody has needed for so long.
  static func sweep(_ parent: String, olderThan seconds: Int) {
    guard let names = try? System.names(in: parent) else { return }
    for name in names where name.hasPrefix("nsgi-") {
      let path = "\(parent)/\(name)"
      guard let fd = try? System.openOwnDirectory(path) else { continue }
      defer { System.close(fd) }
      guard let status = try? System.status(fd), status.st_uid == geteuid(), status.st_mode & 0o777 == 0o700,
        time(nil) - status.st_mtim.tv_sec >= seconds, (try? System.lock(fd)) != nil
      else { continue }
      removeTree(path)
    }
  }

  /// Copies lie two levels deep: gen-N/NAME.
  private static func removeTree(_ path: String) {
    for copy in (try? System.names(in: path)) ?? [] {
      let directory = "\(path)/\(copy)"
      if let files = try? System.names(in: directory) {
        for file in files { try? System.unlink("\(directory)/\(file)") }
        try? System.removeDirectory(directory)
      } else {
        try? System.unlink(directory)
      }
    }
    try? System.removeDirectory(path)
  }
}
