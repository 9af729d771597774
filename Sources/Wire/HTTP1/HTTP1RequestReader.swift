/// HTTP/1.0 and HTTP/1.1 request reader (RFC 9112), strict: anything that could be read in two ways is
/// refused. Bytes in, events out; owns no memory and no descriptor. One reader serves a connection, with
/// `reset` between its requests.
///
/// The head is left in the buffer until it is complete, so that its ranges lie in one piece; whatever the
/// sizes in which bytes arrive, each is looked at once.
public struct HTTP1RequestReader: BitwiseCopyable, Sendable {
  /// Where in the request the next byte is.
  @frozen public enum State: Equatable, Sendable {
    /// Before or inside the head; may become body, chunked or ended.
    case head
    /// Inside a body of known length, with this many bytes to come; becomes ended.
    case body(left: Int64)
    /// Inside a chunked body; becomes ended.
    case chunked
    /// After the request; `reset` makes it head.
    case ended
  }

  /// Where the reader stands.
  public private(set) var state = State.head
  private let limits: HeadLimits
  private var emptyLines = 0
  /// Where the head begins in the most recent buffer.
  private var origin = 0
  /// Bytes of the head that were given last time; 0 before its first byte.
  private var given = 0
  /// Where the current line begins, counted from `origin`; 0 is the request line.
  private var line = 0
  private var requestLine = RequestLine()
  private var fieldLine = FieldLine()
  private var rules = MessageRules()
  private var chunks = ChunkedReader()
  /// Kept from one request to the next.
  private var host = KnownHost()

  /// A reader at the beginning of a connection.
  public init(limits: HeadLimits) { self.limits = limits }

  /// Whether no byte of a request has been seen: the connection may end cleanly here (RFC 9112 §9.6).
  public var isIdle: Bool { state == .head && given == 0 }

  /// Bytes to come of a body of known length, which the host may receive straight into place (`bypassed`); 0
  /// in any other state.
  public var bodyLeft: Int64 {
    if case .body(let left) = state { left } else { 0 }
  }

  /// Gets ready for the next request of the connection.
  @inline(__always)
  public mutating func reset() {
    state = .head
    (emptyLines, origin, given, line) = (0, 0, 0, 0)
    requestLine = RequestLine()
    fieldLine = FieldLine()
    rules = MessageRules()
    chunks = ChunkedReader()
  }

  /// Reads on in `bytes` from `offset`, which it moves past the bytes that it has consumed.
  ///
  /// While the head is incomplete only empty lines before it are consumed, and `head` is filled step by step:
  /// call again with the same bytes and more (they may have moved in the buffer), and the same `head`. After
  /// an error do not use the reader again.
  public mutating func next(
    _ bytes: RawSpan, _ offset: inout Int, _ head: inout RequestHead
  ) throws(HTTP1Error) -> ReadEvent {
    switch state {
    case .head:
      return try bytes.withUnsafeBytes { all throws(HTTP1Error) in
        guard let base = all.baseAddress else { return .needMore }
        return try readHead(base, all.count, &offset, &head)
      }
    case .body(let left):
      let there = bytes.byteCount - offset
      if there == 0 { return .needMore }
      let count = Int(min(Int64(there), left))
      bypassed(count)
      defer { offset += count }
      return .body(ByteRange(offset, count))
    case .chunked:
      let event = try bytes.withUnsafeBytes { all throws(HTTP1Error) in
        try chunks.next(all, &offset, limits)
      }
      if event == .end { state = .ended }
      return event
    case .ended: return .end
    }
  }

  /// Bytes of a body that the host read past the reader, straight into place; at most `bodyLeft`.
  @inline(__always)
  public mutating func bypassed(_ count: Int) {
    guard case .body(let left) = state else { return }
    state = Int64(count) == left ? .ended : .body(left: left - Int64(count))
  }

  private mutating func readHead(
    _ base: UnsafeRawPointer, _ count: Int, _ offset: inout Int, _ head: inout RequestHead
  ) throws(HTTP1Error) -> ReadEvent {
    if given == 0, try skipEmptyLines(base, count, &offset) { return .needMore }
    if offset != origin {
      if line > 0 { head.shift(by: offset - origin) }
      origin = offset
    }
    let end = min(count, origin + limits.headBytes)
    given = count - origin
    if line == 0 {
      head.reset(form: .fields)
      let next = try requestLine.scan(base, from: origin, to: end, &head)
      guard let next else { return try needMore() }
      try RequestLine.classifyTarget(base, &head)
      line = next - origin
    }
    while true {
      switch try fieldLine.scan(base, from: origin + line, to: end) {
      case .incomplete: return try needMore()
      case .field(let name, let value, let next):
        line = next - origin
        let known = KnownName.field(name.bytes(in: base))
        guard head.count < limits.fields, head.append(name: name, value: value, known: known) else {
          throw .tooManyFields
        }
        if known != .other { try rules.note(known, value.range, base, &host) }
      case .blank(let next):
        try rules.conclude(&head, bodyBytes: limits.bodyBytes)
        head.end = next
        offset = next
        enterBody(head.framing)
        return .head
      }
    }
  }

  private func needMore() throws(HTTP1Error) -> ReadEvent {
    if given >= limits.headBytes { throw line == 0 ? .targetTooLong : .headTooLarge }
    return .needMore
  }

  private mutating func enterBody(_ framing: BodyFraming) {
    switch framing {
    case .length(let count): state = .body(left: count)
    case .chunked: state = .chunked
    case .none, .stream: state = .ended
    }
  }

  /// RFC 9112 §2.2: at least one empty line before a request line should be ignored. True when nothing
  /// else is there yet.
  @inline(__always)
  private mutating func skipEmptyLines(
    _ base: UnsafeRawPointer, _ count: Int, _ offset: inout Int
  ) throws(HTTP1Error) -> Bool {
    while offset < count {
      let byte = HTTP1Grammar.byte(base, offset)
      if byte > HTTP1Grammar.carriageReturn { return false }
      guard byte == HTTP1Grammar.carriageReturn else {
        if byte == HTTP1Grammar.lineFeed { throw .bareLF }
        return false
      }
      if offset + 1 == count { return true }
      guard HTTP1Grammar.byte(base, offset + 1) == HTTP1Grammar.lineFeed else { throw .bareCR }
      emptyLines += 1
      guard emptyLines <= HTTP1Grammar.emptyLines else { throw .tooManyEmptyLines }
      offset += 2
    }
    return true
  }
}
