/// The bounds for the messages of a socket.
public struct WebSocketLimits: Sendable, BitwiseCopyable {
  /// The most bytes of a message, as received; a compressed one is bounded again when it is inflated.
  public var messageBytes: Int64
  /// The most frames of a message.
  public var fragments: UInt32

  public init(messageBytes: Int64, fragments: UInt32) {
    (self.messageBytes, self.fragments) = (messageBytes, fragments)
  }
}

/// What the reader has found.
@frozen public enum WebSocketEvent: Equatable, Sendable {
  /// All bytes were read, or are the beginning of something that has to be complete.
  case needMore
  /// A piece of a message, unmasked.
  case piece(WebSocketPiece)
  /// A ping, which has to be answered with the same payload.
  case ping(ByteRange)
  case pong(ByteRange)
  /// The client closes; `absent` if it gives no code. Nothing after it is read.
  case close(code: UInt16, reason: ByteRange)
}

/// A stretch of a message.
@frozen public struct WebSocketPiece: Equatable, Sendable {
  /// Its place in the bytes that the reader was given.
  public var range: ByteRange
  /// Text; otherwise binary.
  public var isText: Bool
  /// It is the first of its message.
  public var isFirst: Bool
  /// It is the last of its message.
  public var isLast: Bool
  /// It has to be inflated (RFC 7692), and its text checked then.
  public var isCompressed: Bool
}

/// Reads the frames of a client (RFC 6455 §5). Removes masks in place, joins fragments, checks UTF-8 as it
/// comes, and knows nothing about sockets.
public struct WebSocketReader: Sendable, BitwiseCopyable {
  private enum State: UInt8 {
    /// The next byte begins a frame.
    case head
    /// The payload of a data frame comes.
    case payload
    /// The client has closed.
    case closed
  }

  public let limits: WebSocketLimits
  /// permessage-deflate was agreed on.
  public let inflates: Bool
  private var state = State.head
  /// A message of this kind is in progress.
  private var isUnderWay = false
  private var isText = false
  private var isCompressed = false
  /// The next piece is the message's first.
  private var isFirst = false
  /// The frame is its message's last.
  private var isFinal = false
  private var key: UInt32 = 0
  /// Bytes of the frame that are still to come.
  private var left: Int64 = 0
  /// Bytes and frames of the message, including all of this frame.
  private var messageBytes: Int64 = 0
  private var fragments: UInt32 = 0
  private var utf8 = UTF8Check()

  public init(limits: WebSocketLimits, inflates: Bool) {
    (self.limits, self.inflates) = (limits, inflates)
  }

  /// A message has begun and is not complete, or a frame of it.
  public var isInMessage: Bool { isUnderWay }

  /// Reads on in `bytes` from `offset`, which it moves past the bytes that it has consumed. The rest has to
  /// be there again, followed by more.
  public mutating func next(
    _ bytes: UnsafeMutableRawBufferPointer, _ offset: inout Int
  ) throws(WebSocketError) -> WebSocketEvent {
    switch state {
    case .closed:
      offset = bytes.count
      return .needMore
    case .head:
      let available = bytes.count - offset
      guard available >= 2, let base = bytes.baseAddress else { return .needMore }
      let head = try FrameHead(UnsafeRawPointer(base + offset), available)
      try check(head)
      guard head.isWhole else { return .needMore }
      if head.opcode.isControl { return try control(head, bytes, &offset) }
      offset += head.size
      begin(head)
      return try payload(bytes, &offset)
    case .payload:
      guard offset < bytes.count else { return .needMore }
      return try payload(bytes, &offset)
    }
  }

  // MARK: Data

  /// Checks for errors that can be found as soon as the head has come.
  private func check(_ head: FrameHead) throws(WebSocketError) {
    if head.opcode.isControl || head.opcode == .continuation {
      if head.reserved != 0 { throw .reservedBits }
    } else if head.reserved & ~(inflates ? FrameHead.compressed : 0) != 0 {
      throw .reservedBits
    }
    switch head.opcode {
    case .continuation: if !isUnderWay { throw .continuationUnexpected }
    case .text, .binary: if isUnderWay { throw .messageUnderWay }
    case .close, .ping, .pong: return
    }
    guard head.isLengthKnown else { return }
    guard head.isLengthGood else { throw .lengthMalformed }
    let before = head.opcode == .continuation ? messageBytes : 0
    if head.length > limits.messageBytes - before { throw .messageTooLarge }
    if head.opcode == .continuation, fragments >= limits.fragments { throw .tooManyFragments }
  }

  private mutating func begin(_ head: FrameHead) {
    if head.opcode != .continuation {
      (isUnderWay, isFirst, isText) = (true, true, head.opcode == .text)
      isCompressed = head.reserved & FrameHead.compressed != 0
      (messageBytes, fragments, utf8) = (0, 0, UTF8Check())
    }
    (key, left, isFinal) = (head.key, head.length, head.isFinal)
    messageBytes += head.length
    fragments += 1
    state = .payload
  }

  /// Reads as much of the frame as has come.
  private mutating func payload(
    _ bytes: UnsafeMutableRawBufferPointer, _ offset: inout Int
  ) throws(WebSocketError) -> WebSocketEvent {
    let count = Int(min(left, Int64(bytes.count - offset)))
    let range = ByteRange(offset, count)
    let stretch = UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<(offset + count)])
    key = WebSocketMask.apply(key, stretch)
    offset += count
    left -= Int64(count)
    let isLast = left == 0 && isFinal
    if isText, !isCompressed {
      guard utf8.accepts(UnsafeRawBufferPointer(stretch)), !isLast || utf8.isComplete else {
        throw .textMalformed
      }
    }
    let piece = WebSocketPiece(
      range: range, isText: isText, isFirst: isFirst, isLast: isLast, isCompressed: isCompressed)
    isFirst = false
    if left == 0 { state = .head }
    if isLast { isUnderWay = false }
    return .piece(piece)
  }

  // MARK: Control frames

  /// These are short, and read once they are complete.
  private mutating func control(
    _ head: FrameHead, _ bytes: UnsafeMutableRawBufferPointer, _ offset: inout Int
  ) throws(WebSocketError) -> WebSocketEvent {
    let count = Int(head.length)
    guard bytes.count - offset >= head.size + count else { return .needMore }
    let start = offset + head.size
    let stretch = UnsafeMutableRawBufferPointer(rebasing: bytes[start..<(start + count)])
    _ = WebSocketMask.apply(head.key, stretch)
    offset = start + count
    switch head.opcode {
    case .ping: return .ping(ByteRange(start, count))
    case .pong: return .pong(ByteRange(start, count))
    default: return try close(UnsafeRawBufferPointer(stretch), start)
    }
  }

  private mutating func close(
    _ payload: UnsafeRawBufferPointer, _ start: Int
  ) throws(WebSocketError) -> WebSocketEvent {
    (state, isUnderWay) = (.closed, false)
    guard payload.count > 0 else { return .close(code: WebSocketGrammar.absent, reason: .none) }
    guard payload.count >= 2 else { throw .closeTooShort }
    let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
    guard WebSocketGrammar.isSendable(code) else { throw .closeCode(code) }
    var check = UTF8Check()
    let reason = UnsafeRawBufferPointer(rebasing: payload[2...])
    guard check.accepts(reason), check.isComplete else { throw .textMalformed }
    return .close(code: code, reason: ByteRange(start + 2, payload.count - 2))
  }
}

/// The head of a frame as far as it has come; at least two bytes of it.
private struct FrameHead {
  /// RSV1, which says that a message is compressed (RFC 7692 §6).
  static let compressed: UInt8 = 0x40

  let isFinal: Bool
  let reserved: UInt8
  let opcode: WebSocketOpcode
  /// Bytes of the head.
  let size: Int
  var length: Int64 = 0
  var key: UInt32 = 0
  var isLengthKnown = false
  /// The length is written in the shortest form, and not negative (RFC 6455 §5.2). Errors in the first two
  /// bytes are reported first, as if these had come alone.
  var isLengthGood = true
  /// The head is complete.
  var isWhole = false

  init(_ base: UnsafeRawPointer, _ available: Int) throws(WebSocketError) {
    let first = base.load(as: UInt8.self)
    let second = base.load(fromByteOffset: 1, as: UInt8.self)
    (isFinal, reserved) = (first & 0x80 != 0, first & 0x70)
    guard let opcode = WebSocketOpcode(rawValue: first & 0x0f) else { throw .reservedOpcode(first & 0x0f) }
    self.opcode = opcode
    guard second & 0x80 != 0 else { throw .unmasked }
    let short = Int64(second & 0x7f)
    if opcode.isControl {
      if !isFinal { throw .controlFragmented }
      if short > WebSocketGrammar.controlBytes { throw .controlTooLong }
    }
    let wide = short == 126 ? 2 : short == 127 ? 8 : 0
    size = 2 + wide + 4
    guard available >= 2 + wide else { return }
    length = short
    if wide == 2 {
      length = Int64(UInt16(bigEndian: base.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
      isLengthGood = length >= 126
    } else if wide == 8 {
      let long = UInt64(bigEndian: base.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
      isLengthGood = long > 0xffff && long <= UInt64(Int64.max)
      length = Int64(truncatingIfNeeded: long)
    }
    isLengthKnown = true
    guard available >= size else { return }
    key = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: 2 + wide, as: UInt32.self))
    isWhole = true
  }
}
