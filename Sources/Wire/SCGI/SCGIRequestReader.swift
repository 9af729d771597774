/// SCGI request reader: a netstring of NUL-separated headers, then CONTENT_LENGTH bytes.
/// Bytes in, events out; owns no memory and no descriptor. One request per connection.
@frozen public struct SCGIRequestReader: BitwiseCopyable, Sendable {
  /// Where the reader is.
  public private(set) var state = SizedRequestState.head
  private let limits: HeadLimits

  /// A reader at the beginning of a connection.
  public init(limits: HeadLimits) { self.limits = limits }

  /// Reads on in `bytes` from `offset`, which it moves past the bytes that it has consumed.
  ///
  /// While the head is incomplete nothing is consumed: call again with the same bytes and more.
  public mutating func next(
    _ bytes: RawSpan, _ offset: inout Int, _ head: inout RequestHead
  ) throws(SCGIError) -> ReadEvent {
    guard state == .head else { return state.nextAfterHead(bytes.byteCount, &offset) }
    return try bytes.withUnsafeBytes { all throws(SCGIError) in try readHead(all, &offset, &head) }
  }

  /// Bytes of a body that the host read past the reader, straight into place; `count` is at most `left`.
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

  /// Where the netstring's bytes begin and how many there are, or nil while its length is incomplete.
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
    var table = VariableTable(&head, base: base, end: end, limit: limits.fields)
    var position = start
    while position < end {
      let nameEnd = SCGIGrammar.terminator(base, position, end)
      guard nameEnd < end, nameEnd > position else { throw .headerUnterminated }
      let valueEnd = SCGIGrammar.terminator(base, nameEnd &+ 1, end)
      guard valueEnd < end else { throw .headerUnterminated }
      let name = ByteRange(position, nameEnd &- position)
      let value = DelimitedRange(nameEnd &+ 1, endedAt: valueEnd)
      position = valueEnd &+ 1
      let known = KnownName.variable(name.bytes(in: base))
      switch table.append(first: known, name: name, value: value) {
      case .first: break
      // nginx passes on twice a request header that it gets twice: those are left for the normaliser to join.
      case .again where known.rawValue > KnownName.contentType.rawValue: break
      case .again: throw .duplicateHeader(Ascii.shown(name.bytes(in: base)))
      case .tooMany: throw .tooManyHeaders
      }
    }
    table.finish(&head)
    head.hasDelimitedNames = true
    if table.mayRepeat { try refuseDuplicates(base, head) }
    return try contentLength(base, &head)
  }

  /// The same for names that the server does not know, except those of request headers.
  @inline(never)
  private func refuseDuplicates(
    _ base: UnsafeRawPointer, _ head: borrowing RequestHead
  ) throws(SCGIError) {
    let table = UnsafeMutableBufferPointer(start: head.table, count: head.count)
    let duplicate: UnsafeRawBufferPointer? =
      if table.count <= NameIndex.worthwhile {
        SCGIRequestReader.duplicate(base, table) { place, name in
          table[..<place].contains { $0.known == .other && NameIndex.same($0.name.bytes(in: base), name) }
        }
      } else {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: NameIndex.slots(for: table.count)) { slots in
          let index = NameIndex(slots)
          return SCGIRequestReader.duplicate(base, table) { place, name in
            index.find(name, orAdd: place) { table[$0].name.bytes(in: base) } != nil
          }
        }
      }
    if let duplicate { throw .duplicateHeader(Ascii.shown(duplicate)) }
  }

  /// The first name that `isKnown`, which is told each name and its place, has met before.
  @inline(__always)
  private static func duplicate(
    _ base: UnsafeRawPointer, _ table: UnsafeMutableBufferPointer<Field>,
    isKnown: (Int, UnsafeRawBufferPointer) -> Bool
  ) -> UnsafeRawBufferPointer? {
    for place in table.indices where table[place].known == .other {
      let name = table[place].name.bytes(in: base)
      if name.count > 5, Ascii.begins(name.baseAddress!, "HTTP"), name[4] == 0x5f { continue }
      if isKnown(place, name) { return name }
    }
    return nil
  }

  /// What CONTENT_LENGTH says, which must be the first header, with SCGI=1 among the others.
  private func contentLength(
    _ base: UnsafeRawPointer, _ head: inout RequestHead
  ) throws(SCGIError) -> Int64 {
    guard head.count > 0, head[0].known == .contentLength else { throw .contentLengthNotFirst }
    guard case .bytes(let length) = head.announcedLength(base: base) else {
      throw head.announcedLength(base: base) == .unknown ? .lengthMissing : .contentLengthMalformed
    }
    head.stated(length: length, base: base)
    guard let version = head.first(.scgi), Ascii.equals(version.bytes(in: base), "1") else {
      throw .versionMissing
    }
    guard length <= limits.bodyBytes else { throw .bodyTooLarge }
    return length
  }
}
