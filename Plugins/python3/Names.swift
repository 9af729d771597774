// Python objects that requests use repeatedly.
import CPython

/// Made once, never freed; nil before the interpreter has started.
enum Names {
  nonisolated(unsafe) static var close: Object!
  nonisolated(unsafe) static var read: Object!
  nonisolated(unsafe) static var input: Object!
  nonisolated(unsafe) static var contentLength: Object!
  nonisolated(unsafe) static var filelike: Object!
  nonisolated(unsafe) static var blockSize: Object!
  nonisolated(unsafe) static var plainFile: Object!
  nonisolated(unsafe) static var http: Object!
  nonisolated(unsafe) static var https: Object!
  /// wsgi.errors.
  nonisolated(unsafe) static var errors: Object!
  /// wsgi.file_wrapper.
  nonisolated(unsafe) static var fileWrapper: Object!
  nonisolated(unsafe) static var fileWrapperType: UnsafeMutablePointer<PyTypeObject>!
  /// wsgi.version.
  nonisolated(unsafe) static var version: Object!

  /// - Parameter module: that of bootstrap.py.
  static func make(_ module: Object) {
    close = PyUnicode_InternFromString("close")
    read = PyUnicode_InternFromString("read")
    input = PyUnicode_InternFromString("wsgi.input")
    contentLength = PyUnicode_InternFromString("CONTENT_LENGTH")
    filelike = PyUnicode_InternFromString("filelike")
    blockSize = PyUnicode_InternFromString("blksize")
    http = PyUnicode_InternFromString("http")
    https = PyUnicode_InternFromString("https")
    errors = PyObject_GetAttrString(module, "errors")
    fileWrapper = PyObject_GetAttrString(module, "FileWrapper")
    fileWrapperType = UnsafeMutableRawPointer(fileWrapper).assumingMemoryBound(to: PyTypeObject.self)
    plainFile = PyObject_GetAttrString(module, "plain_file")
    version = PyTuple_New(2)
    PyTuple_SetItem(version, 0, PyLong_FromLong(1))
    PyTuple_SetItem(version, 1, PyLong_FromLong(0))
  }
}
