// The plugin `python3`: WSGI (PEP 3333) and ASGI applications in CPython. It knows the server only through
// nsgi.h; the options of load() tell it what to make (docs/PYTHON.md).
import CNSGI
import Glibc

/// The full form's one symbol (nsgi.h): the same table for every application.
@c(nsgi_entry) public func entry(_ host: UnsafePointer<nsgi_host>?) -> UnsafePointer<nsgi_app>? {
  Plugin.version = host?.pointee.version
  return Plugin.table
}

/// The table that the server calls.
enum Plugin {
  private static let name: StaticString = "python3"
  /// The server's, which the plugin comes with; its text lives as long as the server's table. Written before
  /// the tables are made.
  nonisolated(unsafe) fileprivate static var version: UnsafePointer<CChar>?

  nonisolated(unsafe) static let table: UnsafePointer<nsgi_app> = {
    let table = make(NSGI_THREADSAFE.rawValue)
    table.pointee.call = { state, request in Plugin.call(state!, request!) }
    table.pointee.unload = { state in Plugin.unload(state!) }
    return UnsafePointer(table)
  }()

  /// The table of WSGI applications that may accept WebSockets: such a request gets a thread of its own.
  nonisolated(unsafe) private static let socketTable: UnsafePointer<nsgi_app> = {
    let table = make(NSGI_THREADSAFE.rawValue | NSGI_MAY_ASYNC.rawValue)
    table.pointee.call = { state, request in Plugin.call(state!, request!) }
    table.pointee.unload = { state in Plugin.unload(state!) }
    return UnsafePointer(table)
  }()

  /// The table of applications that turn out to be ASGI's.
  nonisolated(unsafe) private static let asynchronousTable: UnsafePointer<nsgi_app> = {
    let promises: [nsgi_app_flags] = [NSGI_THREADSAFE, NSGI_NONBLOCKING, NSGI_STREAMS_IN, NSGI_MAY_ASYNC]
    let table = make(promises.reduce(0) { $0 | $1.rawValue })
    table.pointee.call = { state, request in ASGIApp.call(state!, request!) }
    table.pointee.cancel = { _, request in ASGIInbox.add(request!.pointee.id, .cancelled) }
    table.pointee.unload = { state in Plugin.unloadAsynchronous(state!) }
    return UnsafePointer(table)
  }()

  /// The results of load() for such applications; written by load(), which runs on one thread at a time.
  nonisolated(unsafe) private static var asynchronous: Set<UnsafeMutableRawPointer> = []

  /// The extension `draft.table/1`: the kind of an application is known only once it is loaded.
  private struct OwnTable {
    let table: @convention(c) (UnsafeMutableRawPointer?) -> UnsafePointer<nsgi_app>?
  }

  nonisolated(unsafe) private static let ownTable: UnsafeRawPointer = {
    let table = UnsafeMutablePointer<OwnTable>.allocate(capacity: 1)
    table.initialize(
      to: OwnTable { state in
        guard let state else { return Plugin.table }
        if Plugin.asynchronous.contains(state) { return Plugin.asynchronousTable }
        let app = state.assumingMemoryBound(to: WSGIApp.self)
        return app.pointee.mayHaveSockets ? Plugin.socketTable : Plugin.table
      })
    return UnsafeRawPointer(table)
  }()

  /// What all tables share.
  private static func make(_ flags: UInt32) -> UnsafeMutablePointer<nsgi_app> {
    let table = UnsafeMutablePointer<nsgi_app>.allocate(capacity: 1)
    table.initialize(to: nsgi_app())
    table.pointee.head = nsgi_head(
      magic: UInt32(NSGI_MAGIC), major: UInt16(NSGI_MAJOR), minor: 0,
      size: UInt32(MemoryLayout<nsgi_app>.size), flags: flags)
    table.pointee.name = text(name)
    table.pointee.version = version
    table.pointee.load = { boot, state in Plugin.load(boot!, state!) }
    table.pointee.extension = { name in
      guard let name else { return nil }
      if strcmp(name, "draft.program/1") == 0 { return OwnProgram.table }
      if strcmp(name, "draft.preload/1") == 0 { return OwnProgram.preloadTable }
      if strcmp(name, "draft.keep/1") == 0 { return Keep.table }
      if strcmp(name, "draft.inspect/1") == 0 { return Inspection.table }
      if strcmp(name, "draft.leave/1") == 0 { return Leave.table }
      if strcmp(name, "draft.table/1") == 0 { return Plugin.ownTable }
      return strcmp(name, "draft.stack/1") == 0 ? Stack.table : nil
    }
    return table
  }

  private static func text(_ literal: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
  }

  private static func load(
    _ boot: UnsafePointer<nsgi_boot>, _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) -> Int32 {
    let options = PythonOptions(boot.pointee.options)
    do throws(LoadFailure) {
      try Interpreter.start(options, boot.pointee)
      let app = try Interpreter.withLock { () throws(LoadFailure) in try PythonApplication.make(options, boot)
      }
      switch app {
      case .wsgi(let app): state.pointee = UnsafeMutableRawPointer(app)
      case .asgi(let app):
        state.pointee = UnsafeMutableRawPointer(app)
        asynchronous.insert(UnsafeMutableRawPointer(app))
      }
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

  /// The interpreter stays: threads of the application may still run. What Python would do at its end is done
  /// when the last application goes.
  private static func unload(_ state: UnsafeMutableRawPointer) {
    Interpreter.unloaded { state.assumingMemoryBound(to: WSGIApp.self).pointee.end() }
  }

  private static func unloadAsynchronous(_ state: UnsafeMutableRawPointer) {
    Interpreter.unloaded { ASGIApp.end(state.assumingMemoryBound(to: ASGIApp.self)) }
  }
}

/// Why an application cannot be loaded: one sentence; the traceback is already in the log.
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
