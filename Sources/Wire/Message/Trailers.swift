/// Fields that mean something in a head only, and are no trailers (RFC 9110 §6.5.1): framing, routing,
/// authentication, request modifiers, control of caches, the format of the content, and fields of the
/// connection. The same as in Go's net/http, and cookies.
enum HeadOnlyFields {
  /// Whether a field of this name, whatever its case, is one of them.
  static func holds(_ name: UnsafeRawBufferPointer) -> Bool {
    switch name.count {
    case 2: Ascii.matches(name, "te")
    case 4: Ascii.matches(name, "host")
    case 5: Ascii.matches(name, "range") || Ascii.matches(name, "proxy")
    case 6:
      Ascii.matches(name, "cookie") || Ascii.matches(name, "expect") || Ascii.matches(name, "pragma")
        || Ascii.matches(name, "status")
    case 7: Ascii.matches(name, "trailer") || Ascii.matches(name, "upgrade")
    case 8: Ascii.matches(name, "if-match") || Ascii.matches(name, "if-range")
    case 10:
      Ascii.matches(name, "connection") || Ascii.matches(name, "keep-alive")
        || Ascii.matches(name, "set-cookie") || Ascii.matches(name, "x-sendfile")
    case 12: Ascii.matches(name, "content-type") || Ascii.matches(name, "max-forwards")
    case 13:
      Ascii.matches(name, "authorization") || Ascii.matches(name, "cache-control")
        || Ascii.matches(name, "content-range") || Ascii.matches(name, "if-none-match")
    case 14: Ascii.matches(name, "content-length")
    case 16:
      Ascii.matches(name, "content-encoding") || Ascii.matches(name, "www-authenticate")
        || Ascii.matches(name, "proxy-connection")
    case 17: Ascii.matches(name, "transfer-encoding") || Ascii.matches(name, "if-modified-since")
    case 18: Ascii.matches(name, "proxy-authenticate")
    case 19: Ascii.matches(name, "proxy-authorization") || Ascii.matches(name, "if-unmodified-since")
    default: false
    }
  }
}

/// The fields behind a response's body, as an application gives them: validated, and kept as lines,
/// `Name: value CR LF`.
public struct TrailerSection: ~Copyable {
  /// All of them, ready to be sent.
  public private(set) var lines = ByteBuffer()
  /// Their names, as the value of the field Trailer (RFC 9110 §6.6.2).
  private(set) var names = ByteBuffer()
  /// Bytes of lines at most.
  private let limit: Int

  public init(limit: Int) { self.limit = limit }

  /// Adds a field after checking name and value.
  public mutating func add(
    name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
  ) throws(ResponseError) {
    guard Ascii.isToken(name) else { throw .invalidName }
    guard Ascii.isFieldValue(value) else { throw .invalidValue }
    guard !HeadOnlyFields.holds(name) else { throw .headOnly }
    guard lines.count + name.count + value.count + 4 <= limit else { throw .tooLarge }
    lines.append(name)
    lines.append(": ")
    lines.append(value)
    lines.append("\r\n")
    if !names.isEmpty { names.append(", ") }
    names.append(name)
  }
}
