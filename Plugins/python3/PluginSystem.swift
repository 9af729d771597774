import CPython
import Glibc

/// What tells a file from a later one at its path, or from itself after a later write; times in nanoseconds
/// since 1970.
struct FileState: Equatable {
  /// Nanoseconds for which the clock of file systems may stand still.
  private static let tick = 20_000_000

  let inode: UInt64
  let size: Int
  /// When its contents, and when anything about it, last changed.
  let modified, changed: Int

  init(_ status: stat) {
    (inode, size) = (UInt64(status.st_ino), Int(status.st_size))
    modified = status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
    changed = status.st_ctim.tv_sec * 1_000_000_000 + status.st_ctim.tv_nsec
  }

  /// Whether a write after a moment leaves a trace in its times.
  ///
  /// - Parameter moment: nanoseconds since 1970; about now.
  func isSettled(at moment: UInt64) -> Bool {
    abs(Int(truncatingIfNeeded: moment) - changed) >= Self.tick
  }
}

/// System calls of the plugin.
enum System {
  /// Bytes of a regular file; nil for anything else, and for files that occupy no space whatever size they
  /// state: those of /proc state 0 and those of /sys a page, and only reading tells. The corresponding C
  /// function is `fstat`.
  static func trustworthySize(_ descriptor: Int32) -> Int64? {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_blocks > 0 else {
      return nil
    }
    return Int64(status.st_size)
  }

  /// Loads a library, and makes its symbols available to all; without a name, returns what is available to
  /// all. Nil with a reason (`loaderError`). The corresponding C function is `dlopen`.
  static func openForAll(_ library: String?) -> UnsafeMutableRawPointer? {
    dlopen(library, RTLD_NOW | RTLD_GLOBAL)
  }

  /// Whether a file is a program made by the linker, not a script. The corresponding C functions are `open`
  /// and `read`.
  static func isBinary(_ path: String) -> Bool {
    let fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard fd >= 0 else { return false }
    defer { close(fd) }
    var magic: [UInt8] = [0, 0, 0, 0]
    return read(fd, &magic, magic.count) == magic.count && magic == [0x7f] + "ELF".utf8
  }

  /// Why a library could not be loaded. The corresponding C function is `dlerror`.
  static var loaderError: String { dlerror().map { String(cString: $0) } ?? "no reason given" }

  /// Debian's name for the folder of this machine's libraries. The corresponding C function is `uname`.
  static var multiarch: String {
    var name = utsname()
    guard uname(&name) == 0 else { return "" }
    return withUnsafeBytes(of: &name.machine) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) + "-linux-gnu"
    }
  }

  /// The names in a folder; none if it cannot be read. The corresponding C functions are `opendir` and
  /// `readdir`.
  static func names(in folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var found: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      found.append(name)
    }
    return found
  }

  /// The status of the file at a path, links followed; nil if there is none. The corresponding C function is
  /// `stat`.
  static func status(_ path: String) -> stat? {
    var found = stat()
    return stat(path, &found) == 0 ? found : nil
  }

  /// Paths that match a shell pattern, sorted. The corresponding C function is `glob`.
  static func paths(_ pattern: String) -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(pattern, 0, nil, &found) == 0 else { return [] }
    return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }.sorted()
  }

  /// A regular file's bytes, its state before they were read, and whether that reveals later writes; nil if
  /// there is no readable file, or it has more bytes than allowed. The corresponding C functions are `open`,
  /// `fstat` and `read`.
  static func contents(
    _ path: String, atMost most: Int
  ) -> (text: [UInt8], state: FileState, isSettled: Bool)? {
    let file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= most else {
      return nil
    }
    let moment = calendar
    var (bytes, count) = ([UInt8](repeating: 0, count: Int(status.st_size)), 0)
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress! + count, $0.count - count) }
      guard got > 0 else { break }
      count += got
    }
    // The file has become shorter meanwhile.
    bytes.removeLast(bytes.count - count)
    let state = FileState(status)
    return (bytes, state, state.isSettled(at: moment))
  }

  /// The state of the file at a path, links followed; nil if there is none.
  static func state(_ path: String) -> FileState? { status(path).map { FileState($0) } }

  /// Writes all of it; false if it cannot be written. The corresponding C function is `write`.
  static func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { all in
      var count = 0
      while count < all.count {
        let put = Glibc.write(descriptor, all.baseAddress! + count, all.count - count)
        if put < 0, errno == EINTR { continue }
        guard put > 0 else { return false }
        count += put
      }
      return true
    }
  }

  /// Finds a program in one of the directories of PATH.
  static func inPath(_ name: String) -> String? {
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    return path.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }

  /// This thread's identifier in Python (`threading.get_ident`). The corresponding C function is
  /// `pthread_self`.
  static var thread: UInt { UInt(pthread_self()) }

  /// A path with links resolved; nil if nothing is there. The corresponding C function is `realpath`.
  static func realPath(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
  }

  /// The file of this process's program, links resolved; where it was, if another has taken its place since;
  /// empty if that cannot be found out. The corresponding C functions are `realpath` and `readlink`.
  static func program() -> String {
    let link = "/proc/self/exe"
    if let path = realPath(link) { return path }
    var text = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(link, &text, text.count - 1)
    let path = String(decoding: text[..<max(0, count)].map(UInt8.init(bitPattern:)), as: UTF8.self)
    let mark = " (deleted)"
    return path.hasSuffix(mark) ? String(path.dropLast(mark.count)) : path
  }

  /// The folder of a path; an empty text above the root.
  static func parent(_ path: String) -> String {
    path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[..<$0]) } ?? ""
  }

  /// The corresponding C function is `getcwd`.
  static func workingDirectory() -> String? {
    guard let here = getcwd(nil, 0) else { return nil }
    defer { free(here) }
    return String(cString: here)
  }

  /// Lines `name = value` of a small file; none if it cannot be read. The corresponding C functions are
  /// `fopen` and `fread`.
  static func settings(_ path: String) -> [String: String] {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, let file = fopen(path, "re") else {
      return [:]
    }
    defer { fclose(file) }
    var text = [UInt8](repeating: 0, count: 64 * 1024)
    let count = fread(&text, 1, text.count, file)
    var found: [String: String] = [:]
    for line in String(decoding: text.prefix(count), as: UTF8.self).split(whereSeparator: \.isNewline) {
      guard let equals = line.firstIndex(of: "=") else { continue }
      let words = [line[..<equals], line[line.index(after: equals)...]].map { side in
        String(side.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      }
      found[words[0]] = words[1]
    }
    return found
  }

  /// Bytes of a page. The corresponding C function is `sysconf`.
  static var page: Int { sysconf(Int32(_SC_PAGESIZE)) }

  /// Maps a part of a file in memory; nil if that fails. The corresponding C function is `mmap`.
  static func mapShared(_ descriptor: Int32, at offset: Int, _ count: Int) -> UnsafeMutableRawPointer? {
    let start = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, offset)
    return start == MAP_FAILED ? nil : start
  }

  /// Has a descriptor report files that are written in a directory, or moved into or out of it; a new one for
  /// -1. Returns -1 if none is available. The corresponding C functions are `inotify_init1` and
  /// `inotify_add_watch`.
  static func noticeChanges(in directory: String, _ descriptor: Int32) -> Int32 {
    let flags = Int32(O_NONBLOCK | O_CLOEXEC)
    let changes = descriptor >= 0 ? descriptor : inotify_init1(flags)
    guard changes >= 0 else { return -1 }
    let events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR
    // A directory that is gone has nothing to report.
    _ = inotify_add_watch(changes, directory, UInt32(events))
    return changes
  }

  /// The number of this process. The corresponding C function is `getpid`.
  static var ownProcess: UInt32 { UInt32(getpid()) }

  /// The machine's monotonic clock. The corresponding C function is `clock_gettime`.
  static var nanoseconds: UInt64 { time(CLOCK_MONOTONIC) }

  /// The calendar, in nanoseconds since 1970. The corresponding C function is `clock_gettime`.
  static var calendar: UInt64 { time(CLOCK_REALTIME) }

  private static func time(_ clock: clockid_t) -> UInt64 {
    var now = timespec()
    clock_gettime(clock, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
  }

  /// Writes a number into a pipe, if it has room. The corresponding C function is `write`.
  static func write(_ number: UInt64, to descriptor: Int32) {
    guard descriptor >= 0 else { return }
    _ = withUnsafeBytes(of: number) { Glibc.write(descriptor, $0.baseAddress, $0.count) }
  }

  /// The text that `write` puts into a file without a name. The corresponding C functions are `memfd_create`
  /// and `pread`.
  static func text(writtenBy write: (Int32) -> Void) -> String? {
    let closeOnExec: UInt32 = 1
    let file = memfd_create("text", closeOnExec)
    guard file >= 0 else { return nil }
    defer { close(file) }
    write(file)
    var text = [UInt8](repeating: 0, count: 64 * 1024)
    let count = pread(file, &text, text.count, 0)
    return String(decoding: text.prefix(max(0, count)), as: UTF8.self)
  }

  /// Starts a thread that nobody waits for; false if the system refuses. The corresponding C function is
  /// `pthread_create`.
  static func startThread(
    _ life: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?,
    _ argument: UnsafeMutableRawPointer? = nil
  ) -> Bool {
    var thread = pthread_t()
    guard pthread_create(&thread, nil, life, argument) == 0 else { return false }
    pthread_detach(thread)
    return true
  }

  /// A descriptor that `ring` makes readable and `silence` does not; -1 if there is none. The corresponding C
  /// function is `eventfd`.
  static func makeBell() -> Int32 { eventfd(0, O_NONBLOCK | O_CLOEXEC) }

  /// The corresponding C function is `close`.
  static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

  /// The corresponding C function is `write`.
  static func ring(_ bell: Int32) {
    var one: UInt64 = 1
    _ = Glibc.write(bell, &one, MemoryLayout<UInt64>.size)
  }

  /// The corresponding C function is `read`.
  static func silence(_ bell: Int32) {
    var count: UInt64 = 0
    _ = Glibc.read(bell, &count, MemoryLayout<UInt64>.size)
  }

  /// Has something done in each copy of the process, before fork() returns there. The corresponding C
  /// function is `pthread_atfork`.
  static func whenForked(_ body: @convention(c) () -> Void) { pthread_atfork(nil, nil, body) }

  /// Ends the process at once. The corresponding C function is `_exit`.
  static func end(_ status: Int32) -> Never { _exit(status) }

  /// The corresponding C function is `usleep`.
  static func pause(microseconds: UInt32) { _ = usleep(microseconds) }

  /// The corresponding C function is `free`.
  static func release(_ memory: UnsafeMutableRawPointer?) { free(memory) }
}
