import Config
import Wire

/// What one worker tells another: that this was published for the sockets of all. Lent from the bytes that it
/// was read from, or from those of the application that publishes.
///
/// As bytes it is a head of eight, the topic and the payload. The head: the length of the payload (four
/// bytes), that of the topic (two), the kind (one), and zero; numbers begin with their lowest byte. Both ends
/// are the same release of the server, so the form needs no versions.
struct TopicMessage {
  /// The topic's name, 1 to `Limits.topicNameBytes` bytes.
  let topic: UnsafeRawBufferPointer
  /// Text or binary.
  let opcode: WebSocketOpcode
  /// At most `Limits.topicMessageBytes` bytes.
  let payload: UnsafeRawBufferPointer

  /// Bytes of the head.
  static let headBytes = 8

  /// Bytes of any kind, or text that is UTF-8 (RFC 6455 §5.6).
  static func isSound(_ opcode: WebSocketOpcode, _ payload: UnsafeRawBufferPointer) -> Bool {
    guard opcode == .text else { return true }
    var check = UTF8Check()
    return check.accepts(payload) && check.isComplete
  }

  /// The message as bytes.
  var bytes: [UInt8] {
    let count = TopicMessage.headBytes + topic.count + payload.count
    return [UInt8](unsafeUninitializedCapacity: count) { room, filled in
      let out = UnsafeMutableRawBufferPointer(room)
      out.storeBytes(of: UInt32(payload.count).littleEndian, as: UInt32.self)
      out.storeBytes(of: UInt16(topic.count).littleEndian, toByteOffset: 4, as: UInt16.self)
      out[6] = opcode.rawValue
      out[7] = 0
      UnsafeMutableRawBufferPointer(rebasing: out[TopicMessage.headBytes...]).copyMemory(from: topic)
      let rest = TopicMessage.headBytes + topic.count
      UnsafeMutableRawBufferPointer(rebasing: out[rest...]).copyMemory(from: payload)
      filled = count
    }
  }
}

/// Why the bytes of another worker are no message of a topic.
enum TopicFault: Error, Equatable, CustomStringConvertible {
  case payloadLength(Int)
  case topicLength(Int)
  /// Neither text nor binary.
  case kind(UInt8)
  /// The last byte of a head is not zero.
  case reserved(UInt8)
  /// A text is not UTF-8.
  case text

  var description: String {
    switch self {
    case .payloadLength(let count): "a payload of \(count) bytes"
    case .topicLength(let count): "a topic of \(count) bytes"
    case .kind(let kind): "kind \(kind)"
    case .reserved(let byte): "\(byte) at the end of a head"
    case .text: "a text that is not UTF-8"
    }
  }
}

/// Cuts what another worker sends into messages. An application there may have written anything: nothing is
/// believed, and nothing is allocated before its bytes have come.
struct TopicReader: ~Copyable {
  private var waiting = ByteBuffer()

  /// Makes room for so many more bytes, and says where they go. What was lent is dead.
  mutating func reserve(_ count: Int) -> UnsafeMutableRawPointer {
    waiting.reserve(count)
    return waiting.tail
  }

  /// So many have come.
  mutating func commit(_ count: Int) { waiting.commit(count) }

  /// Nothing more comes for now: gives the memory back, unless a part of a message is in it.
  mutating func rest() { if waiting.isEmpty { waiting = ByteBuffer() } }

  /// The next whole message, lent until the next `reserve` or `rest`; nil: more has to come. After a fault
  /// nothing of it can be read any more.
  mutating func next() throws(TopicFault) -> TopicMessage? {
    guard waiting.count >= TopicMessage.headBytes, let base = waiting.base else { return nil }
    let payload = Int(UInt32(littleEndian: base.loadUnaligned(as: UInt32.self)))
    let topic = Int(UInt16(littleEndian: base.loadUnaligned(fromByteOffset: 4, as: UInt16.self)))
    let kind = base.load(fromByteOffset: 6, as: UInt8.self)
    let reserved = base.load(fromByteOffset: 7, as: UInt8.self)
    guard payload <= Limits.topicMessageBytes else { throw .payloadLength(payload) }
    guard topic > 0, topic <= Limits.topicNameBytes else { throw .topicLength(topic) }
    guard let opcode = TopicReader.opcode(kind) else { throw .kind(kind) }
    guard reserved == 0 else { throw .reserved(reserved) }
    let whole = TopicMessage.headBytes + topic + payload
    guard waiting.count >= whole else { return nil }
    // The block stays where it is until there has to be room in it.
    let start = UnsafeRawPointer(base + TopicMessage.headBytes)
    let message = TopicMessage(
      topic: UnsafeRawBufferPointer(start: start, count: topic), opcode: opcode,
      payload: UnsafeRawBufferPointer(start: start + topic, count: payload))
    guard TopicMessage.isSound(opcode, message.payload) else { throw .text }
    waiting.consume(whole)
    return message
  }

  private static func opcode(_ kind: UInt8) -> WebSocketOpcode? {
    switch WebSocketOpcode(rawValue: kind) {
    case .text: .text
    case .binary: .binary
    case .continuation, .close, .ping, .pong, nil: nil
    }
  }
}
