import Support
import Wire

/// What a reader of WebSocket frames makes of bytes that come in pieces, a line a message or control frame.
struct WebSocketTranscript: Equatable {
  private(set) var lines: [String] = []
  /// The messages themselves, of which a line may only say how long they are.
  private(set) var messages: [[UInt8]] = []
  /// Its reader, an offset that has gone backwards, and so on.
  private(set) var breaches: [String] = []
  private var reader: WebSocketReader
  private var message: [UInt8] = []
  private var isOver = false

  /// Small, as those of the other protocols' fixtures are.
  static let limits = WebSocketLimits(messageBytes: 100_000, fragments: 16)

  /// - Parameter pieces: how many bytes come at a time; all the rest at last.
  init(_ input: [UInt8], pieces: [Int] = []) {
    reader = WebSocketReader(limits: WebSocketTranscript.limits, inflates: true)
    let memory = GuardedMemory(capacity: input.count)
    var (waiting, position): ([UInt8], Int) = ([], 0)
    for piece in pieces + [input.count] {
      let next = min(position + piece, input.count)
      waiting += input[position..<next]
      position = next
      feed(&waiting, memory)
      if isOver { break }
    }
    if !isOver, !waiting.isEmpty || reader.isInMessage { lines.append("incomplete") }
  }

  static func == (one: WebSocketTranscript, other: WebSocketTranscript) -> Bool {
    one.lines == other.lines && one.messages == other.messages && one.breaches == other.breaches
  }

  /// Gives the reader what waits, until it needs more.
  private mutating func feed(_ waiting: inout [UInt8], _ memory: GuardedMemory) {
    let bytes = memory.place(waiting[...])
    var offset = 0
    while !isOver {
      let before = offset
      do {
        let event = try reader.next(bytes, &offset)
        if offset < before || offset > bytes.count { breaches.append("offset \(before) -> \(offset)") }
        if event == .needMore { break }
        note(event, bytes)
      } catch {
        lines.append("error \(error.code) \(WebSocketTranscript.name(error))")
        isOver = true
      }
    }
    waiting = Array(bytes[offset...])
  }

  private mutating func note(_ event: WebSocketEvent, _ bytes: UnsafeMutableRawBufferPointer) {
    func text(_ range: ByteRange) -> String {
      "\"" + Escapes.text(Array(bytes[Int(range.start)..<range.end])) + "\""
    }
    switch event {
    case .needMore: break
    case .ping(let range): lines.append("ping " + text(range))
    case .pong(let range): lines.append("pong " + text(range))
    case .close(let code, let reason): lines.append("close \(code) " + text(reason))
    case .piece(let piece):
      if piece.isFirst != message.isEmpty, piece.isFirst { breaches.append("two beginnings") }
      message += bytes[Int(piece.range.start)..<piece.range.end]
      guard piece.isLast else { return }
      let kind = (piece.isText ? "text" : "binary") + (piece.isCompressed ? " compressed" : "")
      let whole =
        message.count > 1000 ? "(\(message.count) bytes)" : "\"" + Escapes.text(message) + "\""
      lines.append("\(kind) \(whole)")
      messages.append(message)
      message = []
    }
  }

  private static func name(_ error: WebSocketError) -> String {
    switch error {
    case .reservedOpcode(let opcode): "reservedOpcode(\(opcode))"
    case .closeCode(let code): "closeCode(\(code))"
    case .reservedBits: "reservedBits"
    case .unmasked: "unmasked"
    case .controlFragmented: "controlFragmented"
    case .controlTooLong: "controlTooLong"
    case .lengthMalformed: "lengthMalformed"
    case .continuationUnexpected: "continuationUnexpected"
    case .messageUnderWay: "messageUnderWay"
    case .textMalformed: "textMalformed"
    case .closeTooShort: "closeTooShort"
    case .deflateMalformed: "deflateMalformed"
    case .messageTooLarge: "messageTooLarge"
    case .tooManyFragments: "tooManyFragments"
    }
  }
}
