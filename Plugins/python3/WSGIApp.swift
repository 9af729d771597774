// One WSGI application, as load() makes it.
import CNSGI
import CPython

/// What a call needs, in one record at a fixed address.
struct WSGIApp {
  let host: UnsafePointer<nsgi_host>
  /// What the server calls: application(environ, start_response).
  let callable: Object
  /// "module:callable", as the operator would write it.
  let name: String
  /// Clients see the traceback of an exception.
  let showsTracebacks: Bool
  /// They see it as a page.
  let isDevelopment: Bool
  /// Templates of environ.
  var shapes: EnvironShapes
  /// A response that is bytes itself has been complained about.
  var hasWarnedOfBytes = false
  /// A header of the connection has been complained about.
  var hasWarnedOfConnection = false

  /// - Parameters:
  ///   - callable: the application, of which it takes the reference.
  ///   - name: "module:callable".
  static func make(
    _ callable: Object, _ name: String, _ options: PythonOptions, _ boot: UnsafePointer<nsgi_boot>
  ) -> UnsafeMutablePointer<WSGIApp> {
    let facts = EnvironFacts(
      isMultithread: options.threads > 1, isMultiprocess: boot.pointee.workers > 1,
      runsOnce: options.runsOnce, version: boot.pointee.host.pointee.version)
    let app = UnsafeMutablePointer<WSGIApp>.allocate(capacity: 1)
    app.initialize(
      to: WSGIApp(
        host: boot.pointee.host, callable: callable, name: name, showsTracebacks: options.showsTracebacks,
        isDevelopment: options.isDevelopment,
        shapes: EnvironShapes(facts)))
    Interpreter.loaded()
    return app
  }

  /// Gives back what it holds; nothing of it runs any more.
  mutating func end() {
    shapes.removeAll()
    py_release(callable)
  }
}
