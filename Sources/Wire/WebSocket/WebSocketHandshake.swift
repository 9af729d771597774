/// A request for a WebSocket (RFC 6455 §4.1; over HTTP/2 RFC 8441 §5), as given by its fields.
public struct WebSocketHandshake {
  /// Errors of a client in it, answered with `status`.
  @frozen public enum Failure: GatewayError, Equatable {
    /// Not GET.
    case method
    /// Below HTTP/1.1, which has no Upgrade.
    case httpVersion
    /// Connection does not name Upgrade (§4.2.1).
    case connection
    /// Sec-WebSocket-Version is absent or not 13.
    case version
    /// No Sec-WebSocket-Key.
    case keyMissing
    /// Sec-WebSocket-Key is not 16 bytes in base64.
    case keyMalformed
    /// Sec-WebSocket-Protocol is not a list of tokens.
    case protocolMalformed
    /// Sec-WebSocket-Extensions is not a list of names with parameters.
    case extensionsMalformed

    public var status: Int { self == .version ? 426 : 400 }

    public var description: String {
      switch self {
      case .method: "a WebSocket is asked for with GET"
      case .httpVersion: "a WebSocket is asked for in HTTP/1.1"
      case .connection: "a WebSocket is asked for with Connection: Upgrade"
      case .version: "Sec-WebSocket-Version is not 13"
      case .keyMissing: "Sec-WebSocket-Key is missing"
      case .keyMalformed: "Sec-WebSocket-Key is not one of 16 bytes in base64"
      case .protocolMalformed: "Sec-WebSocket-Protocol is not a list of names"
      case .extensionsMalformed: "Sec-WebSocket-Extensions is not a list of names with parameters"
      }
    }
  }

  /// The fields' values; a field that occurs more than once, joined with commas. nil: absent.
  public var method = UnsafeRawBufferPointer.none
  public var isHTTP11 = true
  /// Asked for by extended CONNECT, in which `method` is GET here: HTTP/2 needs neither a key nor Connection.
  public var isExtended = false
  public var upgrade: UnsafeRawBufferPointer?
  /// nil with a gateway whose front end does not pass it on: not checked.
  public var connection: UnsafeRawBufferPointer?
  public var key: UnsafeRawBufferPointer?
  public var version: UnsafeRawBufferPointer?
  public var protocols: UnsafeRawBufferPointer?
  public var extensions: UnsafeRawBufferPointer?

  public init() {}

  /// The client asks for a WebSocket, well-formed or not.
  public static func isAsked(upgrade: UnsafeRawBufferPointer) -> Bool { has(upgrade, "websocket") }

  /// Throws the error in it.
  public func check() throws(Failure) {
    guard Ascii.equals(method, "GET") else { throw .method }
    guard isHTTP11 else { throw .httpVersion }
    if let connection, !WebSocketHandshake.has(connection, "upgrade") { throw .connection }
    guard let version, Ascii.equals(version, "13") else { throw .version }
    if !isExtended {
      guard let key, !key.isEmpty else { throw .keyMissing }
      guard WebSocketHandshake.isKey(key) else { throw .keyMalformed }
    }
    if let protocols, !WebSocketHandshake.isNameList(protocols) { throw .protocolMalformed }
    if let extensions, !WebSocketDeflate.isList(extensions) { throw .extensionsMalformed }
  }

  /// One token at least; empty members are ignored (RFC 9110 §5.6.1.2).
  private static func isNameList(_ list: UnsafeRawBufferPointer) -> Bool {
    var (position, count) = (0, 0)
    while let name = MessageRules.member(list, &position) {
      if name.isEmpty { continue }
      guard Ascii.isToken(name) else { return false }
      count += 1
    }
    return count > 0
  }

  /// The status that answers an error in it; without Upgrade, there is no 426.
  public func status(of failure: Failure) -> Int {
    isExtended && failure == .version ? 400 : failure.status
  }

  /// Whether the client offers a subprotocol; names are compared exactly (§4.1).
  public func offers(_ name: UnsafeRawBufferPointer) -> Bool {
    guard let protocols else { return false }
    var position = 0
    while let member = MessageRules.member(protocols, &position) {
      if member.elementsEqual(name) { return true }
    }
    return false
  }

  /// Sec-WebSocket-Accept for a key (§4.2.2): 28 bytes.
  public static func accept(_ key: UnsafeRawBufferPointer) -> [UInt8] {
    Base64.encode(SHA1.digest(Array(key) + Array(WebSocketGrammar.magic.utf8)))
  }

  private static func isKey(_ key: UnsafeRawBufferPointer) -> Bool {
    key.count == WebSocketGrammar.keyBytes && key[23] == 0x3d && key[22] == 0x3d
      && Base64.decode(key)?.count == 16
  }

  private static func has(_ list: UnsafeRawBufferPointer, _ token: StaticString) -> Bool {
    var position = 0
    while let member = MessageRules.member(list, &position) {
      if Ascii.matches(member, token) { return true }
    }
    return false
  }
}
