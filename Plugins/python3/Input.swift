// wsgi.input (PEP 3333, "Input and Error Streams"): the request body, which the server has received before
// the call and lends until its end.
import CNSGI
import CPython
import Glibc

/// read, readline, readlines, iteration; each honours its size.
enum Input {
  typealias Record = UnsafeMutablePointer<nsgi_py_input>

  @inline(__always)
  static func at(_ object: Object) -> Record {
    UnsafeMutableRawPointer(object).assumingMemoryBound(to: nsgi_py_input.self)
  }

  /// An input for a request that has a body, with one reference.
  static func make(_ id: nsgi_id) -> Object? {
    guard let object = py_alloc(Types.input) else { return nil }
    at(object).pointee.id = id
    return object
  }

  /// The request is over: the bytes are no longer available. Waits for a thread of the application that is
  /// copying some of them.
  static func end(_ object: Object) {
    at(object).pointee.isOver = 1
    while at(object).pointee.copies > 0 { Interpreter.unlocked { System.pause(microseconds: 200) } }
    at(object).pointee.bytes = nil
    py_release(object)
  }

  static let free: destructor = { object in if let object { py_free(object) } }

  /// How many bytes there are in all; nil with an exception set.
  static func length(_ input: Record) -> Int? { load(input) ? input.pointee.length : nil }

  private static func load(_ input: Record) -> Bool {
    guard input.pointee.isOver == 0 else {
      _ = raise(py_value_error(), "wsgi.input was read after the request was over")
      return false
    }
    if input.pointee.isLoaded != 0 { return true }
    var whole = nsgi_str()
    let (host, id) = (Interpreter.host!, input.pointee.id)
    let result = Interpreter.unlocked { host.pointee.body(id, &whole) }
    guard input.pointee.isOver == 0 else { return load(input) }
    guard result == NSGI_OK.rawValue else {
      _ = raise(
        result == NSGI_GONE.rawValue ? py_gone_error() : py_os_error(),
        result == NSGI_GONE.rawValue ? "the client is gone" : "the request body cannot be read")
      return false
    }
    (input.pointee.bytes, input.pointee.length, input.pointee.isLoaded) = (whole.p, whole.n, 1)
    return true
  }

  // MARK: Methods

  static let read: PyCFunctionFast = { object, arguments, count in
    guard let size = size(arguments, count), let input = ready(object, count) else { return nil }
    return take(input, min(size, input.pointee.length - input.pointee.position))
  }

  static let readline: PyCFunctionFast = { object, arguments, count in
    guard let size = size(arguments, count), let input = ready(object, count) else { return nil }
    return line(input, size)
  }

  static let readlines: PyCFunctionFast = { object, arguments, count in
    guard var left = size(arguments, count), let list = PyList_New(0) else { return nil }
    guard let input = ready(object, count) else {
      py_release(list)
      return nil
    }
    // As with the library's files, a hint of zero means none.
    if left == 0 { left = .max }
    while left > 0, input.pointee.isOver == 0, input.pointee.position < input.pointee.length {
      guard let line = line(input, .max) else {
        py_release(list)
        return nil
      }
      left -= py_bytes_size(line)
      let isKept = PyList_Append(list, line) == 0
      py_release(line)
      guard isKept else {
        py_release(list)
        return nil
      }
    }
    return list
  }

  static let readinto: PyCFunctionFast = { object, arguments, count in
    guard count == 1, let arguments else { return raise(py_type_error(), "readinto takes one buffer") }
    var view = Py_buffer()
    guard PyObject_GetBuffer(arguments[0], &view, PyBUF_WRITABLE) == 0 else { return nil }
    defer { PyBuffer_Release(&view) }
    guard let input = ready(object, count) else { return nil }
    let size = min(view.len, input.pointee.length - input.pointee.position)
    if size > 0 { memcpy(view.buf, input.pointee.bytes + input.pointee.position, size) }
    input.pointee.position += size
    return PyLong_FromSsize_t(size)
  }

  static let iterate: getiterfunc = { object in
    if let object { py_retain(object) }
    return object
  }

  static let next: iternextfunc = { object in
    guard let object, load(at(object)), at(object).pointee.position < at(object).pointee.length else {
      return nil
    }
    return line(at(object), .max)
  }

  // MARK: Parts

  private static func ready(_ object: Object?, _ count: Int) -> Record? {
    guard count <= 1 else {
      _ = raise(py_type_error(), "wsgi.input takes one argument at most")
      return nil
    }
    return load(at(object!)) ? at(object!) : nil
  }

  /// The argument: none, None and anything negative mean everything. Read it first: it may be an object of
  /// the application that runs Python, and the request may end meanwhile.
  private static func size(_ arguments: UnsafePointer<Object?>?, _ count: Int) -> Int? {
    guard count == 1, let argument = arguments?[0], argument != py_none() else { return .max }
    let size = PyNumber_AsSsize_t(argument, nil)
    if size == -1, PyErr_Occurred() != nil { return nil }
    return size < 0 ? .max : size
  }

  private static func line(_ input: Record, _ most: Int) -> Object? {
    let left = min(most, input.pointee.length - input.pointee.position)
    guard left > 0 else { return take(input, 0) }
    let start = input.pointee.bytes + input.pointee.position
    guard let end = memchr(start, 10, left) else { return take(input, left) }
    return take(input, UnsafeRawPointer(end) - UnsafeRawPointer(start) + 1)
  }

  /// From this size on, a piece is copied without the lock: the copy may have to read a file.
  private static let largePiece = 64 * 1024

  private static func take(_ input: Record, _ size: Int) -> Object? {
    guard size > 0 else { return PyBytes_FromStringAndSize(nil, 0) }
    let start = input.pointee.bytes + input.pointee.position
    input.pointee.position += size
    guard size >= largePiece else { return PyBytes_FromStringAndSize(start, size) }
    guard let bytes = py_new_bytes(size) else { return nil }
    let target = UnsafeMutableRawPointer(mutating: py_bytes_start(bytes)!)
    input.pointee.copies += 1
    Interpreter.unlocked { _ = memcpy(target, start, size) }
    input.pointee.copies -= 1
    return bytes
  }
}
