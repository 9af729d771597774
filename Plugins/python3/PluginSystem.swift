// System calls of the plugin, behind names of its own.
import CPython
import Glibc

enum System {
  /// Size in bytes of a regular file; nil for anything else. The corresponding C function is `fstat`.
  static func regularFileSize(_ descriptor: Int32) -> Int64? {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return Int64(status.st_size)
  }

  /// Makes the symbols of a library that is loaded there for all. The corresponding C function is `dlopen`.
  static func shareLibrary(_ path: String) { _ = dlopen(path, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD) }

  /// Asks the process that supervises this one to swap. The corresponding C function is `kill`.
  static func hangUpParent() { _ = kill(getppid(), SIGHUP) }

  /// Gives back what `malloc` gave. The corresponding C function is `free`.
  static func release(_ memory: UnsafeMutableRawPointer?) { free(memory) }

  /// What `body` writes to a descriptor, at most 64 KiB; nil without a file in memory. The corresponding C
  /// functions are `memfd_create` and `pread`.
  static func written(_ body: (Int32) -> Void) -> String? {
    let closeOnExec: UInt32 = 1  // MFD_CLOEXEC
    let file = memfd_create("text", closeOnExec)
    guard file >= 0 else { return nil }
    defer { close(file) }
    body(file)
    var text = [UInt8](repeating: 0, count: 64 * 1024)
    let count = pread(file, &text, text.count, 0)
    return String(decoding: text.prefix(max(0, count)), as: UTF8.self)
  }
}
