// wsgi.file_wrapper (PEP 3333, "Optional Platform-Specific File Handling"): files are sent by sendfile(2),
// from their current position.
import CNSGI
import CPython

/// The body of a response that is a file wrapper.
enum FileBody {
  /// Sends the file; false with an exception set or a client gone; nil if it has to be read instead, as with
  /// anything that is not a file of the operating system, or does not know its size.
  static func send(_ body: Object, _ start: StartResponse.Record) -> Bool? {
    guard start.pointee.status != 0, start.pointee.isSent == 0,
      let file = PyObject_GetAttr(body, Names.filelike)
    else {
      PyErr_Clear()
      return nil
    }
    defer { py_release(file) }
    guard let (descriptor, position) = place(file), let size = System.trustworthySize(descriptor),
      position <= size, start.pointee.isSent == 0, start.pointee.status != 0
    else {
      return nil
    }
    let left = size - position
    let count = start.pointee.declared >= 0 ? min(left, start.pointee.declared) : left
    guard Output.begin(start, length: left) else { return false }
    if start.pointee.isHead != 0 || count == 0 { return true }
    let (host, id) = (Interpreter.host!, start.pointee.id)
    let result = Output.away(start) { host.pointee.sendfile(id, descriptor, position, count) }
    guard result != NSGI_IO.rawValue else {
      Place.raise(
        py_os_error(), "the file of a response cannot be read, or has become shorter meanwhile", start)
      return false
    }
    switch Output.outcome(start, result) {
    case .taken, .excess: return true
    case .gone, .refused: return false
    }
  }

  private static func place(_ file: Object) -> (Int32, Int64)? {
    guard let answer = PyObject_CallOneArg(Names.plainFile, file) else {
      PyErr_Clear()
      return nil
    }
    defer { py_release(answer) }
    guard py_is_tuple(answer) else { return nil }
    let descriptor = PyLong_AsLong(py_tuple_item(answer, 0))
    let position = PyLong_AsLongLong(py_tuple_item(answer, 1))
    if PyErr_Occurred() != nil {
      PyErr_Clear()
      return nil
    }
    guard let descriptor = Int32(exactly: descriptor), descriptor >= 0, position >= 0 else { return nil }
    return (descriptor, position)
  }
}
