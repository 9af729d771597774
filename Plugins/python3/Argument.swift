// What Python passes to the functions of `_nsgi`. Anybody can import that module: no argument is trusted
// before it has been checked.
import CNSGI
import CPython

/// Arguments, checked; the interpreter is locked. A number may be an object of the application whose
/// `__index__` runs Python: numbers are read before anything that is only lent.
enum Argument {
  /// A number; nil with TypeError set, or with OverflowError if it does not fit into C's long.
  static func int(_ object: Object?) -> Int? {
    let number = PyLong_AsLong(object)
    return number == -1 && PyErr_Occurred() != nil ? nil : number
  }

  /// The same for C's int.
  static func int32(_ object: Object?) -> Int32? {
    guard let number = int(object) else { return nil }
    guard let result = Int32(exactly: number) else {
      _ = raise(py_overflow_error(), "the number \(number) is none of C's int")
      return nil
    }
    return result
  }

  /// The id of a request or a socket; nil with TypeError set. One that is too large refers to nothing that
  /// exists, like one that is over.
  static func id(_ object: Object?) -> UInt64? {
    let number = PyLong_AsUnsignedLongMask(object)
    return number == UInt.max && PyErr_Occurred() != nil ? nil : UInt64(number)
  }

  /// The bytes of a bytes object, lent as long as that lives; nil with TypeError set for anything else.
  static func bytes(_ object: Object?) -> nsgi_str? {
    guard let object, py_is_bytes(object) else {
      _ = raise(py_type_error(), "an argument has to be bytes")
      return nil
    }
    return nsgi_str(p: py_bytes_start(object), n: py_bytes_size(object))
  }
}
