// A WebSocket on a stream of HTTP/2 that says exactly what a test wants said.
import Foundation

/// One WebSocket from the client's side, on a stream of a connection that may have others (RFC 8441); its
/// frames may be as wrong as a test needs them.
public final class HTTP2Socket {
  /// The connection.
  public let client: HTTP2Client
  /// Its stream.
  public let id: UInt32
  private var frames = ServerFrames()
  /// Bytes of DATA that were looked at.
  private var taken = 0

  /// The fields that ask for a WebSocket, behind :protocol and the others.
  public static let fields = [(name: "sec-websocket-version", value: "13")]

  /// Asks for a WebSocket; throws if the answer is not 200.
  public init(
    _ client: HTTP2Client, _ target: String = "/", fields: [(name: String, value: String)] = []
  ) throws {
    self.client = client
    id = try client.connect(target, fields: HTTP2Socket.fields + fields)
    let answer = try client.head(id)
    guard answer.status == 200 else {
      throw SupportError.malformedReply("status \(answer.status), \(answer.ending): \(answer.text)")
    }
  }

  /// The values of a field of the answer, joined.
  public subscript(name: String) -> String? { client.soFar(id)[name] }
  /// How the stream has ended, as far as it was read.
  public var ending: HTTP2Client.Answer.Ending { client.soFar(id).ending }

  // MARK: Sending

  /// Sends bytes as they are, as the server's windows take them; false when the stream has ended before.
  @discardableResult
  public func say(_ bytes: [UInt8]) throws -> Bool { try client.upload(id, bytes) }

  public func send(_ text: String) throws { try say(WebSocketClient.frame(1, Array(text.utf8))) }
  public func send(_ bytes: [UInt8]) throws { try say(WebSocketClient.frame(2, bytes)) }

  /// Sends a close frame.
  public func close(_ code: UInt16, _ reason: String = "") throws {
    try say(WebSocketClient.frame(8, [UInt8(code >> 8), UInt8(code & 0xff)] + Array(reason.utf8)))
  }

  /// Ends this side of the stream: END_STREAM.
  public func end() throws { try client.send(HTTP2Bytes.data, HTTP2Bytes.endStream, id) }

  /// Ends the stream at once: CANCEL.
  public func reset() throws { try client.reset(id) }

  // MARK: Receiving

  /// The next frame of the server's; `end` however the stream has ended.
  public func next() throws -> WebSocketClient.Frame { try frames.next { _ in try more() } }

  /// Something has come that was not taken: bytes, or the end. Does not wait.
  public func hasNews() throws -> Bool {
    try client.takeIn()
    return frames.hasBytes || client.soFar(id).body.count > taken || ending != .open
  }

  /// So many bytes as they are; fewer at the end.
  public func receive(exactly count: Int) throws -> [UInt8] {
    while client.soFar(id).body.count < taken + count, ending == .open { try client.pump() }
    let bytes = Array(client.soFar(id).body[taken...].prefix(count))
    taken += bytes.count
    return bytes
  }

  private func more() throws -> [UInt8] {
    while client.soFar(id).body.count == taken, ending == .open { try client.pump() }
    let bytes = Array(client.soFar(id).body[taken...])
    taken += bytes.count
    return bytes
  }
}
