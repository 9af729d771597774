// The rules for a status and for header fields (PEP 3333, "The start_response() Callable"; RFC 9110 §5).
import CNSGI
import CPython
import Glibc

/// The arguments of start_response, checked.
enum Head {
  /// The elements that a byte may be part of.
  private nonisolated(unsafe) static let classes: UnsafeMutablePointer<UInt8> = {
    let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
    for byte in 0..<256 { table[byte] = byte >= 0x20 && byte != 0x7f || byte == 9 ? isText : 0 }
    for byte in "!#$%&'*+-.^_`|~".utf8 { table[Int(byte)] |= isToken }
    for range in [0x30...0x39, 0x41...0x5a, 0x61...0x7a] { for byte in range { table[byte] |= isToken } }
    return table
  }()
  private static let isText: UInt8 = 1
  private static let isToken: UInt8 = 2

  /// "200 OK" as 200; nil with an exception set. `reason` gets a phrase that the server has to be told.
  @inline(__always)
  static func status(_ text: Object, _ reason: inout nsgi_str) -> Int32? {
    var count = 0
    guard py_is_str(text) else {
      _ = raise(py_type_error(), "the status of start_response is a str such as '200 OK'")
      return nil
    }
    guard let bytes = latin1(text, &count), count >= 3, all(bytes, count, isText),
      count == 3 || bytes[3] == 0x20, let number = digits(bytes, 3), number >= 200, number < 600
    else {
      _ = raise(
        py_value_error(),
        "the status of start_response is three digits from 200 to 599, a space and a reason, without control "
          + "characters")
      return nil
    }
    reason = nsgi_str(p: nil, n: 0)
    let isOK = number == 200 && count == 6 && bytes[4] == UInt8(ascii: "O") && bytes[5] == UInt8(ascii: "K")
    if count > 4, !isOK { reason = string(bytes + 4, count - 4) }
    return Int32(number)
  }

  /// What happens to a field.
  enum Field {
    case good(nsgi_pair)
    /// The server sends it, or something better, itself: nothing is lost.
    case dropped
    /// An exception is set.
    case refused
  }

  /// Checks one field; `declared` gets Content-Length.
  @inline(__always)
  static func field(_ name: Object, _ value: Object, _ declared: inout Int64) -> Field {
    var (nameCount, valueCount) = (0, 0)
    guard py_is_str(name), py_is_str(value) else {
      return refuse(py_type_error(), "the name and the value of a header are str", name)
    }
    guard let nameBytes = latin1(name, &nameCount), nameCount > 0, all(nameBytes, nameCount, isToken) else {
      return refuse(py_value_error(), "the name of a header is a token", name)
    }
    guard let valueBytes = latin1(value, &valueCount), all(valueBytes, valueCount, isText) else {
      return refuse(
        py_value_error(), "the value of a header has no control characters, and none above U+00FF", name)
    }
    if nameCount == lengthName, isSame(nameBytes, "content-length") {
      guard let length = digits(valueBytes, valueCount) else {
        return refuse(py_value_error(), "Content-Length is a number", name)
      }
      declared = length
    } else if nameCount == connectionCount, isConnection(nameBytes) {
      return .dropped
    } else if isReserved(nameBytes, nameCount) {
      return refuse(
        py_assertion_error(), "this header belongs to the connection, which is the server's (hop-by-hop)",
        name)
    }
    return .good(nsgi_pair(name: string(nameBytes, nameCount), value: string(valueBytes, valueCount)))
  }

  /// Bytes of "Content-Length".
  static let lengthName = 14

  /// Notes the Content-Length in a field that has been checked before.
  static func note(_ field: nsgi_pair, _ declared: inout Int64) {
    let bytes = { (text: nsgi_str) in UnsafeRawPointer(text.p!).assumingMemoryBound(to: UInt8.self) }
    guard isSame(bytes(field.name), "content-length") else { return }
    declared = digits(bytes(field.value), field.value.n) ?? -1
  }

  private static func refuse(_ type: Object?, _ message: String, _ name: Object) -> Field {
    var shown = "?"
    if let text = PyObject_Repr(name) {
      shown = Log.string(text)
      py_release(text)
    } else {
      PyErr_Clear()
    }
    _ = raise(type, "\(message): \(shown)")
    return .refused
  }

  @inline(__always)
  private static func string(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> nsgi_str {
    nsgi_str(p: UnsafeRawPointer(bytes).assumingMemoryBound(to: CChar.self), n: count)
  }

  @inline(__always)
  private static func latin1(_ text: Object, _ count: inout Int) -> UnsafePointer<UInt8>? {
    UnsafeRawPointer(py_latin1(text, &count))?.assumingMemoryBound(to: UInt8.self)
  }

  @inline(__always)
  private static func all(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ kind: UInt8) -> Bool {
    let table = classes
    for index in 0..<count where table[Int(bytes[index])] & kind == 0 { return false }
    return true
  }

  @inline(__always)
  private static func digits(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int64? {
    guard count > 0, count < 19 else { return nil }
    var result: Int64 = 0
    for index in 0..<count {
      let digit = bytes[index] &- 0x30
      guard digit < 10 else { return nil }
      result = result * 10 + Int64(digit)
    }
    return result
  }

  private static func isSame(_ bytes: UnsafePointer<UInt8>, _ name: StaticString) -> Bool {
    strncasecmp(
      UnsafeRawPointer(bytes).assumingMemoryBound(to: CChar.self),
      UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self), name.utf8CodeUnitCount) == 0
  }

  private static let connectionCount = 10

  /// `Connection` and `Keep-Alive`, which many recipes for event streams set.
  private static func isConnection(_ bytes: UnsafePointer<UInt8>) -> Bool {
    isSame(bytes, "connection") || isSame(bytes, "keep-alive")
  }

  /// Other fields of the connection (RFC 9110 §7.6.1), and `Status`, which is CGI's.
  @inline(__always)
  private static func isReserved(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    switch count {
    case 2: isSame(bytes, "te")
    case 6: isSame(bytes, "status")
    case 7: isSame(bytes, "trailer") || isSame(bytes, "upgrade")
    case 8: isSame(bytes, "trailers")
    case 16: isSame(bytes, "proxy-connection")
    case 17: isSame(bytes, "transfer-encoding")
    case 18: isSame(bytes, "proxy-authenticate")
    case 19: isSame(bytes, "proxy-authorization")
    default: false
    }
  }
}
