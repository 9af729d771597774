/// The meta-variables of a request that every gateway has in common (RFC 3875 §4.1), normalised: the same
/// request gives the same values whatever protocol brought it.
@frozen public struct MetaVariables: Sendable {
  public var method = Text.empty
  /// Where the app is mounted; "" or "/segment…", never "/".
  public var scriptName = Text.empty
  /// The path below the mount, percent-decoded; "" or "/…".
  public var pathInfo = Text.empty
  /// Query without "?"; never absent.
  public var query = Text.empty
  /// The request target as the client sent it, still encoded.
  public var requestURI = Text.empty
  /// "HTTP/1.1" and so on, as the client spoke it.
  public var serverProtocol = Text.empty
  /// "http" or "https".
  public var scheme = Text("http")
  public var remoteAddr = Text.empty
  /// The client's port as a trusted peer says it, a number; absent if none does.
  public var remotePort = Text.absent
  /// A proxy has said who the client is: the connection's own port is not the client's.
  public var isForwarded = false
  /// A trusted proxy has sent the request: its word counts.
  public var isFromTrusted = false
  /// A host name or an address, without a port.
  public var serverName = Text.empty
  /// As a front end says it, a number; absent if none does.
  public var serverPort = Text.absent
  /// HTTP: the authority of an absolute-form target, which replaces Host; absent with any other.
  public var host = Text.absent
  /// Absent without a body or if the client named none.
  public var contentType = Text.absent
  /// Body length; -1 unknown (chunked), 0 none.
  public var contentLength: Int64 = 0
  /// PATH_INFO begins with SCRIPT_NAME, and nothing says whether it is the whole path.
  public var mayHaveWholePath = false

  @inlinable @inline(__always)
  public init() {}
}

/// What the normaliser cannot turn into an honest environ; the peer's fault, status 400.
@frozen public enum NormalizeError: GatewayError {
  /// "%" without two hexadecimal digits in the path (RFC 3986 §2.1).
  case malformedEscape
  /// "%00" in the path: it would cut a C string short.
  case escapedNul

  public var status: Int { 400 }

  public var description: String {
    switch self {
    case .malformedEscape: "request path holds a % that two hexadecimal digits do not follow"
    case .escapedNul: "request path holds %00"
    }
  }
}

/// What is known about a connection besides its bytes.
@frozen public struct ConnectionFacts: Sendable {
  public var gateway: Gateway
  /// Text of the peer's address; "" for a unix socket.
  public var remoteAddr: Text
  /// Address of the listener, for SERVER_NAME when the client names no host.
  public var localName: Text
  /// Take SCRIPT_NAME and PATH_INFO together as the path (lighttpd's "/" prefix).
  public var fixesRootScriptName: Bool

  public init(gateway: Gateway, remoteAddr: Text, localName: Text, fixesRootScriptName: Bool) {
    self.gateway = gateway
    self.remoteAddr = remoteAddr
    self.localName = localName
    self.fixesRootScriptName = fixesRootScriptName
  }
}
