/// What the fields of a request say about the message and the connection (RFC 9112 §3.2, §6, §9.3; RFC 9110
/// §10.1.1). Notes them one by one, and draws conclusions when the head is complete.
struct MessageRules: Sendable {
  private var contentLength: Int64 = -1
  /// Bytes of the name in Host; -1 without that field.
  private var hostNameCount = -1
  private var hasType = false
  private var hasCoding = false
  private var isChunked = false
  private var isUnknownCoding = false
  private var closes = false
  private var keepsAlive = false
  private var continues = false
  private var expectsOther = false

  /// Notes a field that is one of those. `host` is what the connection's last request said.
  @inline(always)
  mutating func note(
    _ known: KnownName, _ range: ByteRange, _ base: UnsafeRawPointer, _ host: inout KnownHost
  ) throws(HTTP1Error) {
    switch known {
    case .host:
      if hostNameCount >= 0 { throw .hostDuplicate }
      guard let count = host.nameCount(of: range.bytes(in: base)) else { throw .hostMalformed }
      hostNameCount = count
    case .connection: noteConnection(range.bytes(in: base))
    case .contentLength:
      if contentLength >= 0 { throw .lengthDuplicate }
      guard let length = Ascii.decimal(range.bytes(in: base)) else { throw .lengthMalformed }
      contentLength = length
    case .contentType:
      if hasType { throw .typeDuplicate }
      hasType = true
    case .transferEncoding: try noteCoding(range.bytes(in: base))
    case .expect:
      let isKnown = Ascii.matches(range.bytes(in: base), "100-continue")
      if isKnown { continues = true } else { expectsOther = true }
    default: break
    }
  }

  /// The connection options about persistence (RFC 9112 §9.3).
  private mutating func noteConnection(_ value: UnsafeRawBufferPointer) {
    var position = 0
    while let member = MessageRules.member(value, &position) {
      if Ascii.matches(member, "close") { closes = true }
      if Ascii.matches(member, "keep-alive") { keepsAlive = true }
    }
  }

  private mutating func noteCoding(_ value: UnsafeRawBufferPointer) throws(HTTP1Error) {
    var position = 0
    hasCoding = true
    while let member = MessageRules.member(value, &position) {
      guard Ascii.isToken(member) else { throw .codingMalformed }
      if isChunked { throw .chunkedNotLast }
      if Ascii.matches(member, "chunked") { isChunked = true } else { isUnknownCoding = true }
    }
  }

  /// The member of a comma-separated list that begins at `position`, without white space around it, or nil
  /// after the last one. An empty list has one empty member.
  static func member(
    _ value: UnsafeRawBufferPointer, _ position: inout Int
  ) -> UnsafeRawBufferPointer? {
    guard position <= value.count else { return nil }
    let start = position
    while position < value.count, value[position] != HTTP1Grammar.comma { position += 1 }
    let end = position
    position += 1
    guard let base = value.baseAddress else { return value }
    return FieldLine.trim(base, start, end).bytes(in: base)
  }

  /// Draws conclusions when the head is complete. Violations that endanger the framing come first.
  @inline(always)
  func conclude(_ head: inout RequestHead, bodyBytes: Int64) throws(HTTP1Error) {
    let isCurrent = head.minorVersion >= 1
    if isCurrent, hostNameCount < 0 { throw .hostMissing }
    head.hostNameCount = hostNameCount
    head.statesLength = contentLength >= 0
    if hasCoding {
      if !isCurrent { throw .codingInHTTP10 }
      if contentLength >= 0 { throw .lengthAndCoding }
      if isUnknownCoding { throw .codingUnknown }
      head.framing = .chunked
    } else if contentLength > 0 {
      if contentLength > bodyBytes { throw .bodyTooLarge }
      head.framing = .length(contentLength)
    }
    if expectsOther { throw .expectationUnknown }
    head.expectsContinue = continues && isCurrent && !head.framing.isNone
    head.persists = !closes && (isCurrent || keepsAlive)
  }
}
