import Glibc

/// System calls of `server new`: directories and files by name.
enum FileSystem {
  /// Names in a directory, without "." and ".."; nil when it is not there. The corresponding C functions
  /// are `opendir` and `readdir`.
  static func names(in path: String) throws(FileError) -> [String]? {
    guard let stream = opendir(path) else {
      if errno == ENOENT { return nil }
      throw FileError("\(path) cannot be written to (\(reason())): choose another with --directory")
    }
    defer { closedir(stream) }
    var result: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { result.append(name) }
    }
    return result.sorted()
  }

  /// Makes a directory and those above it that are missing. The corresponding C function is `mkdir`.
  static func makeDirectories(_ path: String) throws(FileError) {
    guard !path.isEmpty, !isDirectory(path) else { return }
    try makeDirectories(parent(path))
    guard mkdir(path, 0o777) == 0 || errno == EEXIST && isDirectory(path) else {
      throw FileError("\(path) cannot be made (\(reason())): choose another with --directory")
    }
  }

  /// Writes a file that is not there yet, and the directories above it. The corresponding C functions are
  /// `fopen` and `fwrite`.
  static func write(_ text: String, to path: String) throws(FileError) {
    try makeDirectories(parent(path))
    guard let file = fopen(path, "wxe") else { throw FileError("\(path) cannot be written (\(reason()))") }
    var text = text
    let written = text.withUTF8 { fwrite($0.baseAddress, 1, $0.count, file) == $0.count }
    guard fclose(file) == 0, written else { throw FileError("\(path) cannot be written (\(reason()))") }
  }

  /// The whole of a text file.
  static func read(_ path: String) throws(FileError) -> String {
    do { return try Files.read(path) } catch { throw FileError("\(path) cannot be read (\(error))") }
  }

  /// The corresponding C function is `access`.
  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// The corresponding C function is `opendir`.
  static func isDirectory(_ path: String) -> Bool {
    guard let stream = opendir(path) else { return false }
    closedir(stream)
    return true
  }

  /// Whether something of that name is there that is no directory. The corresponding C function is `stat`.
  @Sendable
  static func isFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFDIR
  }

  /// What is open there, as in `st_mode`; 0 if nobody says. The corresponding C function is `fstat`.
  static func kind(of fd: Int32) -> mode_t {
    var status = stat()
    return fstat(fd, &status) == 0 ? status.st_mode & S_IFMT : 0
  }

  /// Whether it is a pipe. The corresponding C function is `stat`.
  @Sendable
  static func isPipe(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
  }

  /// The number of a file on its file system; 0 when it is not there. The corresponding C function is `stat`.
  @Sendable
  static func inode(_ path: String) -> UInt64 {
    var status = stat()
    return stat(path, &status) == 0 ? UInt64(status.st_ino) : 0
  }

  /// The names that a shell's pattern stands for: itself when there is none. The corresponding C function is
  /// `glob`.
  @Sendable
  static func glob(_ pattern: String) -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    guard Glibc.glob(pattern, GLOB_MARK | GLOB_NOCHECK, nil, &found) == 0 else { return [] }
    return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
  }

  /// Goes on in another directory; false if that cannot be. The corresponding C function is `chdir`.
  static func enter(_ path: String) -> Bool { chdir(path) == 0 }

  /// What is before the last slash; empty without one.
  static func parent(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
    return slash == path.startIndex && path.count > 1 ? "" : String(path[..<slash])
  }

  /// Absolute path of this program.
  static func executable() -> String { realPath("/proc/self/exe") }

  /// Absolute path without links; empty where nothing is. The corresponding C function is `realpath`.
  static func realPath(_ path: String) -> String {
    guard let path = realpath(path, nil) else { return "" }
    defer { free(path) }
    return String(cString: path)
  }

  /// The corresponding C function is `getenv`; nil for an empty value too.
  static func variable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  private static func reason() -> String { String(cString: strerror(errno)) }
}

/// Why a file or a directory cannot be made: one sentence.
struct FileError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
