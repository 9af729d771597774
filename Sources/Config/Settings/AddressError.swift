/// Why a text is not an `Address`: what is wrong, and what to write instead.
public enum AddressError: ComplaintError {
  case empty, emptyName, holdsNUL
  case isURL(String)
  case directory(String)
  case pathTooLong(bytes: Int)
  case portMissing(example: String)
  case portNotANumber(String)
  case portTooBig(String)
  case badV4(String)
  case badV6(String)
  case bareV6(String)
  case openBracket(String)
  case zone(String)
  case hostName(String, UInt16)
  case socketNameWithoutSlash(String)
  case portAlone(String)
  case badDescriptor(String)

  /// What is wrong, without a full stop.
  public var problem: String {
    switch self {
    case .empty: "the address is empty"
    case .emptyName: "the abstract name is empty"
    case .holdsNUL: "an address cannot hold a NUL byte"
    case .isURL: "an address is wanted here, not a URL"
    case .directory(let path): "\(path) is a directory"
    case .pathTooLong(let bytes):
      "\(bytes) bytes are more than the \(Address.unixPathBytes) of a unix socket's name"
    case .portMissing: "the port is missing"
    case .portNotANumber(let text): "\"\(text)\" is not a port number"
    case .portTooBig(let text): "port \(text) is above 65535"
    case .badV4(let host): "\"\(host)\" is not an IPv4 address"
    case .badV6(let host): "\"\(host)\" is not an IPv6 address"
    case .bareV6: "an IPv6 address stands in brackets"
    case .openBracket: "the bracket is not closed"
    case .zone: "an address with a zone (%) cannot be listened on"
    case .hostName(let host, _): "\"\(host)\" is a name, and a socket is bound to a numeric address"
    case .socketNameWithoutSlash: "a unix socket is recognised by a slash in its path"
    case .portAlone: "a port alone is ambiguous"
    case .badDescriptor(let text): "\"\(text)\" is not the number of a descriptor"
    }
  }

  /// What to write instead.
  public var fix: String {
    switch self {
    case .empty, .holdsNUL: "write 127.0.0.1:8080, :8080, [::1]:8080, /run/app.sock or @name"
    case .emptyName: "write @name"
    case .isURL(let url): "write \(Self.authority(of: url))"
    case .directory(let path): "write \(path)app.sock"
    case .pathTooLong: "choose a shorter path, such as /run/app.sock"
    case .portMissing(let example): "write \(example)"
    case .portNotANumber: "write a number from 0 to 65535 (0: any free port)"
    case .portTooBig: "choose one from 0 to 65535 (0: any free port)"
    case .badV4: "write four numbers from 0 to 255, as in 127.0.0.1:8080"
    case .badV6: "write it as in [::1]:8080"
    case .bareV6(let text):
      IPAddress(parsing: text) == nil ? "write [::1]:8080" : "write [\(text)]:8080"
    case .openBracket: "write [::1]:8080"
    case .zone: "leave the zone out, or listen on all interfaces with :8080"
    case .hostName(_, let port): "write 127.0.0.1:\(port), or :\(port) for all interfaces"
    case .socketNameWithoutSlash(let name): "write ./\(name)"
    case .badDescriptor: "write fd://0, or fd://3 for systemd's first"
    case .portAlone(let port): "write 127.0.0.1:\(port), or :\(port) for all interfaces"
    }
  }

  /// The same if a port alone means this machine, as for sockets for watchers.
  public var fixForWatchers: String {
    switch self {
    case .hostName(_, let port): "write :\(port), or *:\(port) for all interfaces"
    case .portAlone(let port): "write :\(port) for this machine alone, or *:\(port) for all interfaces"
    case .zone: "leave the zone out, or listen on all interfaces with *:8080"
    default: fix
    }
  }

  /// A text without slash and colon: a port, a host or a socket's file name.
  static func withoutPort(_ text: String) -> AddressError {
    if text.utf8.allSatisfy(Ascii.isDigit) { return .portAlone(text) }
    if text == "localhost" || IPAddress(parsing: text) != nil { return .portMissing(example: text + ":8080") }
    return text.hasSuffix(".sock") || text.hasSuffix(".socket")
      ? .socketNameWithoutSlash(text)
      : .portMissing(example: "127.0.0.1:8080, or ./\(text) for a unix socket")
  }

  private static func authority(of url: String) -> String {
    guard let scheme = url.range(ofBytes: "://") else { return "127.0.0.1:8080" }
    let rest = url[scheme.upperBound...]
    let host = rest[..<(rest.utf8.firstIndex(of: Ascii.slash) ?? rest.endIndex)]
    guard let address = try? Address(parsing: String(host)) else { return "127.0.0.1:8080" }
    return address.description
  }
}
