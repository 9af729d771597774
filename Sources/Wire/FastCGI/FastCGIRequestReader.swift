/// FastCGI request reader (FastCGI 1.0 §3 to §6): one connection, its requests one after another.
/// Bytes in, events out; owns no memory and no descriptor.
///
/// - Call `next` until `.end`; it may be called again while the answer is under way, to hear of `.abort`
///   and of messages that want an answer, and says `.end` again when there is nothing of the kind.
/// - `.end` follows `.abort` too: the request wants its END_REQUEST and nothing more.
/// - Call `reset` when END_REQUEST was written and `keepsConnection` is true, then `next` again.
/// - A head whose pairs stand in one PARAMS record is handed over as ranges; until it is complete nothing
///   is used up. Any other head is brought together in `RequestHead.assembled`, record by record.
/// - After an error the connection is over; `requestID` says which request an answer goes to.
@frozen public struct FastCGIRequestReader: BitwiseCopyable, Sendable {
  /// Where on the connection the next byte is.
  @frozen public enum State: Equatable, Sendable {
    /// Between requests; becomes params or, when the whole head is there, body or closing.
    case idle
    /// After BEGIN_REQUEST, collecting PARAMS; becomes body or closing.
    case params
    /// After PARAMS, inside the STDIN stream; becomes ended or closing.
    case body
    /// The next event is `.end`, whatever the bytes: after the head of an Authorizer's request, which has no
    /// body, after one that came with the end of STDIN, or after ABORT_REQUEST. Becomes ended.
    case closing
    /// After the request, which is being answered; `reset` makes it idle.
    case ended
  }

  /// What happens to the rest of the current record.
  @frozen public enum Content: Sendable { case ignored, params, body }

  public private(set) var state = State.idle
  /// The request under way, or the last one; 0 before the first.
  public private(set) var requestID: UInt16 = 0
  /// FCGI_KEEP_CONN of that request (§5.1): the front end closes the connection, not we.
  public private(set) var keepsConnection = false
  private var content = Content.ignored
  private var isAuthorizer = false
  /// Content and padding of the current record that are still to come.
  private var contentLeft = 0
  private var paddingLeft = 0
  /// STDIN bytes announced by record headers so far, and by CONTENT_LENGTH (-1 without).
  private var received: Int64 = 0
  private var announced: Int64 = -1
  private let limits: HeadLimits

  public init(limits: HeadLimits) { self.limits = limits }

  /// No request is under way: with nothing left in the caller's buffer, the end of the connection is clean.
  public var isIdle: Bool { state == .idle && contentLeft == 0 && paddingLeft == 0 }

  /// Body bytes that come next on the wire without anything between them: the rest of a STDIN record.
  public var bodyLeft: Int64 { state == .body && content == .body ? Int64(contentLeft) : 0 }

  /// Bytes of a body that the host read past the reader, straight into place; at most `bodyLeft`.
  public mutating func bypassed(_ count: Int) { contentLeft -= count }

  /// Ready for the next request of the connection.
  public mutating func reset() {
    state = .idle
    isAuthorizer = false
    (received, announced) = (0, -1)
  }

  /// Reads on in `bytes` from `offset`, which it moves past the bytes that it has consumed. `head` is the
  /// same one from the beginning of a request to its `.head`.
  public mutating func next(
    _ bytes: RawSpan, _ offset: inout Int, _ head: inout RequestHead
  ) throws(FastCGIError) -> ReadEvent {
    try bytes.withUnsafeBytes { all throws(FastCGIError) in try read(all, &offset, &head) }
  }

  private mutating func read(
    _ all: UnsafeRawBufferPointer, _ offset: inout Int, _ head: inout RequestHead
  ) throws(FastCGIError) -> ReadEvent {
    if state == .closing {
      state = .ended
      return .end
    }
    while true {
      if contentLeft > 0 {
        let range = ByteRange(offset, min(contentLeft, all.count - offset))
        if range.isEmpty { return waiting }
        contentLeft -= Int(range.count)
        offset += Int(range.count)
        if content == .body { return .body(range) }
        if content == .params { head.assembled.append(range.bytes(in: all.baseAddress!)) }
        continue
      }
      if paddingLeft > 0 {
        let count = min(paddingLeft, all.count - offset)
        if count == 0 { return waiting }
        paddingLeft -= count
        offset += count
        continue
      }
      guard let record = try header(all, at: offset) else { return waiting }
      if let event = try take(record, all, &offset, &head) { return event }
    }
  }

  /// What to report when the bytes are consumed.
  private var waiting: ReadEvent { state == .ended ? .end : .needMore }

  /// The record header at `position`, nil while it is incomplete.
  @inline(__always)
  private func header(
    _ all: UnsafeRawBufferPointer, at position: Int
  ) throws(FastCGIError) -> FastCGIRecord? {
    guard position < all.count else { return nil }
    guard all[position] == FastCGIGrammar.version else {
      if state == .idle, all[position] &- 0x41 < 26 { throw .spokenHTTP }
      throw .versionUnsupported(all[position])
    }
    guard all.count - position >= FastCGIGrammar.headerBytes else { return nil }
    return FastCGIRecord(all, at: position)
  }

  /// Decides on a record whose header is there. Nil: go on, `offset` has moved.
  private mutating func take(
    _ record: FastCGIRecord, _ all: UnsafeRawBufferPointer, _ offset: inout Int, _ head: inout RequestHead
  ) throws(FastCGIError) -> ReadEvent? {
    if record.id == 0 { return try manage(record, all, &offset) }
    if record.type == FastCGIType.beginRequest { return try begin(record, all, &offset, &head) }
    if state == .idle || record.id != requestID { return pass(record, as: .ignored, &offset) }
    switch (record.type, state) {
    case (FastCGIType.abortRequest, _):
      guard record.contentLength == 0 else { throw .recordOutOfPlace(type: record.type) }
      guard all.count - offset >= record.size else { return waiting }
      offset += record.size
      state = .closing
      return .abort
    case (FastCGIType.params, .params):
      guard record.contentLength == 0 else {
        guard head.assembled.count + record.contentLength <= limits.headBytes else { throw .paramsTooLarge }
        return pass(record, as: .params, &offset)
      }
      guard all.count - offset >= record.size else { return waiting }
      offset += record.size
      let assembled = head.assembled.bytes
      head.end = assembled.count
      return try finish(&head, assembled, from: 0, count: assembled.count)
    case (FastCGIType.stdin, .body):
      guard record.contentLength == 0 else {
        received += Int64(record.contentLength)
        guard announced < 0 || received <= announced else { throw .bodyLong }
        guard received <= limits.bodyBytes else { throw .bodyTooLarge }
        return pass(record, as: .body, &offset)
      }
      guard announced < 0 || received == announced else { throw .bodyShort }
      guard all.count - offset >= record.size else { return waiting }
      offset += record.size
      state = .ended
      return .end
    case (FastCGIType.params, .ended), (FastCGIType.stdin, .ended), (FastCGIType.data, _),
      (FastCGIType.getValues..., _):
      return pass(record, as: .ignored, &offset)
    default: throw .recordOutOfPlace(type: record.type)
    }
  }

  /// Consumes the header; the content goes where `content` says. Always nil.
  @inline(__always)
  private mutating func pass(
    _ record: FastCGIRecord, as content: Content, _ offset: inout Int
  ) -> ReadEvent? {
    offset += FastCGIGrammar.headerBytes
    self.content = content
    contentLeft = record.contentLength
    paddingLeft = record.paddingLength
    return nil
  }

  /// Management records (§4), in any state.
  private mutating func manage(
    _ record: FastCGIRecord, _ all: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(FastCGIError) -> ReadEvent? {
    guard record.type == FastCGIType.getValues else {
      _ = pass(record, as: .ignored, &offset)
      return .answer(.fastCGIUnknownType(record.type))
    }
    guard record.contentLength <= FastCGIGrammar.managementBytes else { throw .managementTooLarge }
    guard all.count - offset >= record.size else { return waiting }
    var pairs = FastCGIPairs(all, from: offset + FastCGIGrammar.headerBytes, count: record.contentLength)
    var values: UInt8 = 0
    while let pair = try pairs.next() { values |= FastCGIValues.bit(pair.name.bytes(in: all.baseAddress!)) }
    offset += record.size
    return .answer(.fastCGIValues(values))
  }

  /// BEGIN_REQUEST (§5.1): the request, or a refusal.
  private mutating func begin(
    _ record: FastCGIRecord, _ all: UnsafeRawBufferPointer, _ offset: inout Int, _ head: inout RequestHead
  ) throws(FastCGIError) -> ReadEvent? {
    guard record.contentLength == FastCGIGrammar.fixedBodyBytes else { throw .beginMalformed }
    if state != .idle, record.id == requestID {
      // The front end may send a request before END_REQUEST reaches it; the request waits in the caller's
      // buffer.
      if state == .ended { return .end }
      throw .begunTwice
    }
    guard all.count - offset >= record.size else { return waiting }
    let body = offset + FastCGIGrammar.headerBytes
    let role = UInt16(all[body]) << 8 | UInt16(all[body + 1])
    let keeps = all[body + 2] & FastCGIGrammar.keepConnection != 0
    guard state == .idle else {
      offset += record.size
      let status = FastCGIStatus.cannotMultiplex
      return .answer(.fastCGIRefusal(id: record.id, protocolStatus: status, closes: false))
    }
    guard role == FastCGIRole.responder || role == FastCGIRole.authorizer else {
      offset += record.size
      let status = FastCGIStatus.unknownRole
      return .answer(.fastCGIRefusal(id: record.id, protocolStatus: status, closes: !keeps))
    }
    requestID = record.id
    keepsConnection = keeps
    isAuthorizer = role == FastCGIRole.authorizer
    return try readParams(behind: offset + record.size, all, &offset, &head)
  }

  /// The usual head: one PARAMS record and the empty one after it, taken in place. Anything else is left to
  /// be assembled.
  private mutating func readParams(
    behind start: Int, _ all: UnsafeRawBufferPointer, _ offset: inout Int, _ head: inout RequestHead
  ) throws(FastCGIError) -> ReadEvent? {
    guard let params = try header(all, at: start) else { return .needMore }
    if params.id == requestID, params.type == FastCGIType.params, params.contentLength > 0 {
      guard params.contentLength <= limits.headBytes else { throw .paramsTooLarge }
      let behind = start + params.size
      guard let last = try header(all, at: behind) else { return .needMore }
      if last.id == requestID, last.type == FastCGIType.params, last.contentLength == 0 {
        guard all.count - behind >= last.size else { return .needMore }
        head.reset(form: .variables)
        offset = behind + last.size
        head.end = offset
        let first = start + FastCGIGrammar.headerBytes
        let event = try finish(&head, all, from: first, count: params.contentLength)
        endIfEmpty(all, &offset, &head)
        return event
      }
    }
    head.reset(form: .variables)
    offset = start
    state = .params
    return nil
  }

  /// The usual body is empty: an empty STDIN record right after the head. It is consumed with the head, and
  /// the next event is the end.
  private mutating func endIfEmpty(
    _ all: UnsafeRawBufferPointer, _ offset: inout Int, _ head: inout RequestHead
  ) {
    // Leaves errors there to the next event.
    guard state == .body, announced <= 0, let stdin = try? header(all, at: offset) else { return }
    let isEnd = stdin.id == requestID && stdin.type == FastCGIType.stdin && stdin.contentLength == 0
    guard isEnd, all.count - offset >= stdin.size else { return }
    offset += stdin.size
    head.isEmptyStream = true
    state = .closing
  }

  /// Reads the pairs and says `.head`.
  private mutating func finish(
    _ head: inout RequestHead, _ bytes: UnsafeRawBufferPointer, from start: Int, count: Int
  ) throws(FastCGIError) -> ReadEvent {
    var pairs = FastCGIPairs(bytes, from: start, count: count)
    if let base = bytes.baseAddress {
      var table = VariableTable(&head, base: base, end: start + count, limit: limits.fields)
      while let pair = try pairs.next() {
        switch table.append(name: pair.name, value: pair.value) {
        case nil: break
        case .unusable: throw .pairUnusable
        case .tooMany: throw .tooManyParams
        }
      }
      table.finish(&head)
    }
    head.persists = keepsConnection
    head.isAuthorizer = isAuthorizer
    if isAuthorizer {
      state = .closing
      return .head
    }
    if head.count > 0 {
      switch head.announcedLength(base: bytes.baseAddress!) {
      // STDIN has an end of its own.
      case .absent, .unknown: break
      case .malformed: throw .contentLengthMalformed
      case .bytes(let count):
        guard count <= limits.bodyBytes else { throw .bodyTooLarge }
        announced = count
        head.statesLength = true
      }
    }
    head.framing = .stream(announced: announced < 0 ? nil : announced)
    state = .body
    return .head
  }
}
