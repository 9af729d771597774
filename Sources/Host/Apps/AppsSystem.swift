import CLinux
import Glibc
import Posix

/// System calls of the loader: files, directories and the dynamic linker.
extension System {
  /// Opens for reading; does not wait if the name is a FIFO. The corresponding C function is `open`.
  static func openForReading(_ path: String) throws(SystemError) -> Int32 {
    try interruptible("open") { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
  }

  /// Creates a file that must not exist yet, for its owner only. The corresponding C function is `open`.
  static func createFile(_ path: String) throws(SystemError) -> Int32 {
    try interruptible("open") { open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600) }
  }

  /// The corresponding C function is `fstat`.
  package static func status(_ fd: Int32) throws(SystemError) -> stat {
    var result = stat()
    _ = try interruptible("fstat") { fstat(fd, &result) }
    return result
  }

  /// A path that stays the same in another directory; itself, if there is nothing. C function: `realpath`.
  static func absolute(_ path: String) -> String {
    guard let found = realpath(path, nil) else { return path }
    defer { free(found) }
    return String(cString: found)
  }

  /// The server's file: this program's, or in another program that of the worker library; where it was, if it
  /// has been replaced; empty if it cannot be found out. The corresponding C functions are `realpath` and
  /// `readlink`.
  static var executablePath: String {
    let place = ownLibrary ?? "/proc/self/exe"
    if let path = realpath(place, nil) {
      defer { free(path) }
      return String(cString: path)
    }
    return ProgramFile.path(of: place)
  }

  /// The linker's name for the worker library, if the server is one in this process; nil if it is the program
  /// itself. The corresponding C function is `dladdr`.
  static var ownLibrary: String? { clinux_own_library().map { String(cString: $0) } }

  /// Whether the name exists, whatever it is. The corresponding C function is `access`.
  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// The corresponding C function is `fchmod`.
  static func setMode(_ fd: Int32, _ mode: mode_t) throws(SystemError) {
    _ = try interruptible("fchmod") { fchmod(fd, mode) }
  }

  /// The corresponding C function is `mkdir`.
  static func makeDirectory(_ path: String, _ mode: mode_t) throws(SystemError) {
    _ = try interruptible("mkdir") { mkdir(path, mode) }
  }

  /// Makes a directory with a fresh name, mode 0700; the template ends in XXXXXX. C function: `mkdtemp`.
  static func makeUniqueDirectory(_ template: String) throws(SystemError) -> String {
    var bytes = template.utf8CString.map { $0 }
    guard mkdtemp(&bytes) != nil else { throw SystemError("mkdtemp") }
    return bytes.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  /// Removes an empty directory. The corresponding C function is `unlinkat` with AT_REMOVEDIR.
  static func removeDirectory(_ name: String, in directory: Int32) throws(SystemError) {
    _ = try interruptible("unlinkat") { unlinkat(directory, name, AT_REMOVEDIR) }
  }

  /// Removes a name. The corresponding C function is `unlinkat`.
  static func unlink(_ name: String, in directory: Int32) throws(SystemError) {
    _ = try interruptible("unlinkat") { unlinkat(directory, name, 0) }
  }

  /// Opens a directory to lock it, not through a symbolic link. The corresponding C function is `openat`.
  static func openOwnDirectory(_ path: String, in directory: Int32 = AT_FDCWD) throws(SystemError) -> Int32 {
    try interruptible("open") { openat(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
  }

  /// Locks a file for this process; fails if another holds it. The corresponding C function is `flock`.
  static func lock(_ fd: Int32) throws(SystemError) {
    _ = try interruptible("flock") { flock(fd, LOCK_EX | LOCK_NB) }
  }

  /// Names in a directory, without "." and "..". The corresponding C functions are `opendir` and `readdir`.
  static func names(in directory: String) throws(SystemError) -> [String] {
    guard let stream = opendir(directory) else { throw SystemError("opendir") }
    return names(stream)
  }

  /// The same for an open one, from its beginning. The corresponding C function is `fdopendir`.
  static func names(in directory: Int32) throws(SystemError) -> [String] {
    let own = try interruptible("openat") { openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard let stream = fdopendir(own) else {
      let error = SystemError("fdopendir")
      close(own)
      throw error
    }
    return names(stream)
  }

  private static func names(_ stream: OpaquePointer) -> [String] {
    defer { closedir(stream) }
    var result: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { result.append(name) }
    }
    return result
  }

  /// Whether the file system of the path lets code be mapped. The corresponding C function is `statvfs`.
  static func allowsExecution(_ path: String) throws(SystemError) -> Bool {
    try interruptible("statvfs") { clinux_is_noexec(path) } == 0
  }

  /// The corresponding C function is `getenv`; nil for an empty value too.
  static func environmentValue(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  /// Loads a library, every symbol resolved at once and none of them shared; nil on failure
  /// (`linkerError`). The corresponding C function is `dlopen`.
  static func openLibrary(_ path: String) -> UnsafeMutableRawPointer? {
    let library = dlopen(path, RTLD_NOW | RTLD_LOCAL)
    // Its constructors have run.
    ForkedCopy.end()
    return library
  }

  /// The corresponding C function is `dlsym`.
  static func symbol(_ name: String, in library: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
    dlsym(library, name)
  }

  /// The libraries of this process by the linker's names for them, without those that are not files. The
  /// corresponding C function is `dl_iterate_phdr`.
  static func loadedLibraries() -> [String] {
    var names: [String] = []
    withUnsafeMutablePointer(to: &names) { names in
      clinux_each_library(
        { name, argument in
          guard let name, let argument else { return 0 }
          let text = String(cString: name)
          if text.utf8.contains(UInt8(ascii: "/")) {
            argument.assumingMemoryBound(to: [String].self).pointee.append(text)
          }
          return 1
        }, names)
    }
    return names
  }

  /// The loaded library that the linker would answer with for a name; nil if it would have to look for one.
  /// The corresponding C functions are `dlopen` with RTLD_NOLOAD and `dlinfo`.
  static func loadedLibrary(_ name: String) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { path in
      clinux_loaded_as(name, path.baseAddress!, path.count) == 0 ? nil : String(cString: path.baseAddress!)
    }
  }

  /// The identity of a file by its name; nil if it does not exist. The corresponding C function is `stat`.
  static func status(of path: String) -> stat? {
    var result = stat()
    return stat(path, &result) == 0 ? result : nil
  }

  /// Whether the process itself has a symbol. The corresponding C function is `dlsym` with RTLD_DEFAULT.
  static func isDefined(_ name: String) -> Bool { dlsym(nil, name) != nil }

  /// The last error of the dynamic linker, which is then forgotten. The corresponding C function is
  /// `dlerror`.
  static func linkerError() -> String { dlerror().map { String(cString: $0) } ?? "unknown error" }

  /// The corresponding C function is `dlclose`.
  package static func closeLibrary(_ library: UnsafeMutableRawPointer) {
    _ = dlclose(library)
    ForkedCopy.end()
  }

  private static func interruptible(
    _ call: StaticString, _ body: () -> Int32
  ) throws(SystemError) -> Int32 {
    while true {
      let result = body()
      if result >= 0 { return result }
      if errno != EINTR { throw SystemError(call) }
    }
  }
}
