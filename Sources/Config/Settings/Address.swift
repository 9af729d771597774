// The address of a listening socket, as text and as a value: `host:port`, `:port`, `[v6]:port`, `/path.sock`,
// `dir/path.sock`, `@abstract`, `fd://N`.

/// The address of one listening socket. A numeric host is checked here; nothing is resolved.
public enum Address: Sendable, Equatable, CustomStringConvertible {
  /// TCP. `host` is an IPv4 or IPv6 address as text without brackets, `localhost`, or "" for all
  /// interfaces; port 0 lets the kernel choose one.
  case inet(host: String, port: UInt16)
  /// A unix socket file, absolute or relative to the working directory; at most 107 bytes.
  case unix(path: String)
  /// A name in Linux's abstract unix socket space, without the leading `@`; at most 107 bytes.
  case abstract(name: String)
  /// Bound and listening already: a descriptor handed over by the launcher.
  case descriptor(Int32)

  /// The longest path or name that fits `sockaddr_un` (108 bytes with the terminating or leading NUL;
  /// unix(7)).
  public static let unixPathBytes = 107

  /// Reads an address as it is written on the command line.
  public init(parsing text: String) throws(AddressError) {
    if text.isEmpty { throw .empty }
    if text.utf8.contains(0) { throw .holdsNUL }
    if text.hasPrefix("@") {
      self = .abstract(name: try Self.bounded(String(text.dropFirst()), emptyIs: .emptyName))
    } else if text.hasPrefix("unix:") {
      self = .unix(path: try Self.socketPath(String(text.dropFirst(5))))
    } else if text.hasPrefix("fd://") {
      self = .descriptor(try Self.descriptor(text.dropFirst(5)))
    } else if text.holds("://") {
      throw .isURL(text)
    } else if text.utf8.contains(Ascii.slash) {
      self = .unix(path: try Self.socketPath(text))
    } else {
      self = try Self.inet(parsing: text)
    }
  }

  /// Whether it is already bound.
  public var isDescriptor: Bool { if case .descriptor = self { true } else { false } }

  /// The address as it is written on the command line.
  public var description: String {
    switch self {
    case .inet(let host, let port): host.utf8.contains(Ascii.colon) ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): path.utf8.contains(Ascii.slash) ? path : "./" + path
    case .abstract(let name): "@" + name
    case .descriptor(let number): "fd://\(number)"
    }
  }

  private static func descriptor(_ digits: Substring) throws(AddressError) -> Int32 {
    guard !digits.isEmpty, digits.utf8.allSatisfy(Ascii.isDigit), let number = Int32(digits),
      number < Limits.connectionsMaximum
    else { throw .badDescriptor(String(digits)) }
    return number
  }

  private static func socketPath(_ path: String) throws(AddressError) -> String {
    if path.hasSuffix("/") { throw .directory(path) }
    return try bounded(path, emptyIs: .empty)
  }

  private static func bounded(_ text: String, emptyIs error: AddressError) throws(AddressError) -> String {
    if text.isEmpty { throw error }
    if text.utf8.count > unixPathBytes { throw .pathTooLong(bytes: text.utf8.count) }
    return text
  }

  private static func inet(parsing text: String) throws(AddressError) -> Address {
    if text.hasPrefix("[") { return try bracketed(text) }
    guard let colon = text.utf8.lastIndex(of: Ascii.colon) else { throw .withoutPort(text) }
    let host = String(text[..<colon])
    if host.utf8.contains(Ascii.colon) { throw .bareV6(text) }
    let port = try port(text[text.utf8.index(after: colon)...], of: text)
    switch host {
    case "", "*": return .inet(host: "", port: port)
    case "localhost": return .inet(host: host, port: port)
    default:
      if IPAddress(parsing: host)?.isV4 == true { return .inet(host: host, port: port) }
      throw host.utf8.allSatisfy { Ascii.isDigit($0) || $0 == Ascii.dot }
        ? .badV4(host) : .hostName(host, port)
    }
  }

  private static func bracketed(_ text: String) throws(AddressError) -> Address {
    guard let bracket = text.utf8.lastIndex(of: Ascii.rightBracket) else { throw .openBracket(text) }
    let host = String(text[text.utf8.index(after: text.startIndex)..<bracket])
    if host.utf8.contains(Ascii.percent) { throw .zone(host) }
    guard let address = IPAddress(parsing: host), !address.isV4 else { throw .badV6(host) }
    let rest = text[text.utf8.index(after: bracket)...]
    guard rest.hasPrefix(":") else { throw .portMissing(example: "[\(host)]:8080") }
    return .inet(host: host, port: try port(rest.dropFirst(), of: text))
  }

  private static func port(_ digits: Substring, of text: String) throws(AddressError) -> UInt16 {
    if digits.isEmpty { throw .portMissing(example: "\(text)8080") }
    guard digits.utf8.allSatisfy(Ascii.isDigit) else { throw .portNotANumber(String(digits)) }
    guard digits.utf8.count <= 5, let port = UInt16(digits) else { throw .portTooBig(String(digits)) }
    return port
  }
}
