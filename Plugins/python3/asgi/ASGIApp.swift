// One ASGI application, as load() makes it (ASGI 3: HTTP and lifespan). Its coroutines run on the thread of
// the event loop, which is in serving.py. The server leads that one (LedLoop.swift), or it is a thread of its
// own, to which the server's threads hand requests over.
import CNSGI
import CPython

/// What the server's threads need from it, in one record at a fixed address.
struct ASGIApp {
  let host: UnsafePointer<nsgi_host>
  /// The object of serving.py that has the callable and its lifespan.
  let application: Object

  /// Runs the lifespan's startup; the interpreter is locked.
  ///
  /// - Parameters:
  ///   - callable: the application, whose reference it takes.
  ///   - name: "module:callable".
  static func make(
    _ callable: Object, _ name: String, _ options: PythonOptions, _ boot: UnsafePointer<nsgi_boot>
  ) throws(LoadFailure) -> UnsafeMutablePointer<ASGIApp> {
    defer { py_release(callable) }
    guard let application = serve(callable, name, options) else {
      let words = Log.exception()
      Log.flush()
      throw LoadFailure(words.trace.isEmpty ? words.sentence : "serving it failed with \(words.sentence)")
    }
    Log.flush()
    let app = UnsafeMutablePointer<ASGIApp>.allocate(capacity: 1)
    app.initialize(to: ASGIApp(host: boot.pointee.host, application: application))
    Interpreter.loaded()
    return app
  }

  /// The object of serving.py; nil with an exception set.
  private static func serve(_ callable: Object, _ name: String, _ options: PythonOptions) -> Object? {
    let told = { (key: String) in options.told.last { $0.key == key }?.value }
    guard ASGIScope.prepare(isDevelopment: options.isDevelopment),
      let settings = ASGIScope.dict([
        "loop": options.loop, "tasks": "\(options.tasks)", "start": told("server.start") ?? "30",
        "mercy": told("server.mercy") ?? "60", "debug": options.showsTracebacks ? "1" : "",
        "development": options.isDevelopment ? "1" : "",
      ])
    else { return nil }
    guard let arguments = PyTuple_New(3), let text = PyUnicode_DecodeFSDefault(name) else {
      py_release(settings)
      return nil
    }
    py_retain(callable)
    PyTuple_SetItem(arguments, 0, callable)
    PyTuple_SetItem(arguments, 1, text)
    PyTuple_SetItem(arguments, 2, settings)
    return PythonApplication.call("serve_asgi", arguments)
  }

  /// No more requests come, and running ones have ended or are cut: awaits the end of background tasks and
  /// the lifespan's shutdown. The interpreter is locked.
  static func end(_ app: UnsafeMutablePointer<ASGIApp>) {
    Interpreter.unlocked { ASGIInbox.removeAll(of: app) }
    if let name = PyUnicode_InternFromString("stop") {
      if let result = PyObject_CallMethodNoArgs(app.pointee.application, name) {
        py_release(result)
      } else {
        Log.exception()
      }
      py_release(name)
    }
    py_release(app.pointee.application)
  }

  // MARK: The server's side

  /// Takes the first step of a request on the thread of the event loop, if that is this one; otherwise hands
  /// it over. Handshakes of WebSockets are always handed over.
  static func call(_ state: UnsafeMutableRawPointer, _ request: UnsafePointer<nsgi_request>) -> Int32 {
    let app = state.assumingMemoryBound(to: ASGIApp.self)
    if LedLoop.isLed, !ASGISockets.isAskedFor(request.pointee.id), LedLoop.begin(app, request) {
      return NSGI_ASYNC.rawValue
    }
    ASGIInbox.add(WaitingRequest(app: app, id: request.pointee.id, request: request))
    return NSGI_ASYNC.rawValue
  }
}
