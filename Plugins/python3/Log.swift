// What Python writes, as lines of the server's log.
import CNSGI
import CPython

/// The server's log, for Python and for the plugin's own words.
enum Log {
  /// A line longer than this goes in pieces.
  private static let longest = 16 * 1024

  /// One line about the request that this thread is with.
  static func line(_ text: String, _ level: nsgi_level) {
    let id = Threads.slot().id
    for part in text.split(separator: "\n", omittingEmptySubsequences: true) {
      var part = String(part)
      part.withUTF8 { write($0, Int32(level.rawValue), id) }
    }
  }

  /// Bytes of a text file: whole lines go on, the rest waits for its end.
  static func append(_ bytes: UnsafeRawBufferPointer, level: Int32) {
    let slot = Threads.slot()
    var start = bytes.startIndex
    while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      let piece = bytes[start..<end]
      start = end + 1
      guard var waiting = slot.lines[level], !waiting.isEmpty else {
        write(UnsafeRawBufferPointer(rebasing: piece).bindMemory(to: UInt8.self), level, slot.id)
        continue
      }
      waiting += piece
      slot.lines[level] = []
      waiting.withUnsafeBufferPointer { write($0, level, slot.id) }
    }
    guard start < bytes.endIndex else { return }
    slot.lines[level, default: []] += bytes[start...]
    if slot.lines[level]!.count >= longest { flush(slot) }
  }

  /// The end of a request: what has no newline is a line as well.
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
    guard let pair = PyObject_CallMethodOneArg(Interpreter.module, name, value) else {
      PyErr_Clear()
      return ("an exception that cannot be described", "an exception that cannot be described")
    }
    defer { py_release(pair) }
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
