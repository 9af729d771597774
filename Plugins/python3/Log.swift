// Turns what Python writes into lines of the server's log.
import CNSGI
import CPython

/// The server's log, for Python and for the plugin's own messages.
enum Log {
  /// A line longer than this is written in pieces.
  private static let longest = 16 * 1024

  /// Writes one line about the request that this thread is serving.
  static func line(_ text: String, _ level: nsgi_level) {
    let id = Threads.slot().id
    for part in text.split(separator: "\n", omittingEmptySubsequences: true) {
      var part = String(part)
      part.withUTF8 { write($0, Int32(level.rawValue), id) }
    }
  }

  /// Takes bytes of a text file: writes complete lines, and keeps the rest until its end comes.
  ///
  /// - Parameter request: the request of the lines; 0: the one that this thread is serving.
  static func append(_ bytes: UnsafeRawBufferPointer, level: Int32, of request: nsgi_id = 0) {
    let slot = Threads.slot()
    let id = request == 0 ? slot.id : request
    var start = bytes.startIndex
    while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      let piece = bytes[start..<end]
      start = end + 1
      guard var waiting = slot.lines[level], !waiting.isEmpty else {
        write(UnsafeRawBufferPointer(rebasing: piece).bindMemory(to: UInt8.self), level, id)
        continue
      }
      waiting += piece
      slot.lines[level] = []
      waiting.withUnsafeBufferPointer { write($0, level, id) }
    }
    guard start < bytes.endIndex else { return }
    slot.lines[level, default: []] += bytes[start...]
    if slot.lines[level]!.count >= longest { flush(slot) }
  }

  /// The end of a request: text without a newline becomes a line as well.
  static func flush() {
    guard let slot = Threads.current?.takeUnretainedValue() else { return }
    flush(slot)
  }

  static func flush(_ slot: ThreadSlot) {
    for (level, waiting) in slot.lines where !waiting.isEmpty {
      slot.lines[level] = []
      waiting.withUnsafeBufferPointer { write($0, level, slot.id) }
    }
  }

  private static func write(_ line: UnsafeBufferPointer<UInt8>, _ level: Int32, _ id: nsgi_id) {
    guard let start = line.baseAddress, line.count > 0 else { return }
    let text = UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self)
    Interpreter.host.pointee.log(id, level, nsgi_str(p: text, n: line.count))
  }

  // MARK: Exceptions

  /// Logs the exception that is set and clears it; the traceback, and its last line.
  @discardableResult
  static func exception(_ heading: String? = nil) -> (trace: String, sentence: String) {
    var (type, value, trace): (Object?, Object?, Object?)
    PyErr_Fetch(&type, &value, &trace)
    guard type != nil else { return ("", "") }
    PyErr_NormalizeException(&type, &value, &trace)
    if let value, let trace { PyException_SetTraceback(value, trace) }
    defer {
      py_release_if(type)
      py_release_if(value)
      py_release_if(trace)
    }
    let words = describe(value!)
    if let heading { line(heading, NSGI_ERROR) }
    line(words.trace, NSGI_ERROR)
    return words
  }

  private static func describe(_ value: Object) -> (trace: String, sentence: String) {
    guard let name = PyUnicode_FromString("describe") else { return ("", "") }
    defer { py_release(name) }
    let none = "an exception that cannot be described"
    guard let pair = PyObject_CallMethodOneArg(Interpreter.module, name, value) else {
      PyErr_Clear()
      return (none, none)
    }
    defer { py_release(pair) }
    // Anybody may change the module.
    guard py_is_tuple(pair), py_tuple_size(pair) == 2 else { return (none, none) }
    return (string(py_tuple_item(pair, 0)), string(py_tuple_item(pair, 1)))
  }

  /// The text of a str; surrogates as backslash escapes.
  static func string(_ text: Object?) -> String {
    guard let text, let bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace") else {
      PyErr_Clear()
      return ""
    }
    defer { py_release(bytes) }
    let start = UnsafeRawPointer(py_bytes_start(bytes)!)
    return String(
      decoding: UnsafeRawBufferPointer(start: start, count: py_bytes_size(bytes)), as: UTF8.self)
  }
}
