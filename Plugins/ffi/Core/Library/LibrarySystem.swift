// Every call into the dynamic linker and the file system, under names and errors of our own.
import CFFI
import Glibc

/// A shared library of the operator's, open for as long as the process lives.
struct OpenLibrary: @unchecked Sendable {
  // The linker's handles may be used from any thread.
  fileprivate let handle: UnsafeMutableRawPointer
  /// Where it lies, if the linker says.
  let file: String?
}

enum LibrarySystem {
  /// Opens a library by soname, by path or, if there is none of that soname, by a path in the working
  /// directory. Corresponding C function: dlopen.
  static func open(_ name: String) throws(LibraryError) -> OpenLibrary {
    if let library = attempt(name) { return library }
    let reason = lastError()
    if !name.utf8.contains(UInt8(ascii: "/")), let library = attempt("./" + name) { return library }
    throw .unopened(library: name, reason: reason)
  }

  private static func attempt(_ name: String) -> OpenLibrary? {
    guard let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) else { return nil }
    return OpenLibrary(handle: handle, file: cffi_file_of(handle).map { String(cString: $0) })
  }

  /// The linker's words about what failed last. Corresponding C function: dlerror.
  private static func lastError() -> String {
    dlerror().map { String(cString: $0) } ?? "no reason given"
  }

  /// The address of a symbol, in the library or one that it needs. Corresponding C function: dlsym.
  static func address(of symbol: String, in library: OpenLibrary) -> UnsafeMutableRawPointer? {
    dlsym(library.handle, symbol)
  }

  /// The file that a function stands in. Corresponding C function: dladdr.
  static func file(with address: UnsafeRawPointer) -> String? {
    cffi_file_with(address).map { String(cString: $0) }
  }

  /// Whether something of that name is there that is no directory. Corresponding C function: stat.
  static func isFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFDIR
  }

  /// Reads a small text file; nil if there is none.
  static func text(of path: String, most: Int = 1 << 20) throws(LibraryError) -> String {
    var status = stat()
    let fd = Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard fd >= 0, fstat(fd, &status) == 0 else { throw .unreadable(file: path, reason: reason(errno)) }
    guard status.st_mode & S_IFMT == S_IFREG, let file = fdopen(fd, "r") else {
      close(fd)
      throw .unreadable(file: path, reason: "it is no file that can be read to its end")
    }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: most + 1)
    let count = bytes.withUnsafeMutableBytes { fread($0.baseAddress, 1, $0.count, file) }
    if ferror(file) != 0 { throw .unreadable(file: path, reason: reason(errno)) }
    if count > most { throw .unreadable(file: path, reason: "more than \(most) bytes") }
    guard let text = String(validating: bytes[..<count], as: UTF8.self) else {
      throw .unreadable(file: path, reason: "not UTF-8")
    }
    return text
  }

  /// What an error number means: its name and a sentence.
  static func reason(_ number: Int32) -> String {
    let name = cffi_error_name(number).map { String(cString: $0) } ?? "\(number)"
    guard let words = cffi_error_words(number).map({ String(cString: $0) }) else { return name }
    return "\(words) (\(name))"
  }
}

/// A whole file in memory, to be read. Corresponding C functions: mmap, munmap.
final class MappedFile {
  /// Valid as long as this object.
  let bytes: UnsafeRawBufferPointer

  /// nil if it cannot be opened.
  init?(_ path: String) {
    let descriptor = Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    let size = lseek(descriptor, 0, SEEK_END)
    guard size > 0, let place = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), place != MAP_FAILED
    else { return nil }
    bytes = UnsafeRawBufferPointer(start: place, count: size)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }
}

/// Why a library cannot be used.
enum LibraryError: Error, Equatable, CustomStringConvertible {
  case unopened(library: String, reason: String)
  case unreadable(file: String, reason: String)
  case noSymbol(symbol: String, library: String)
  case notAFunction(symbol: String, library: String)
  /// The library's own debug information says otherwise.
  case mismatch(symbol: String, library: String, reason: String)

  var description: String {
    switch self {
    case .unopened(let library, let reason):
      "the library \(library) cannot be opened: \(reason); name it by soname or by path"
    case .unreadable(let file, let reason): "\(file) cannot be read: \(reason)"
    case .noSymbol(let symbol, let library):
      "\(library) has no \(symbol); `nm -D --defined-only` lists what it has"
    case .notAFunction(let symbol, let library): "\(symbol) of \(library) is data and no function"
    case .mismatch(let symbol, let library, let reason):
      "the debug information of \(library) contradicts the signature of \(symbol): \(reason)"
    }
  }
}
