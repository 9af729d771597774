// The plugin `python3`: WSGI applications (PEP 3333) in embedded CPython. It knows the server through
// nsgi.h alone; what it makes is told by the options of load() (docs/PYTHON.md).
import CNSGI
import Glibc

/// The full form's one symbol (nsgi.h): the same table for every application.
@c(nsgi_entry) public func entry(_ host: UnsafePointer<nsgi_host>?) -> UnsafePointer<nsgi_app>? {
  Plugin.table
}

/// The table that the server calls.
enum Plugin {
  private static let name: StaticString = "python3"
  private static let version: StaticString = "0.1.0"

  nonisolated(unsafe) static let table: UnsafePointer<nsgi_app> = {
    let table = UnsafeMutablePointer<nsgi_app>.allocate(capacity: 1)
    table.initialize(to: nsgi_app())
    table.pointee.head = nsgi_head(
      magic: UInt32(NSGI_MAGIC), major: UInt16(NSGI_MAJOR), minor: 0,
      size: UInt32(MemoryLayout<nsgi_app>.size), flags: NSGI_THREADSAFE.rawValue)
    table.pointee.name = text(name)
    table.pointee.version = text(version)
    table.pointee.load = { boot, state in Plugin.load(boot!, state!) }
    table.pointee.call = { state, request in Plugin.call(state!, request!) }
    table.pointee.unload = { state in Plugin.unload(state!) }
    table.pointee.extension = { name in
      guard let name else { return nil }
      if strcmp(name, "draft.program/1") == 0 { return OwnProgram.table }
      if strcmp(name, "draft.preload/1") == 0 { return OwnProgram.preloadTable }
      if strcmp(name, "draft.inspect/1") == 0 { return Inspection.table }
      if strcmp(name, "draft.leave/1") == 0 { return Leave.table }
      return strcmp(name, "draft.stack/1") == 0 ? Stack.table : nil
    }
    return UnsafePointer(table)
  }()

  private static func text(_ literal: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
  }

  private static func load(
    _ boot: UnsafePointer<nsgi_boot>, _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) -> Int32 {
    let options = PythonOptions(boot.pointee.options)
    do throws(LoadFailure) {
      try Interpreter.start(options, boot.pointee)
      let app = try Interpreter.withLock { () throws(LoadFailure) in try WSGIApp.make(options, boot) }
      state.pointee = UnsafeMutableRawPointer(app)
      return NSGI_OK.rawValue
    } catch {
      error.write(to: boot.pointee.error, boot.pointee.error_cap)
      return NSGI_FAIL.rawValue
    }
  }

  @inline(__always)
  private static func call(
    _ state: UnsafeMutableRawPointer, _ request: UnsafePointer<nsgi_request>
  ) -> Int32 {
    Call.run(state.assumingMemoryBound(to: WSGIApp.self), request)
  }

  /// The interpreter stays: threads of the application may still run. What Python does at its end of its own
  /// accord is done when the last application goes.
  private static func unload(_ state: UnsafeMutableRawPointer) {
    Interpreter.unloaded(state.assumingMemoryBound(to: WSGIApp.self))
  }
}

/// Why an application cannot be loaded: one sentence; the traceback is in the log already.
struct LoadFailure: Error {
  let sentence: String

  init(_ sentence: String) { self.sentence = sentence }

  func write(to buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int) {
    guard let buffer, capacity > 0 else { return }
    var count = 0
    for byte in sentence.utf8.prefix(capacity - 1) {
      buffer[count] = CChar(bitPattern: byte)
      count += 1
    }
    buffer[count] = 0
  }
}
