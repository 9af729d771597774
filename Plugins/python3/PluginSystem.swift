import CPython
import Glibc

/// System calls of the plugin.
enum System {
  /// Bytes of a regular file; nil for anything else, and for files that occupy no space whatever size they
  /// state: those of /proc say 0 and those of /sys a page, and only reading tells. The corresponding C
  /// function is `fstat`.
  static func trustworthySize(_ descriptor: Int32) -> Int64? {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_blocks > 0 else {
      return nil
    }
    return Int64(status.st_size)
  }

  /// Makes the symbols of a library that is loaded there for all. The corresponding C function is `dlopen`.
  static func shareSymbols(of library: String) { _ = dlopen(library, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD) }

  /// A path without links; nil if nothing is there. The corresponding C function is `realpath`.
  static func realPath(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
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
    guard let file = fopen(path, "re") else { return [:] }
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

  /// Asks the parent to reload. The corresponding C function is `kill`.
  static func hangUpParent() { _ = kill(getppid(), SIGHUP) }

  /// What `write` puts into a file without a name. The corresponding C functions are `memfd_create` and
  /// `pread`.
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

  /// Starts a thread that nobody waits for; false if the system has none to give. The corresponding C
  /// function is `pthread_create`.
  static func startThread(
    _ life: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?
  ) -> Bool {
    var thread = pthread_t()
    guard pthread_create(&thread, nil, life, nil) == 0 else { return false }
    pthread_detach(thread)
    return true
  }

  /// Does something in each copy of the process, before fork() returns there. The corresponding C function is
  /// `pthread_atfork`.
  static func whenForked(_ body: @convention(c) () -> Void) { pthread_atfork(nil, nil, body) }

  /// Ends the process at once. The corresponding C function is `_exit`.
  static func end(_ status: Int32) -> Never { _exit(status) }

  /// The corresponding C function is `usleep`.
  static func pause(microseconds: UInt32) { _ = usleep(microseconds) }

  /// The corresponding C function is `free`.
  static func release(_ memory: UnsafeMutableRawPointer?) { free(memory) }
}
