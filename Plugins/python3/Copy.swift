// A copy of the process, made by fork() in the application: it belongs to the application, and answers
// nothing. Like os._exit(), its end runs neither atexit nor destructors: they belong to the worker.
import CPython
import Glibc

/// Whether this process is such a copy, and its end.
enum Copy {
  private nonisolated(unsafe) static var isCopy = false

  /// This process is one.
  @inline(__always) static var isThis: Bool { isCopy }

  /// Copies made from now on know that they are copies.
  static func watch() {
    System.whenForked {
      Copy.isCopy = true
      ASGIInbox.forgetBell()
    }
  }

  /// The application is done, with an exception or without: the copy ends, as the interpreter's own process
  /// would, with the status of SystemExit, 1 after another exception, otherwise 0. The interpreter is locked.
  static func end(_ heading: String? = nil) -> Never {
    var status: Int32 = 0
    if PyErr_Occurred() != nil {
      status = exitStatus() ?? 1
      if PyErr_Occurred() != nil { Log.exception(heading) }
    }
    leave(status)
  }

  /// Ends the copy with a status, once its output is in the log. The interpreter is locked.
  static func leave(_ status: Int32) -> Never {
    Log.flush()
    System.end(status)
  }

  /// The status of SystemExit, whose message is printed; nil for another exception, which stays set.
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
