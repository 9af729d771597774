// A copy of the process, made by fork() in the application: it is that one's, and answers nothing.
// Like os._exit(), its end runs neither atexit nor destructors: they are the worker's.
import CPython
import Glibc

/// Whether this process is such a copy, and its end.
enum Copy {
  private nonisolated(unsafe) static var isCopy = false

  /// This process is one.
  @inline(__always) static var isThis: Bool { isCopy }

  /// Copies that are made from now on know it.
  static func watch() { System.whenForked { Copy.isCopy = true } }

  /// The application is through, with an exception or without: the copy ends, as the interpreter's own
  /// process would, with the status that SystemExit says, 1 after another exception, else 0. The
  /// interpreter is locked.
  static func end(_ heading: String? = nil) -> Never {
    var status: Int32 = 0
    if PyErr_Occurred() != nil {
      status = exitStatus() ?? 1
      if PyErr_Occurred() != nil { Log.exception(heading) }
    }
    Log.flush()
    System.end(status)
  }

  /// What SystemExit says, whose message is printed then; nil for another exception, which stays set.
  private static func exitStatus() -> Int32? {
    guard PyErr_ExceptionMatches(py_system_exit()) != 0 else { return nil }
    var (type, value, trace): (Object?, Object?, Object?)
    PyErr_Fetch(&type, &value, &trace)
    PyErr_NormalizeException(&type, &value, &trace)
    guard let value, let name = PyUnicode_FromString("exit_status"),
      let status = PyObject_CallMethodOneArg(Interpreter.module, name, value)
    else {
      PyErr_Clear()
      return 1
    }
    return Int32(truncatingIfNeeded: PyLong_AsLong(status))
  }
}
