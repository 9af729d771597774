/// One field line (RFC 9112 §5): `name ":" OWS value OWS CR LF`, or the empty line that ends them.
///
/// Remembers how far it got in an incomplete line, so that no byte is looked at twice however the line
/// arrives. The same rules hold for trailer fields (§7.1.2).
struct FieldLine: Sendable {
  enum Found {
    /// The bytes end inside the line.
    case incomplete
    /// The empty line; the next byte stands at `next`.
    case blank(next: Int)
    case field(name: ByteRange, value: DelimitedRange, next: Int)
  }

  /// Bytes of the line that are known to be good.
  private var scanned = 0
  /// Offset of the colon in the line; 0 until it is found.
  private var colon = 0

  /// Reads the line that begins at `line`; does not touch bytes at and after `end`.
  @inline(always)
  mutating func scan(_ base: UnsafeRawPointer, from line: Int, to end: Int) throws(HTTP1Error) -> Found {
    var position = line &+ scanned
    // Never true after the first byte of a name.
    if line &+ 2 <= end, HTTP1Grammar.endsLine(base, line) { return .blank(next: line &+ 2) }
    if colon == 0 {
      position = Ascii.endOfToken(base, position, end)
      if position >= end { return pause(at: position, line) }
      guard position > line, HTTP1Grammar.byte(base, position) == HTTP1Grammar.colon else {
        return try blank(base, line, position, end)
      }
      colon = position &- line
      position &+= 1
    }
    while true {
      position = Ascii.endOfText(base, position, end)
      guard position < end, HTTP1Grammar.byte(base, position) == HTTP1Grammar.tab else { break }
      position &+= 1
    }
    guard position &+ 1 < end else {
      if position < end { try HTTP1Grammar.requireCR(base, position, else: .valueByte) }
      return pause(at: position, line)
    }
    guard HTTP1Grammar.endsLine(base, position) else {
      try HTTP1Grammar.requireCR(base, position, else: .valueByte)
      throw .bareCR
    }
    let name = ByteRange(line, colon)
    // White space or CR follows it.
    let text = FieldLine.trim(base, line &+ colon &+ 1, position)
    let value = DelimitedRange(Int(text.start), endedAt: text.end)
    (scanned, colon) = (0, 0)
    return .field(name: name, value: value, next: position &+ 2)
  }

  @inline(__always)
  private mutating func pause(at position: Int, _ line: Int) -> Found {
    scanned = position &- line
    return .incomplete
  }

  /// What begins no name, at `position`: half of the empty line, or an error.
  @inline(never)
  private mutating func blank(
    _ base: UnsafeRawPointer, _ line: Int, _ position: Int, _ end: Int
  ) throws(HTTP1Error) -> Found {
    let byte = HTTP1Grammar.byte(base, position)
    if HTTP1Grammar.isBlank(byte) { throw position == line ? .foldedLine : .spaceInName }
    guard byte == HTTP1Grammar.carriageReturn else {
      throw byte == HTTP1Grammar.lineFeed ? .bareLF : .nameMalformed
    }
    if position &+ 1 == end { return pause(at: position, line) }
    throw HTTP1Grammar.byte(base, position &+ 1) == HTTP1Grammar.lineFeed ? .colonMissing : .bareCR
  }

  /// The bytes from `start` to `end` without the white space around them (OWS, RFC 9110 §5.6.3).
  @inline(__always)
  static func trim(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> ByteRange {
    var (first, last) = (start, end)
    while first < last, HTTP1Grammar.isBlank(HTTP1Grammar.byte(base, first)) { first &+= 1 }
    while last > first, HTTP1Grammar.isBlank(HTTP1Grammar.byte(base, last &- 1)) { last &-= 1 }
    return ByteRange(first, last &- first)
  }

  /// An element of a list without the white space around it.
  static func trimmed(_ text: Slice<UnsafeRawBufferPointer>) -> UnsafeRawBufferPointer {
    let whole = UnsafeRawBufferPointer(rebasing: text)
    guard let base = whole.baseAddress else { return whole }
    return trim(base, 0, whole.count).bytes(in: base)
  }
}

extension HTTP1Grammar {
  /// Throws unless there is a CR at `position`.
  static func requireCR(
    _ base: UnsafeRawPointer, _ position: Int, else error: HTTP1Error
  ) throws(HTTP1Error) {
    let byte = byte(base, position)
    if byte == carriageReturn { return }
    throw byte == lineFeed ? .bareLF : error
  }
}
