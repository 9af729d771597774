// What the reader of WebSocket frames makes of any bytes, as lines of text; the same however they arrive.
import Wire

/// What a reader of WebSocket frames makes of bytes that come in pieces, a line a message or control frame.
public struct WebSocketTranscript: Equatable {
  /// The events; "incomplete" at the end if more had to come.
  public private(set) var lines: [String] = []
  /// The messages themselves, of which a line may only say how long they are.
  public private(set) var messages: [[UInt8]] = []
  /// Its reader, an offset that has gone backwards, and so on.
  public private(set) var breaches: [String] = []
  private var reader: WebSocketReader
  private var message: [UInt8] = []
  private var isOver = false

  /// Small, as those of the other protocols' fixtures are.
  public static let limits = WebSocketLimits(messageBytes: 100_000, fragments: 16)
  /// So small that short inputs reach them.
  public static let fuzzing = WebSocketLimits(messageBytes: 300, fragments: 4)

  /// - Parameters:
  ///   - pieces: how many bytes come at a time; all the rest at last.
  ///   - inflates: permessage-deflate was agreed on.
  public init(
    _ input: [UInt8], pieces: [Int] = [], limits: WebSocketLimits = WebSocketTranscript.limits,
    inflates: Bool = true
  ) {
    reader = WebSocketReader(limits: limits, inflates: inflates)
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

  /// The same events, messages and breaches.
  public static func == (one: WebSocketTranscript, other: WebSocketTranscript) -> Bool {
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

/// What must hold for any bytes on a WebSocket: the events do not depend on how the bytes arrive, with
/// compression and without. Returns what is wrong; empty if all is well.
public func verifyFrames(_ input: [UInt8]) -> [String] {
  var random = SeededRandom(1)
  let deliveries = [bytewise(input.count), random.pieces(of: input.count)]
  for inflates in [true, false] {
    let limits = WebSocketTranscript.fuzzing
    let whole = WebSocketTranscript(input, limits: limits, inflates: inflates)
    if !whole.breaches.isEmpty { return whole.breaches }
    for pieces in deliveries {
      let other = WebSocketTranscript(input, pieces: pieces, limits: limits, inflates: inflates)
      guard other != whole else { continue }
      return ["in pieces of \(pieces): \(other.lines + other.breaches), not \(whole.lines)"]
    }
  }
  return []
}
