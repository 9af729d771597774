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
  /// The most concurrent calls for WebSockets, each on a thread of its own (`uwsgi.websocket_handshake`); 0:
  /// it may accept none.
  let socketCalls: Int
  /// It may accept WebSockets.
  var mayHaveSockets: Bool { socketCalls > 0 }
  /// Templates of environ.
  var shapes: EnvironShapes
  /// A warning about a response that is bytes itself has been logged.
  var hasWarnedOfBytes = false
  /// A warning about a header of the connection has been logged.
  var hasWarnedOfConnection = false

  /// - Parameters:
  ///   - callable: the application, whose reference it takes.
  ///   - name: "module:callable".
  static func make(
    _ callable: Object, _ name: String, _ options: PythonOptions, _ boot: UnsafePointer<nsgi_boot>
  ) -> UnsafeMutablePointer<WSGIApp> {
    let hasTables = ASGISockets.table != nil && SocketCall.handshake != nil
    let socketCalls = hasTables ? options.socketCalls : 0
    let facts = EnvironFacts(
      isMultithread: options.threads > 1 || socketCalls > 0, isMultiprocess: boot.pointee.workers > 1,
      runsOnce: options.runsOnce, version: boot.pointee.host.pointee.version)
    let app = UnsafeMutablePointer<WSGIApp>.allocate(capacity: 1)
    app.initialize(
      to: WSGIApp(
        host: boot.pointee.host, callable: callable, name: name, showsTracebacks: options.showsTracebacks,
        isDevelopment: options.isDevelopment,
        socketCalls: socketCalls, shapes: EnvironShapes(facts)))
    Interpreter.loaded()
    return app
  }

  /// Releases what it holds; none of its code runs any more.
  mutating func end() {
    shapes.removeAll()
    py_release(callable)
  }
}
