/// A file whose contents a process hands to another, which may not read it itself: a certificate, or its key.
public struct HandedFile: Equatable, Sendable {
  /// As the operator named it.
  public let path: String
  /// Its text, or its bytes in hexadecimal digits if it is not text. No text of ours has a NUL.
  public var text: String

  /// A file.
  public init(path: String, text: String) { (self.path, self.text) = (path, text) }

  /// The most bytes of all files.
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
  /// The files in a message; `prefix`: for another kind than the usual one.
  public init(_ message: Message, prefix: String = "") {
    self = zip(message.all(prefix + "file"), message.all(prefix + "text")).map {
      HandedFile(path: $0, text: $1)
    }
  }

  /// As fields of one message, however long.
  public var fields: [Message.Field] { fields(prefix: "") }

  /// As fields of one message next to others.
  public func fields(prefix: String) -> [Message.Field] {
    flatMap { [.init(prefix + "file", $0.path), .init(prefix + "text", $0.text)] }
  }

  /// Adds the files of another message: a piece continues a file that exists already.
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
