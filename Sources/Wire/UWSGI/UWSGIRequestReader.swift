/// uwsgi request reader: a header of four bytes, a block of variables, then CONTENT_LENGTH bytes.
/// Bytes in, events out; owns no memory and no descriptor. One request per connection.
///
/// modifier1 0 and every value without a meaning of its own is a request; 30 is one whose PATH_INFO is the
/// whole path; 100 is a ping.
@frozen public struct UWSGIRequestReader: BitwiseCopyable, Sendable {
  /// Where the reader is; a ping ends it as a request does.
  public private(set) var state = SizedRequestState.head
  /// The packet's modifiers, once the head is there.
  public private(set) var modifier1: UInt8 = 0
  public private(set) var modifier2: UInt8 = 0
  private let limits: HeadLimits

  public init(limits: HeadLimits) { self.limits = limits }

  /// Reads on in `bytes` from `offset`, which it moves past the bytes that it has consumed.
  ///
  /// While the head is incomplete nothing is consumed: call again with the same bytes and more.
  public mutating func next(
    _ bytes: RawSpan, _ offset: inout Int, _ head: inout RequestHead
  ) throws(UWSGIError) -> ReadEvent {
    guard state == .head else { return state.nextAfterHead(bytes.byteCount, &offset) }
    return try bytes.withUnsafeBytes { all throws(UWSGIError) in try readHead(all, &offset, &head) }
  }

  /// Bytes of a body that the host read past the reader, straight into place; `count` is at most `left`.
  public mutating func bypassed(_ count: Int) { state.bypassed(count) }

  private mutating func readHead(
    _ all: UnsafeRawBufferPointer, _ offset: inout Int, _ head: inout RequestHead
  ) throws(UWSGIError) -> ReadEvent {
    let header = UWSGIGrammar.headerBytes
    if offset < all.count, Ascii.isDigit(all[offset]) {
      switch UWSGIGrammar.digits(all, from: offset) {
      case .netstring: throw .spokenSCGI
      case .undecided: return .needMore
      case .none: break
      }
    }
    guard all.count - offset >= header else { return .needMore }
    if isLetter(all[offset]), isLetter(all[offset + 1]), isLetter(all[offset + 2]) { throw .spokenHTTP }
    modifier1 = all[offset]
    modifier2 = all[offset + 3]
    let size = number(all, at: offset + 1)
    if modifier1 == UWSGIGrammar.ping {
      // Does not answer a pong, which modifier2 tells apart: two servers would go on for ever.
      guard modifier2 == 0 else { throw .modifierRefused(modifier1) }
      offset += header
      state = .ended
      return .answer(.uwsgiPong)
    }
    guard !UWSGIGrammar.isRefused(modifier1) else { throw .modifierRefused(modifier1) }
    guard size > 0 else { throw .blockEmpty }
    guard size <= limits.headBytes else { throw .blockTooLarge(bytes: size) }
    guard all.count - offset >= header + size else {
      // Bytes of another protocol rarely make sense up to here, and are not waited for.
      let first = offset + header
      if size < 4 || all.count - first >= 2 && number(all, at: first) > size - 4 { throw .variableTruncated }
      return .needMore
    }
    head.reset(form: .variables)
    try readBlock(all, from: offset + header, size: size, &head)
    head.hasWholePath = modifier1 == UWSGIGrammar.wholePath
    head.framing = state.headEnded(bodyLength: try contentLength(&head, all))
    offset += header + size
    head.end = offset
    return .head
  }

  private func readBlock(
    _ all: UnsafeRawBufferPointer, from start: Int, size: Int, _ head: inout RequestHead
  ) throws(UWSGIError) {
    let end = start + size
    var table = VariableTable(&head, base: all.baseAddress!, end: end, limit: limits.fields)
    var position = start
    while position < end {
      let name = try text(all, from: position, before: end)
      let value = try text(all, from: name.end, before: end)
      // Each is followed by the length of the next, which has been read by then.
      switch table.append(name: name, value: DelimitedRange(range: value)) {
      case nil: break
      case .unusable: throw .variableUnusable
      case .tooMany: throw .tooManyVariables
      }
      if all[Int(name.start)] == 0x55 { try refuseMagic(name.bytes(in: all.baseAddress!)) }
      position = value.end
    }
    table.finish(&head)
    head.hasDelimitedNames = true
  }

  /// A length and the bytes it counts.
  @inline(__always)
  private func text(
    _ all: UnsafeRawBufferPointer, from start: Int, before end: Int
  ) throws(UWSGIError) -> ByteRange {
    guard end - start >= 2 else { throw .variableTruncated }
    let count = number(all, at: start)
    guard end - start - 2 >= count else { throw .variableTruncated }
    return ByteRange(start + 2, count)
  }

  /// Throws for a variable that uWSGI would act upon.
  private func refuseMagic(_ name: UnsafeRawBufferPointer) throws(UWSGIError) {
    let prefix = UWSGIGrammar.magicPrefix
    guard name.count >= prefix.utf8CodeUnitCount,
      Ascii.equals(UnsafeRawBufferPointer(rebasing: name.prefix(prefix.utf8CodeUnitCount)), prefix),
      !UWSGIGrammar.isHarmless(name)
    else { return }
    throw .variableRefused(Ascii.shown(name))
  }

  private func contentLength(
    _ head: inout RequestHead, _ all: UnsafeRawBufferPointer
  ) throws(UWSGIError) -> Int64 {
    let base = UnsafeRawPointer(all.baseAddress!)
    switch head.announcedLength(base: base) {
    case .absent:
      if head.saysCoding(base: base) { throw .lengthMissing }
      return 0
    case .unknown: throw .lengthMissing
    case .malformed: throw .contentLengthMalformed
    case .bytes(let count):
      guard count <= limits.bodyBytes else { throw .bodyTooLarge }
      head.stated(length: count, base: base)
      return count
    }
  }

  /// Two bytes, the low one first.
  @inline(__always)
  private func number(_ all: UnsafeRawBufferPointer, at offset: Int) -> Int {
    Int(all[offset]) | Int(all[offset + 1]) << 8
  }

  @inline(__always)
  private func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 }
}
