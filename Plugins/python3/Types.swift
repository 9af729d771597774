// The Python types of the plugin: start_response, write and wsgi.input of one request.
import CPython

/// Made once, never freed.
enum Types {
  nonisolated(unsafe) static var start: UnsafeMutablePointer<PyTypeObject>!
  nonisolated(unsafe) static var write: UnsafeMutablePointer<PyTypeObject>!
  nonisolated(unsafe) static var input: UnsafeMutablePointer<PyTypeObject>!
  /// wsgi.input of every request that has no body.
  nonisolated(unsafe) static var emptyInput: Object!

  /// Makes the types; the interpreter is locked.
  static func make() throws(LoadFailure) {
    start = callable(
      "nsgi.start_response", MemoryLayout<nsgi_py_start>.size,
      MemoryLayout<nsgi_py_start>.offset(of: \.vectorcall)!, StartResponse.free)
    write = callable(
      "nsgi.write", MemoryLayout<nsgi_py_write>.size, MemoryLayout<nsgi_py_write>.offset(of: \.vectorcall)!,
      Write.free)
    input = makeInput()
    guard start != nil, write != nil, input != nil, let empty = py_alloc(input) else {
      PyErr_Print()
      throw LoadFailure("Python \(Interpreter.release) has no memory left")
    }
    Input.at(empty).pointee.isLoaded = 1
    emptyInput = empty
  }

  private static func callable(
    _ title: StaticString, _ size: Int, _ offset: Int, _ free: @escaping destructor
  ) -> UnsafeMutablePointer<PyTypeObject>? {
    let members = permanent([
      PyMemberDef(
        name: name("__vectorcalloffset__"), type: T_PYSSIZET, offset: offset, flags: READONLY, doc: nil),
      PyMemberDef(),
    ])
    let call: @convention(c) (Object?, Object?, Object?) -> Object? = PyVectorcall_Call
    return make(
      title, size, py_callable_flags(),
      [
        slot(Py_tp_dealloc, free), slot(Py_tp_call, call), PyType_Slot(slot: Py_tp_members, pfunc: members),
      ])
  }

  private static func makeInput() -> UnsafeMutablePointer<PyTypeObject>? {
    func method(_ title: StaticString, _ function: PyCFunctionFast) -> PyMethodDef {
      PyMethodDef(
        ml_name: name(title), ml_meth: unsafeBitCast(function, to: PyCFunction?.self),
        ml_flags: METH_FASTCALL,
        ml_doc: nil)
    }
    let methods = permanent([
      method("read", Input.read), method("readline", Input.readline), method("readlines", Input.readlines),
      method("readinto", Input.readinto), PyMethodDef(),
    ])
    return make(
      "nsgi.input", MemoryLayout<nsgi_py_input>.size, py_default_flags(),
      [
        slot(Py_tp_dealloc, Input.free), slot(Py_tp_iter, Input.iterate), slot(Py_tp_iternext, Input.next),
        PyType_Slot(slot: Py_tp_methods, pfunc: methods),
      ])
  }

  private static func make(
    _ title: StaticString, _ size: Int, _ flags: UInt32, _ slots: [PyType_Slot]
  ) -> UnsafeMutablePointer<PyTypeObject>? {
    py_make_type(name(title), Int32(size), flags, permanent(slots + [PyType_Slot()]))
  }

  private static func slot<Function>(_ number: Int32, _ function: Function) -> PyType_Slot {
    PyType_Slot(slot: number, pfunc: unsafeBitCast(function, to: UnsafeMutableRawPointer.self))
  }

  static func name(_ text: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
  }

  /// Tables that CPython keeps pointers into.
  static func permanent<Element>(_ list: [Element]) -> UnsafeMutablePointer<Element> {
    let copy = UnsafeMutablePointer<Element>.allocate(capacity: list.count)
    copy.initialize(from: list, count: list.count)
    return copy
  }
}

/// Sets an exception; returns nil for the caller to return.
func raise(_ type: Object?, _ message: String) -> Object? {
  PyErr_SetString(type, message)
  return nil
}
