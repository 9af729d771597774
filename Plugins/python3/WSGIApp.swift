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

  /// Finds the application; the interpreter is locked.
  static func make(
    _ options: PythonOptions, _ boot: UnsafePointer<nsgi_boot>
  ) throws(LoadFailure) -> UnsafeMutablePointer<WSGIApp> {
    let found = find(options)
    if Copy.isThis { Copy.end() }
    guard let (callable, name) = found else {
      let words = Log.exception()
      Log.flush()
      throw LoadFailure(words.trace.isEmpty ? words.sentence : "importing it failed with \(words.sentence)")
    }
    Log.flush()
    warnOfForeignThreads(options)
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

  /// gevent and eventlet give locks and thread-locals to green threads of one thread: calls on others wait
  /// there for ever, and only under load.
  private static func warnOfForeignThreads(_ options: PythonOptions) {
    guard options.threads > 1, let found = call("patched", PyTuple_New(0)) else { return PyErr_Clear() }
    defer { py_release(found) }
    guard found != py_none() else { return }
    Log.line(
      "\(Log.string(found)) has patched Python's threads, and requests on several threads of the server can "
        + "wait for each other for ever: serve this application with --threads 1, and with more processes "
        + "(-p) for more at once", NSGI_WARNING)
  }

  /// The application, of one reference, and its name; its hooks have run, and its files are watched if that
  /// is asked for.
  private static func find(_ options: PythonOptions) -> (Object, String)? {
    guard let found = call("load", arguments(options)), call("run_hooks", PyTuple_New(0)) != nil else {
      return nil
    }
    defer { py_release(found) }
    if options.autoreload > 0, let arguments = PyTuple_New(2), let added = py_tuple_item(found, 1) {
      py_retain(added)
      PyTuple_SetItem(arguments, 0, PyLong_FromLong(options.autoreload))
      PyTuple_SetItem(arguments, 1, added)
      guard call("watch", arguments) != nil else { return nil }
    }
    let callable = py_tuple_item(found, 0)
    py_retain(callable)
    return callable.map { ($0, Log.string(py_tuple_item(found, 2))) }
  }

  private static func arguments(_ options: PythonOptions) -> Object? {
    guard let list = PyTuple_New(4), let path = PyList_New(0) else { return nil }
    for directory in options.path {
      guard let text = PyUnicode_DecodeFSDefault(directory) else { return nil }
      PyList_Append(path, text)
      py_release(text)
    }
    PyTuple_SetItem(list, 0, text(options.module))
    PyTuple_SetItem(list, 1, text(options.file))
    PyTuple_SetItem(list, 2, text(options.callable))
    PyTuple_SetItem(list, 3, path)
    return list
  }

  private static func text(_ value: String?) -> Object {
    if let value, let text = PyUnicode_DecodeFSDefault(value) { return text }
    py_retain(py_none())
    return py_none()
  }

  private static func call(_ name: String, _ arguments: Object?) -> Object? {
    guard let arguments else { return nil }
    defer { py_release(arguments) }
    guard let function = PyObject_GetAttrString(Interpreter.module, name) else { return nil }
    defer { py_release(function) }
    return PyObject_CallObject(function, arguments)
  }

  /// Gives back what it holds; nothing of it runs any more.
  mutating func end() {
    shapes.removeAll()
    py_release(callable)
  }
}
