// A WebSocket client that says exactly what a test wants said, over a plain socket.
import Foundation

/// One WebSocket from the client's side (RFC 6455); its frames may be as wrong as a test needs them.
public final class WebSocketClient {
  /// The socket underneath.
  public let socket: RawSocket
  /// The server's answer to the handshake.
  public let head: String
  private var frames = ServerFrames()

  /// What the server has sent.
  public enum Frame: Equatable, Sendable {
    case text(String)
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    /// 1005 without a code.
    case close(UInt16, String)
    /// The connection has ended.
    case end
  }

  /// The fields that ask for a WebSocket.
  public static let fields =
    "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

  /// Asks for a WebSocket; throws if the answer is not 101. A small `receiveBuffer` (bytes) makes a slow
  /// client.
  public init(
    _ address: Address, _ target: String = "/", fields: String = "", receiveBuffer: Int32? = nil
  ) throws {
    socket = try RawSocket(address, receiveBuffer: receiveBuffer)
    try socket.send("GET \(target) HTTP/1.1\r\n\(WebSocketClient.fields)\(fields)\r\n")
    head = try socket.receive(until: "\r\n\r\n")
    guard head.hasPrefix("HTTP/1.1 101 ") else { throw SupportError.malformedReply(head) }
  }

  /// A frame as a client sends it.
  public static func frame(
    _ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, reserved: UInt8 = 0,
    key: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]
  ) -> [UInt8] {
    var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | reserved | opcode]
    switch payload.count {
    case ..<126: bytes.append(0x80 | UInt8(payload.count))
    case ...0xffff: bytes += [0xfe, UInt8(payload.count >> 8), UInt8(payload.count & 0xff)]
    default:
      bytes.append(0xff)
      bytes += (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
    }
    return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
  }

  public func send(_ text: String) throws { try socket.send(Self.frame(1, Array(text.utf8))) }
  public func send(_ bytes: [UInt8]) throws { try socket.send(Self.frame(2, bytes)) }

  /// Sends a close frame.
  public func close(_ code: UInt16, _ reason: String = "") throws {
    try socket.send(Self.frame(8, [UInt8(code >> 8), UInt8(code & 0xff)] + Array(reason.utf8)))
  }

  /// The next frame of the server's.
  public func next() throws -> Frame { try frames.next { try socket.receive(max(4096, $0)) } }
}

/// The frames of a server, out of the bytes that come from it.
struct ServerFrames {
  /// Bytes that belong to no frame yet.
  private var waiting: [UInt8] = []

  /// There are bytes of a next frame.
  var hasBytes: Bool { !waiting.isEmpty }

  /// The next frame.
  ///
  /// - Parameter more: waits for bytes, of which so many are missing at least; none at the end.
  mutating func next(_ more: (Int) throws -> [UInt8]) throws -> WebSocketClient.Frame {
    guard let head = try take(2, more) else { return .end }
    var count = Int(head[1])
    if count == 126 || count == 127 {
      guard let length = try take(count == 126 ? 2 : 8, more) else { return .end }
      count = length.reduce(0) { $0 << 8 | Int($1) }
    }
    guard let payload = try take(count, more) else { return .end }
    switch head[0] {
    case 0x81: return .text(String(decoding: payload, as: UTF8.self))
    case 0x82: return .binary(payload)
    case 0x89: return .ping(payload)
    case 0x8a: return .pong(payload)
    case 0x88 where payload.count >= 2:
      let reason = String(decoding: payload[2...], as: UTF8.self)
      return .close(UInt16(payload[0]) << 8 | UInt16(payload[1]), reason)
    case 0x88: return .close(1005, "")
    default: throw SupportError.malformedReply("a frame that begins with \(head)")
    }
  }

  private mutating func take(_ count: Int, _ more: (Int) throws -> [UInt8]) throws -> [UInt8]? {
    while waiting.count < count {
      let some = try more(count - waiting.count)
      guard !some.isEmpty else { return nil }
      waiting += some
    }
    defer { waiting.removeFirst(count) }
    return Array(waiting.prefix(count))
  }
}
