import CLinux
import Control
import Posix

/// Identities by path, for the check of what is loaded.
extension FileIdentity {
  /// Nil for a file that does not exist.
  init?(_ path: String) {
    guard let status = System.status(of: path) else { return nil }
    self.init(status)
  }
}

/// The libraries in this process: which file each was when it was loaded, and who loaded it.
///
/// The dynamic linker has one library of a name (its soname, or the name it was linked by) in a process:
/// whoever needs it later gets that one, whatever file would have been found.
///
/// Unchecked: mutable state is guarded by `mutex`.
final class LoadedLibraries: @unchecked Sendable {
  /// Those of this process.
  static let shared = LoadedLibraries()

  /// One library.
  struct Library: Sendable {
    /// By the linker's own name for it.
    let path: String
    /// The identity of its file when it was loaded; nil if the file no longer existed.
    let identity: FileIdentity?
    let owner: Owner
  }

  /// Who has loaded a library.
  enum Owner: Equatable, Sendable {
    case server
    /// An app, in the operator's words.
    case app(String)
  }

  private let mutex = Monitor()
  private var known: [String: Library] = [:]
  /// Private copies of apps and plugins: each is another file in each process.
  private var copies: Set<String> = []
  private var isBegun = false

  /// Records new libraries. Those that were there when an app first asked are the server's.
  ///
  /// - Returns: the libraries that are new since the last time.
  @discardableResult
  func update(for owner: Owner) -> [Library] {
    mutex.lock()
    defer { mutex.unlock() }
    let owner = isBegun ? owner : .server
    isBegun = true
    let paths = System.loadedLibraries()
    var fresh: [Library] = []
    for path in paths where known[path] == nil {
      fresh.append(Library(path: path, identity: FileIdentity(path), owner: owner))
    }
    let present = Set(paths)
    known = known.filter { present.contains($0.key) }
    for library in fresh { known[library.path] = library }
    return fresh
  }

  /// Leaves a private copy out of the files by which builds are told apart.
  func hide(_ copy: String) {
    mutex.lock()
    copies.insert(copy)
    mutex.unlock()
  }

  /// Whether it is the private copy of an app or a plugin.
  func isCopy(_ path: String) -> Bool {
    mutex.lock()
    defer { mutex.unlock() }
    return copies.contains(path)
  }

  /// The library that the linker has for a name; nil if it would have to look for one.
  func provider(of name: String) -> Library? {
    guard let path = System.loadedLibrary(name) else { return nil }
    mutex.lock()
    defer { mutex.unlock() }
    return known[path]
  }

  /// Which files this process has loaded.
  var report: LibraryReport {
    mutex.lock()
    defer { mutex.unlock() }
    return LibraryReport(
      known.values.filter { !copies.contains($0.path) }
        .map { ($0.path, $0.identity?.description ?? "gone") })
  }
}
