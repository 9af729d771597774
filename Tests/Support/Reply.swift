// A response as a client sees it: read from an HTTP connection, or from a gateway's `Status:` form.
import Foundation

/// One response.
public struct Reply: Sendable {
  /// Status code.
  public var status: Int
  /// Reason phrase as sent.
  public var reason: String
  /// Fields in their order, names as sent.
  public var fields: [(name: String, value: String)]
  /// The content, decoded.
  public var body: [UInt8]
  /// The content came whole: its length was kept, the last chunk seen, or its end is the connection's.
  public var isComplete = true
  /// Interim responses before it, where a client reports them together.
  public var interim: [Reply] = []
  /// The trailer fields of a chunked response, or of one over HTTP/2.
  public var trailers: [(name: String, value: String)] = []

  /// The content as text.
  public var text: String { String(decoding: body, as: UTF8.self) }

  /// The value of the only field of this name; nil without; several are joined with " | ", so that a
  /// comparison with one value fails.
  public subscript(name: String) -> String? {
    let values = fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    return values.isEmpty ? nil : values.joined(separator: " | ")
  }

  /// Reads a head: an HTTP/1.x status line, or the `Status:` form of the gateway protocols (200 without
  /// it).
  public init(head: String) throws(SupportError) {
    guard head.hasSuffix("\r\n\r\n") else { throw .malformedReply("head without end: \(head)") }
    // CR LF is one Character in Swift: two of them end the head.
    var lines = head.dropLast(2).split(separator: "\r\n", omittingEmptySubsequences: false)[...]
    status = 200
    reason = ""
    fields = []
    body = []
    let isHTTP = head.hasPrefix("HTTP/1.") || head.hasPrefix("HTTP/2 ")
    if isHTTP {
      let parts = lines.removeFirst().split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, [6, 8].contains(parts[0].count), let code = Int(parts[1]), parts[1].count == 3
      else { throw .malformedReply("status line of: \(head)") }
      status = code
      reason = String(parts[2])
    }
    for line in lines {
      guard let colon = line.firstIndex(of: ":"), colon > line.startIndex
      else { throw .malformedReply("field \(line)") }
      let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
      fields.append((String(line[..<colon]), value))
    }
    if !isHTTP, let value = self["status"] {
      guard let code = Int(value.prefix(3)) else { throw .malformedReply("Status: \(value)") }
      status = code
      reason = String(value.dropFirst(4))
      fields.removeAll { $0.name.lowercased() == "status" }
    }
  }

  /// Reads one whole gateway response: head and content until the end of the stream. `toHead` when the
  /// request was HEAD, whose answer may announce content that does not come.
  public init(gateway bytes: [UInt8], toHead: Bool = false) throws(SupportError) {
    guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound
    else { throw .malformedReply("no head in: \(String(decoding: bytes.prefix(400), as: UTF8.self))") }
    try self.init(head: String(decoding: bytes[..<end], as: UTF8.self))
    body = Array(bytes[end...])
    if toHead || status == 204 || status == 304 { return }
    if let length = self["content-length"].flatMap(Int.init) { isComplete = body.count == length }
  }
}

extension RawSocket {
  /// Reads one HTTP/1.1 response by its framing (RFC 9112 §6.3); `toHead` when the request was HEAD.
  public func receiveReply(toHead: Bool = false, _ deadline: Deadline = .usual) throws -> Reply {
    var reply = try Reply(head: try receive(until: "\r\n\r\n", deadline))
    if toHead || reply.status < 200 || reply.status == 204 || reply.status == 304 { return reply }
    if reply["transfer-encoding"] == "chunked" {
      try receiveChunks(&reply, deadline)
    } else if let text = reply["content-length"] {
      guard let length = Int(text) else { throw SupportError.malformedReply("Content-Length: \(text)") }
      while reply.body.count < length {
        let some = try receive(length - reply.body.count, deadline)
        if some.isEmpty { reply.isComplete = false; break }
        reply.body += some
      }
    } else {
      reply.body = try receiveAll(deadline)
    }
    return reply
  }

  /// Reads one response and then the end of the connection; anything after the response is an error.
  public func receiveLastReply(toHead: Bool = false, _ deadline: Deadline = .usual) throws -> Reply {
    let reply = try receiveReply(toHead: toHead, deadline)
    let rest = try receiveAll(deadline)
    guard rest.isEmpty else {
      let text = String(decoding: rest.prefix(200), as: UTF8.self)
      throw SupportError.malformedReply("after the reply: \(text)")
    }
    return reply
  }

  private func receiveChunks(_ reply: inout Reply, _ deadline: Deadline) throws {
    while true {
      guard let line = try? receive(until: "\r\n", deadline) else { reply.isComplete = false; return }
      guard let size = Int(line.dropLast(), radix: 16) else {
        throw SupportError.malformedReply("chunk size \(line)")
      }
      if size == 0 { break }
      var left = size
      while left > 0 {
        let some = try receive(left, deadline)
        if some.isEmpty { reply.isComplete = false; return }
        reply.body += some
        left -= some.count
      }
      guard try receive(until: "\r\n", deadline) == "\r\n" else {
        throw SupportError.malformedReply("chunk is not followed by CRLF")
      }
    }
    while true {
      let line = try receive(until: "\r\n", deadline).dropLast()
      if line.isEmpty { return }
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { throw SupportError.malformedReply("trailer \(line)") }
      reply.trailers.append((String(parts[0]), parts[1].trimmingCharacters(in: .whitespaces)))
    }
  }
}
