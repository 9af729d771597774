/// A file whose contents a process hands to another, which may not read it itself: a certificate, or its key.
public struct HandedFile: Equatable, Sendable {
  /// As the operator named it.
  public let path: String
  /// Its text. No text of ours has a NUL.
  public var text: String

  /// A file.
  public init(path: String, text: String) { (self.path, self.text) = (path, text) }

  /// Bytes of all files at most.
  public static let mostBytes = 1 << 20
  /// Bytes of a file in one message: a longer one takes several.
  public static let pieceBytes = 64 * 1024

  /// As fields of messages, each of which fits a packet.
  public var pieces: [[Message.Field]] {
    var rest = text.utf8[...]
    var pieces: [[Message.Field]] = []
    repeat {
      let piece = rest.prefix(HandedFile.pieceBytes)
      rest = rest.dropFirst(piece.count)
      pieces.append([.init("file", path), .init("text", String(decoding: piece, as: UTF8.self))])
    } while !rest.isEmpty
    return pieces
  }
}

extension [HandedFile] {
  /// The files in a message.
  public init(_ message: Message) {
    self = zip(message.all("file"), message.all("text")).map { HandedFile(path: $0, text: $1) }
  }

  /// As fields of one message, however long.
  public var fields: [Message.Field] { flatMap { [.init("file", $0.path), .init("text", $0.text)] } }

  /// Adds what another message has: a file that is there already goes on.
  public mutating func take(_ more: [HandedFile]) {
    for file in more {
      if let place = firstIndex(where: { $0.path == file.path }) {
        self[place].text += file.text
      } else {
        append(file)
      }
    }
  }

  /// Bytes of all texts.
  public var bytes: Int { reduce(0) { $0 + $1.text.utf8.count } }
}
