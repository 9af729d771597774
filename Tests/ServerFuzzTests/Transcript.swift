// What a client got in a conversation, without what may differ from one run to the next.
import Foundation
import Support

/// Everything received on one connection, and how that ended.
struct Answer: Equatable, CustomStringConvertible {
  /// How the server ended the connection.
  enum End: Equatable { case closed, reset, timedOut }

  var text: String
  var end: End

  var description: String { "\(end) after \(text.prefix(600).debugDescription)" }

  init(_ bytes: [UInt8], _ end: End) {
    self.end = end
    let shown = Self.isFastCGI(bytes) ? Self.records(bytes) : bytes
    var text = String(decoding: shown, as: UTF8.self)
    // Sent when the head came without its body, which depends on the pieces.
    text = text.replacingOccurrences(of: "HTTP/1.1 100 Continue\r\n\r\n", with: "")
    for (pattern, constant) in [
      ("Date: [^\\r\\n]*", "Date"), ("REMOTE_PORT=[0-9]{5}", "REMOTE_PORT"),
      ("SERVER_PORT=[0-9]{5}", "SERVER_PORT"),
    ] {
      text = text.replacingOccurrences(of: pattern, with: constant, options: .regularExpression)
    }
    self.text = text
  }

  private static func isFastCGI(_ bytes: [UInt8]) -> Bool { bytes.count >= 8 && bytes[0] == 1 }

  /// Records with neighbours of a kind joined: a response may be cut into any number of them.
  private static func records(_ bytes: [UInt8]) -> [UInt8] {
    var (rest, out, last) = (bytes[...], [UInt8](), "")
    while !rest.isEmpty {
      guard let record = try? FastCGIReplyRecord(&rest) else { return out + Array("<cut>".utf8) + rest }
      let name = "\(record.type) of \(record.id)"
      if name != last || record.content.isEmpty { out += Array("<\(name)>".utf8) }
      last = record.content.isEmpty ? "" : name
      out += record.content
    }
    return out
  }
}

extension Conversation {
  /// Has the conversation; `inPieces` sends it in its pieces, else at once.
  func hold(at address: Address, inPieces: Bool) throws -> Answer {
    let socket = try RawSocket(address)
    if inPieces {
      try sendPieces(socket)
    } else {
      try socket.send(bytes)
    }
    switch ending {
    case .halfClose:
      socket.endSending()
      return Self.receive(socket)
    case .close: return Answer([], .closed)
    case .reset:
      socket.resetOnClose()
      return Answer([], .closed)
    case .leaves:
      _ = try? socket.receive(100, Deadline(seconds: 0.02))
      return Answer([], .closed)
    }
  }

  private func sendPieces(_ socket: RawSocket) throws {
    var start = 0
    for piece in pieces {
      guard try socket.send(bytes[start..<start + piece]) else { return }
      start += piece
      // Long enough for a loop that waits to see this piece alone.
      if piece.isMultiple(of: 2) { usleep(300) }
    }
  }

  private static func receive(_ socket: RawSocket) -> Answer {
    var all: [UInt8] = []
    let deadline = Deadline(seconds: 20)
    while true {
      do {
        let some = try socket.receive(1 << 16, deadline)
        if some.isEmpty { return Answer(all, .closed) }
        all += some
      } catch SupportError.timedOut {
        return Answer(all, .timedOut)
      } catch {
        return Answer(all, .reset)
      }
    }
  }
}
