/// SCGI request reader: a netstring of NUL-separated headers, then CONTENT_LENGTH bytes.
/// Bytes in, events out; owns no memory and no descriptor. One request per connection.
@frozen public struct SCGIRequestReader: Sendable {
  /// Where in the request the next byte stands.
  @frozen public enum State: Equatable, Sendable {
    /// Before or inside the netstring; nothing was consumed yet. May become body or ended.
    case head
    /// Inside the body, with so many bytes to come; becomes ended.
    case body(left: Int64)
    /// After the request.
    case ended
  }

  public private(set) var state = State.head
  private let limits: HeadLimits

  public init(limits: HeadLimits) { self.limits = limits }

  /// Reads on in `bytes` from `offset`, which it moves over what it has used up.
  ///
  /// While the head is incomplete nothing is used up: call again with the same bytes and more.
  public mutating func next(
    _ bytes: RawSpan, _ offset: inout Int, _ head: inout RequestHead
  ) throws(SCGIError) -> ReadEvent {
    switch state {
    case .head: return try readHead(bytes, &offset, &head)
    case .body(let left):
      let there = bytes.byteCount - offset
      if there == 0 { return .needMore }
      let count = Int(min(Int64(there), left))
      state = Int64(count) == left ? .ended : .body(left: left - Int64(count))
      defer { offset += count }
      return .body(ByteRange(offset, count))
    case .ended: return .end
    }
  }

  /// Bytes of a body that the host read past the reader, straight to their place; `count` is at most `left`.
  public mutating func bypassed(_ count: Int) {
    guard case .body(let left) = state else { return }
    state = Int64(count) == left ? .ended : .body(left: left - Int64(count))
  }

  private mutating func readHead(
    _ bytes: RawSpan, _ offset: inout Int, _ head: inout RequestHead
  ) throws(SCGIError) -> ReadEvent {
    let origin = offset
    let parsed: (start: Int, length: Int)? = try bytes.withUnsafeBytes { all throws(SCGIError) in
      try netstring(UnsafeRawBufferPointer(rebasing: all[origin...]))
    }
    guard let (start, length) = parsed else { return .needMore }
    guard bytes.byteCount - origin > start + length else { return .needMore }
    head.reset(form: .variables)
    let contentLength = try bytes.withUnsafeBytes { all throws(SCGIError) in
      try readHeaders(all, from: origin + start, length: length, &head)
    }
    head.framing = contentLength == 0 ? .none : .length(contentLength)
    state = contentLength == 0 ? .ended : .body(left: contentLength)
    offset = origin + start + length + 1
    return .head
  }

  /// The netstring's start and length, or nil while its length is incomplete.
  private func netstring(_ bytes: UnsafeRawBufferPointer) throws(SCGIError) -> (start: Int, length: Int)? {
    var length = 0
    for (position, byte) in bytes.enumerated() {
      if byte == SCGIGrammar.colon {
        guard position > 0, position == 1 || bytes[0] != 0x30 else { throw .lengthMalformed }
        guard length <= limits.headBytes else { throw .headTooLarge(bytes: length) }
        return (position + 1, length)
      }
      guard Ascii.isDigit(byte) else {
        throw position == 0 && byte &- 0x41 < 26 ? .spokenHTTP : .lengthNotANumber
      }
      length = length * 10 + Int(byte &- 0x30)
      guard position < SCGIGrammar.lengthDigits else { throw .headTooLarge(bytes: length) }
    }
    return nil
  }

  private func readHeaders(
    _ all: UnsafeRawBufferPointer, from start: Int, length: Int, _ head: inout RequestHead
  ) throws(SCGIError) -> Int64 {
    let end = start + length
    guard all[end] == SCGIGrammar.comma else { throw .commaMissing }
    var contentLength: Int64 = -1
    var hasVersion = false
    var position = start
    while position < end {
      let nameEnd = try terminator(all, from: position, before: end)
      let valueEnd = try terminator(all, from: nameEnd + 1, before: end)
      let name = ByteRange(position, nameEnd - position)
      let value = ByteRange(nameEnd + 1, valueEnd - nameEnd - 1)
      guard name.count > 0 else { throw .headerUnterminated }
      let known = KnownName.variable(name.bytes(in: all.baseAddress!))
      if known != .other, head.first(known) != nil { throw .duplicateHeader }
      guard head.append(name: name, value: value, known: known) else { throw .tooManyHeaders }
      let text = value.bytes(in: all.baseAddress!)
      switch known {
      case .contentLength:
        guard head.count == 1 else { throw .contentLengthNotFirst }
        guard let number = Ascii.decimal(text) else { throw .contentLengthMalformed }
        guard number <= limits.bodyBytes else { throw .bodyTooLarge }
        contentLength = number
      case .scgi: hasVersion = text.count == 1 && text[0] == 0x31
      case .requestMethod: head.method = value
      case .requestURI: head.target = value
      default: break
      }
      position = valueEnd + 1
    }
    guard contentLength >= 0 else { throw .contentLengthNotFirst }
    guard hasVersion else { throw .versionMissing }
    return contentLength
  }

  /// The next NUL at or after `start`.
  private func terminator(
    _ all: UnsafeRawBufferPointer, from start: Int, before end: Int
  ) throws(SCGIError) -> Int {
    var position = start
    while position < end {
      if all[position] == 0 { return position }
      position += 1
    }
    throw .headerUnterminated
  }
}
