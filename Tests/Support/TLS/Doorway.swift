// A server behind one of the ways in of browsers: HTTP/1.1 over TLS, and HTTP/2 with TLS and without.
import Foundation

/// One such server, and clients of it.
public final class Doorway: Sendable {
  /// The way in.
  public enum Kind: String, CaseIterable, Sendable {
    /// HTTP/1.1 over TLS.
    case https
    /// HTTP/2 by prior knowledge.
    case h2c
    /// HTTP/2 over TLS.
    case h2
    /// Requests are streams.
    public var isHTTP2: Bool { self != .https }
  }

  /// The way in.
  public let kind: Kind
  /// The server.
  public let server: ServerProcess
  private let certificates: Certificates?
  private let relay: TLSRelay?

  /// Starts a server that has this way in alone.
  public init(_ kind: Kind, app: String? = Repository.app("environ"), _ options: [String] = []) throws {
    self.kind = kind
    if kind == .h2c {
      server = try ServerProcess(app: app, ["--http-socket", "127.0.0.1:0"] + options)
      (certificates, relay) = (nil, nil)
    } else {
      let made = try Certificates()
      try made.make("a", hosts: "DNS:a.test")
      let started = try ServerProcess(app: app, ["--https-socket", made.socket("a")] + options)
      relay = try TLSRelay(
        started.address("https"), made, speaking: kind == .h2 ? "h2" : "http/1.1")
      (server, certificates) = (started, made)
    }
  }

  /// A connection on which the protocol below TLS is spoken.
  public func connect(receiveBuffer: Int32? = nil) throws -> RawSocket {
    try RawSocket(relay?.address ?? server.address("http"), receiveBuffer: receiveBuffer)
  }

  /// A connection of HTTP/2; its parameters are those of the client.
  public func client(window: UInt32 = HTTP2Client.widest, givesBack: Bool = false) throws -> HTTP2Client {
    try HTTP2Client(connect(), window: window, givesBack: givesBack)
  }

  /// One whole request on a connection of its own; `fields` in small letters.
  public func exchange(
    _ target: String, body: [UInt8] = [], fields: [(name: String, value: String)] = []
  ) throws -> Reply {
    if kind.isHTTP2 { return try client().exchange(target, body: body, fields: fields).reply() }
    var request = HTTP1Request()
    (request.method, request.target, request.body) = (body.isEmpty ? "GET" : "POST", target, body)
    request.fields = [(name: "Host", value: "localhost"), (name: "Connection", value: "close")] + fields
    let socket = try connect()
    try socket.send(request.bytes)
    return try socket.receiveReply()
  }
}
