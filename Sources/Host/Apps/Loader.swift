import CNSGI
import Control

/// Loads a private copy into the process and shakes hands with it. Of the application, only its constructors
/// have run before.
package enum Loader {
  /// The plain form: `application` of nsgi.h.
  package typealias Application = @convention(c) (UnsafePointer<nsgi_environ>?, nsgi_start_response?) -> Int32
  /// The full form's symbol.
  typealias Entry = @convention(c) (UnsafePointer<nsgi_host>?) -> UnsafePointer<nsgi_app>?

  /// The way to call the library.
  package enum Form {
    case plain(Application)
    /// The table that nsgi_entry returned.
    case full(UnsafePointer<nsgi_app>)
  }

  /// Opens the library and finds its entry; with `.full` the handshake has succeeded.
  package static func open(
    _ copy: PrivateCopy, _ image: ElfImage, _ reference: AppReference, host: UnsafePointer<nsgi_host>
  ) throws(LoadError) -> (handle: UnsafeMutableRawPointer, form: Form) {
    guard let symbol = reference.wanted.first(where: { image.symbols[$0] != nil }) else {
      throw .noEntry(path: copy.source, symbol: reference.symbol)
    }
    guard image.symbols[symbol] == .function else { throw .notAFunction(path: copy.source, symbol: symbol) }
    try openCompanions(of: copy, image)
    guard let handle = System.openLibrary(copy.path) else {
      throw .unresolved(path: copy.source, reason: linkerError(of: copy))
    }
    guard let address = System.symbol(symbol, in: handle) else {
      throw .noEntry(path: copy.source, symbol: reference.symbol)
    }
    guard AppReference.isEntry(symbol) else {
      return (handle, .plain(unsafeBitCast(address, to: Application.self)))
    }
    let found = unsafeBitCast(address, to: Entry.self)(host)
    ForkedCopy.end()
    guard let table = found else {
      throw .refusedHost(path: copy.source)
    }
    try shakeHands(with: table, host: host, path: copy.source)
    return (handle, .full(table))
  }

  /// Opens the library, and those beside the operator's file, without touching its entry; nil if it cannot be
  /// opened.
  /// cannot be opened.
  package static func openWithCompanions(_ copy: PrivateCopy, _ image: ElfImage) -> UnsafeMutableRawPointer? {
    do { try openCompanions(of: copy, image) } catch { return nil }
    return System.openLibrary(copy.path)
  }

  /// Loads the libraries that the application looks for beside itself ($ORIGIN in its search path), from
  /// beside the operator's file: they are not beside the copy. The linker then finds them by soname. These
  /// are used in place, and shared by all generations.
  private static func openCompanions(of copy: PrivateCopy, _ image: ElfImage) throws(LoadError) {
    let folder = Paths.directory(of: copy.source)
    for entry in image.searchPath {
      guard
        let rest = ["$ORIGIN", "${ORIGIN}"].first(where: entry.hasPrefix).map({ entry.dropFirst($0.count) })
      else { continue }
      for name in image.needed where !name.utf8.contains(UInt8(ascii: "/")) {
        let path = "\(folder)\(rest)/\(name)"
        guard System.exists(path) else { continue }
        guard AppKey.shared == nil else { throw .unsignedCompanion(path: copy.source, library: path) }
        guard System.openLibrary(path) != nil else {
          throw .unresolved(path: copy.source, reason: System.linkerError())
        }
      }
    }
  }

  /// The linker's words without the name of the copy, which means nothing to the operator.
  private static func linkerError(of copy: PrivateCopy) -> String {
    let text = System.linkerError()
    let prefix = copy.path + ": "
    return text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
  }

  /// Checks the head of an application's table (nsgi.h, nsgi_head).
  static func shakeHands(
    with table: UnsafePointer<nsgi_app>, host: UnsafePointer<nsgi_host>, path: String
  ) throws(LoadError) {
    let head = UnsafeRawPointer(table).loadUnaligned(as: nsgi_head.self)
    guard head.magic == UInt32(NSGI_MAGIC) else { throw .badMagic(path: path, found: head.magic) }
    let app = LoadError.Version(major: head.major, minor: head.minor)
    let own = LoadError.Version(major: host.pointee.head.major, minor: host.pointee.head.minor)
    guard app.major == own.major else { throw .otherMajor(path: path, app: app, host: own) }
    guard app.minor <= own.minor else { throw .newerMinor(path: path, app: app, host: own) }
    guard (leastSize...mostSize).contains(head.size) else {
      throw .badSize(path: path, size: head.size, least: leastSize)
    }
    guard adopt(table).call != nil else { throw .noCall(path: path) }
  }

  /// A table has to reach to the end of `call`, and has no reason to be larger than a few pages.
  private static let leastSize = UInt32(
    MemoryLayout<nsgi_app>.offset(of: \.call)! + MemoryLayout<UnsafeRawPointer>.size)
  private static let mostSize: UInt32 = 64 * 1024

  /// The host's own copy of a table, in which members that an older application does not have are zero.
  package static func adopt(_ table: UnsafePointer<nsgi_app>) -> nsgi_app {
    var result = nsgi_app()
    let size = min(Int(table.pointee.head.size), MemoryLayout<nsgi_app>.size)
    withUnsafeMutableBytes(of: &result) {
      $0.copyMemory(from: UnsafeRawBufferPointer(start: table, count: size))
    }
    return result
  }
}
