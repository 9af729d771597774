import Glibc

/// The server's own directory for private copies: mode 0700, a fresh name for each process, gone when the
/// server ends. A crash leaves it behind, so that the addresses of a backtrace still have a file.
final class RuntimeDirectory {
  /// Absolute path.
  let path: String
  private var created: [String] = []
  private var directories: [String] = []
  private var copies = 0

  private init(_ path: String) {
    self.path = path
    directories = [path]
  }

  /// Makes one: in `parent` if given, else where the system has a place for it.
  static func create(in parent: String? = nil) throws(LoadError) -> RuntimeDirectory {
    var reason = "nowhere to look"
    for candidate in parent.map({ [$0] }) ?? candidates() {
      do throws(SystemError) {
        // Debian mounts /run noexec when it boots through an initramfs: dlopen would fail there.
        guard try System.allowsExecution(candidate) else {
          reason = "\(candidate) is mounted noexec"
          continue
        }
        return RuntimeDirectory(try System.makeUniqueDirectory("\(candidate)/nsgi-\(getpid())-XXXXXX"))
      } catch { reason = "\(candidate): \(error.reason)" }
    }
    throw .noRuntimeDirectory(reason: reason)
  }

  /// The user's runtime directory, the service's (systemd: RuntimeDirectory=nsgi-server), the temporary one.
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
    directories.append(directory)
    return directory
  }

  /// Notes a file to be removed with the directory.
  func add(_ file: String) { created.append(file) }

  /// Removes the directory and what was put there. Libraries that are still loaded stay mapped.
  func remove() {
    for file in created { try? System.unlink(file) }
    for directory in directories.reversed() { try? System.removeDirectory(directory) }
    (created, directories) = ([], [])
  }
}
