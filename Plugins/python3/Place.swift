// Errors that the plugin itself finds have no traceback: these words tell where they belong in it.
import CPython

/// Where an application is in its author's files.
enum Place {
  /// Sets an exception whose message ends with the place: the line at which a generator has yielded,
  /// otherwise the application.
  static func raise(
    _ type: Object?, _ message: String, _ start: StartResponse.Record, _ body: Object? = nil
  ) {
    let app = start.pointee.app.assumingMemoryBound(to: WSGIApp.self)
    PyErr_SetString(type, message + words(app.pointee, body))
  }

  /// ": hello:application, File "/srv/hello.py", line 12".
  private static func words(_ app: WSGIApp, _ body: Object?) -> String {
    guard let arguments = PyTuple_New(3), let name = PyUnicode_DecodeFSDefault(app.name),
      let function = PyObject_GetAttrString(Interpreter.module, "place")
    else { return nothing() }
    defer {
      py_release(arguments)
      py_release(function)
    }
    let found = body ?? py_none()
    py_retain(app.callable)
    py_retain(found)
    PyTuple_SetItem(arguments, 0, name)
    PyTuple_SetItem(arguments, 1, app.callable)
    PyTuple_SetItem(arguments, 2, found)
    guard let text = PyObject_CallObject(function, arguments) else { return nothing() }
    defer { py_release(text) }
    return ": " + Log.string(text)
  }

  private static func nothing() -> String {
    PyErr_Clear()
    return ""
  }
}
