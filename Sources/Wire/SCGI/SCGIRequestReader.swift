/// SCGI request reader: a netstring of NUL-separated headers, then CONTENT_LENGTH bytes.
/// Bytes in, events out; owns no memory and no descriptor. One request per connection.
@frozen public struct SCGIRequestReader: BitwiseCopyable, Sendable {
  /// Where the reader stands.
  public private(set) var state = SizedRequestState.head
  private let limits: HeadLimits

  /// A reader at the beginning of a connection.
  public init(limits: HeadLimits) { self.limits = limits }

  /// Reads on in `bytes` from `offset`, which it moves over what it has used up.
  ///
  /// While the head is incomplete nothing is used up: call again with the same bytes and more.
  public mutating func next(
    _ bytes: RawSpan, _ offset: inout Int, _ head: inout RequestHead
  ) throws(SCGIError) -> ReadEvent {
    guard state == .head else { return state.nextAfterHead(bytes.byteCount, &offset) }
    return try bytes.withUnsafeBytes { all throws(SCGIError) in try readHead(all, &offset, &head) }
  }

  /// Bytes of a body that the host read past the reader, straight to their place; `count` is at most
  /// `left`.
  public mutating func bypassed(_ count: Int) { state.bypassed(count) }

  private mutating func readHead(
    _ all: UnsafeRawBufferPointer, _ offset: inout Int, _ head: inout RequestHead
  ) throws(SCGIError) -> ReadEvent {
    guard let base = all.baseAddress else { return .needMore }
    guard let (start, length) = try netstring(all, from: offset) else { return .needMore }
    let end = start + length
    guard end < all.count else { return .needMore }
    guard all[end] == SCGIGrammar.comma else { throw .commaMissing }
    head.reset(form: .variables)
    head.framing = state.headEnded(bodyLength: try readHeaders(base, from: start, to: end, &head))
    head.end = end
    offset = end + 1
    return .head
  }

  /// Where the netstring's bytes begin and how many they are, or nil while its length is incomplete.
  private func netstring(
    _ all: UnsafeRawBufferPointer, from origin: Int
  ) throws(SCGIError) -> (start: Int, length: Int)? {
    var length = 0
    for position in origin..<all.count {
      let (byte, digits) = (all[position], position - origin)
      if byte == SCGIGrammar.colon {
        guard digits > 0 else { throw .lengthMalformed }
        return (position + 1, length)
      }
      guard Ascii.isDigit(byte) else {
        throw digits == 0 && byte &- 0x41 < 26 ? .spokenHTTP : .lengthNotANumber
      }
      if digits > 0, length == 0 { throw .lengthMalformed }
      length = length * 10 + Int(byte &- 0x30)
      guard length <= limits.headBytes else { throw .headTooLarge(bytes: length) }
    }
    return nil
  }

  /// Reads the headers into `head`; returns CONTENT_LENGTH.
  private func readHeaders(
    _ base: UnsafeRawPointer, from start: Int, to end: Int, _ head: inout RequestHead
  ) throws(SCGIError) -> Int64 {
    var contentLength: Int64 = -1
    var hasVersion = false
    var position = start
    while position < end {
      let name = try string(base, from: position, to: end)
      let value = try string(base, from: name.end + 1, to: end)
      position = value.end + 1
      guard !name.isEmpty else { throw .headerUnterminated }
      let known = KnownName.variable(name.bytes(in: base))
      // A request header given twice is passed on twice by nginx: those stay for the normaliser to join.
      let isMeta = known != .other && known.rawValue <= KnownName.contentType.rawValue
      if isMeta, head.first(known) != nil { throw .duplicateHeader }
      guard head.count < limits.fields, head.append(name: name, value: value, known: known) else {
        throw .tooManyHeaders
      }
      switch known {
      case .contentLength:
        guard head.count == 1 else { throw .contentLengthNotFirst }
        guard let number = Ascii.decimal(value.bytes(in: base)) else { throw .contentLengthMalformed }
        contentLength = number
      case .scgi: hasVersion = Ascii.equals(value.bytes(in: base), "1")
      case .requestMethod: head.method = value
      case .requestURI: head.target = value
      default: break
      }
    }
    guard contentLength >= 0 else { throw .contentLengthNotFirst }
    guard hasVersion else { throw .versionMissing }
    guard contentLength <= limits.bodyBytes else { throw .bodyTooLarge }
    return contentLength
  }

  /// The bytes at `start` without the NUL that ends them.
  @inline(__always)
  private func string(_ base: UnsafeRawPointer, from start: Int, to end: Int) throws(SCGIError) -> ByteRange {
    let stop = SCGIGrammar.terminator(base, start, end)
    guard stop < end else { throw .headerUnterminated }
    return ByteRange(start, stop - start)
  }
}
