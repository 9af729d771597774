// How an application is found, and what it is.
import CNSGI
import CPython

/// How the server and an application speak to each other.
enum PythonInterface { case wsgi, asgi }

/// What load() makes; the interpreter is locked.
enum PythonApplication {
  case wsgi(UnsafeMutablePointer<WSGIApp>)
  case asgi(UnsafeMutablePointer<ASGIApp>)

  /// Finds the application, and begins what serves it.
  static func make(
    _ options: PythonOptions, _ boot: UnsafePointer<nsgi_boot>
  ) throws(LoadFailure) -> PythonApplication {
    let found = find(options)
    if Copy.isThis { Copy.end() }
    guard let (callable, name, interface) = found else {
      let words = Log.exception()
      Log.flush()
      throw LoadFailure(words.trace.isEmpty ? words.sentence : "importing it failed with \(words.sentence)")
    }
    Log.flush()
    switch interface {
    case .asgi: return .asgi(try ASGIApp.make(callable, name, options, boot))
    case .wsgi:
      warnOfForeignThreads(options)
      return .wsgi(WSGIApp.make(callable, name, options, boot))
    }
  }

  /// gevent and eventlet give locks and thread-locals to green threads of one thread: calls on other threads
  /// wait there for ever, and only under load.
  private static func warnOfForeignThreads(_ options: PythonOptions) {
    guard options.threads > 1, let found = call("patched", PyTuple_New(0)) else { return PyErr_Clear() }
    defer { py_release(found) }
    guard found != py_none() else { return }
    Log.line(
      "\(Log.string(found)) has patched Python's threads, and requests on several threads of the server can "
        + "wait for each other for ever: serve this application with --threads 1, and with more processes "
        + "(-p) for more at once", NSGI_WARNING)
  }

  /// The application, with one reference, its name and its interface; its hooks have run, and its files are
  /// watched if that is asked for.
  private static func find(_ options: PythonOptions) -> (Object, String, PythonInterface)? {
    guard let found = call("load", arguments(options)) else { return nil }
    defer { py_release(found) }
    // Hooks begin what a worker needs: signals of the module `uwsgi` and threads of the application.
    if Copy.isThis { Copy.end() }
    guard let done = call("run_hooks", PyTuple_New(0)) else { return nil }
    py_release(done)
    if options.autoreload > 0, let arguments = PyTuple_New(2), let added = py_tuple_item(found, 1) {
      py_retain(added)
      PyTuple_SetItem(arguments, 0, PyLong_FromLong(options.autoreload))
      PyTuple_SetItem(arguments, 1, added)
      guard call("watch", arguments) != nil else { return nil }
    }
    guard let callable = py_tuple_item(found, 0), let name = py_tuple_item(found, 2),
      let interface = interface(callable, name, options)
    else { return nil }
    py_retain(callable)
    return (callable, Log.string(name), interface)
  }

  /// Which interface an application has; nil with an exception set.
  private static func interface(_ callable: Object, _ name: Object, _ options: PythonOptions)
    -> PythonInterface?
  {
    guard let arguments = PyTuple_New(4), let option = PyUnicode_FromString(options.interfaceOption) else {
      return nil
    }
    py_retain(callable)
    PyTuple_SetItem(arguments, 0, callable)
    PyTuple_SetItem(arguments, 1, text(options.interface))
    py_retain(name)
    PyTuple_SetItem(arguments, 2, name)
    PyTuple_SetItem(arguments, 3, option)
    guard let found = call("kind", arguments) else { return nil }
    defer { py_release(found) }
    return Log.string(found) == "asgi" ? .asgi : .wsgi
  }

  private static func arguments(_ options: PythonOptions) -> Object? {
    guard let list = PyTuple_New(5), let path = PyList_New(0) else { return nil }
    for directory in options.path {
      guard let text = PyUnicode_DecodeFSDefault(directory) else { return nil }
      PyList_Append(path, text)
      py_release(text)
    }
    PyTuple_SetItem(list, 0, text(options.module))
    PyTuple_SetItem(list, 1, text(options.file))
    PyTuple_SetItem(list, 2, text(options.callable))
    PyTuple_SetItem(list, 3, text(options.kept))
    PyTuple_SetItem(list, 4, path)
    return list
  }

  private static func text(_ value: String?) -> Object {
    if let value, let text = PyUnicode_DecodeFSDefault(value) { return text }
    return none()!
  }

  /// Calls a function of bootstrap.py, and releases the arguments; nil with an exception set.
  static func call(_ name: String, _ arguments: Object?) -> Object? {
    guard let arguments else { return nil }
    defer { py_release(arguments) }
    guard let function = PyObject_GetAttrString(Interpreter.module, name) else { return nil }
    defer { py_release(function) }
    return PyObject_CallObject(function, arguments)
  }
}
