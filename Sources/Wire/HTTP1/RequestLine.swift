/// The request line (RFC 9112 §3): `method SP request-target SP HTTP-version CR LF`.
struct RequestLine: Sendable {
  /// Bytes of the line, from its start, that are known to belong to method and target.
  private var scanned = 0

  /// Reads the line that begins at `line` into method, target and version of `head`; returns where the next
  /// line begins, or nil while this one is incomplete. Does not touch bytes at and after `end`.
  @inline(always)
  mutating func scan(
    _ base: UnsafeRawPointer, from line: Int, to end: Int, _ head: inout RequestHead
  ) throws(HTTP1Error) -> Int? {
    var position = Ascii.endOfToken(base, line, end)
    let method = DelimitedRange(line, endedAt: position)
    guard method.count <= HTTP1Grammar.methodBytes else { throw .methodTooLong }
    guard position < end else { return nil }
    guard HTTP1Grammar.byte(base, position) == HTTP1Grammar.space, !method.isEmpty else {
      throw HTTP1Grammar.byte(base, position) == 0x16 && method.isEmpty ? .spokenTLS : .methodMalformed
    }
    let target = position &+ 1
    position = HTTP1Grammar.endOfTarget(base, max(target, line &+ scanned), end)
    scanned = position &- line
    guard position < end else { return nil }
    guard HTTP1Grammar.byte(base, position) == HTTP1Grammar.space else {
      throw RequestLine.endsLine(HTTP1Grammar.byte(base, position)) ? .versionMalformed : .targetByte
    }
    guard position > target else { throw .targetMalformed }
    guard let (minor, next) = try RequestLine.version(base, position &+ 1, end) else { return nil }
    scanned = 0
    head.method = method
    head.target = DelimitedRange(target, endedAt: position)
    head.minorVersion = minor
    return next
  }

  private static func endsLine(_ byte: UInt8) -> Bool {
    byte == HTTP1Grammar.carriageReturn || byte == HTTP1Grammar.lineFeed
  }

  /// The minor version, 0 or 1, and where the next line begins. A later minor version is read as 1
  /// (RFC 9110 §2.5).
  @inline(__always)
  private static func version(
    _ base: UnsafeRawPointer, _ position: Int, _ end: Int
  ) throws(HTTP1Error) -> (minor: UInt8, next: Int)? {
    if position &+ 10 <= end {
      let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      let ending = UInt16(littleEndian: base.loadUnaligned(fromByteOffset: position &+ 8, as: UInt16.self))
      if ending == HTTP1Grammar.lineEnd {
        if word == HTTP1Grammar.version11 { return (1, position &+ 10) }
        if word == HTTP1Grammar.version10 { return (0, position &+ 10) }
      }
    }
    return try unusualVersion(base, position, end)
  }

  /// The same byte by byte: for a line that is incomplete, wrong, or of another version.
  @inline(never)
  private static func unusualVersion(
    _ base: UnsafeRawPointer, _ start: Int, _ end: Int
  ) throws(HTTP1Error) -> (minor: UInt8, next: Int)? {
    let form: StaticString = "HTTP/d.d"
    for index in 0..<8 {
      guard start + index < end else { return nil }
      let byte = HTTP1Grammar.byte(base, start + index)
      let isDigit = form.utf8Start[index] == UInt8(ascii: "d")
      guard isDigit ? Ascii.isDigit(byte) : byte == form.utf8Start[index] else { throw .versionMalformed }
    }
    guard HTTP1Grammar.byte(base, start + 5) == UInt8(ascii: "1") else { throw .versionUnsupported }
    guard start + 8 < end else { return nil }
    try HTTP1Grammar.requireCR(base, start + 8, else: .versionMalformed)
    guard start + 9 < end else { return nil }
    guard HTTP1Grammar.byte(base, start + 9) == HTTP1Grammar.lineFeed else { throw .bareCR }
    return (HTTP1Grammar.byte(base, start + 7) == UInt8(ascii: "0") ? 0 : 1, start + 10)
  }

  /// Finds out which form the target has (RFC 9112 §3.2) and sets `path` and `authority`.
  @inline(__always)
  static func classifyTarget(_ base: UnsafeRawPointer, _ head: inout RequestHead) throws(HTTP1Error) {
    if HTTP1Grammar.byte(base, Int(head.target.start)) == UInt8(ascii: "/"), head.method.count != 7 {
      head.path = head.target
    } else {
      try unusualTarget(base, &head)
    }
  }

  @inline(never)
  private static func unusualTarget(_ base: UnsafeRawPointer, _ head: inout RequestHead) throws(HTTP1Error) {
    let (method, target) = (head.method.bytes(in: base), head.target.bytes(in: base))
    if Ascii.equals(method, "CONNECT") {
      guard Authority.isValid(target, needsPort: true) else { throw .targetMalformed }
      throw .connectUnsupported
    }
    head.path = head.target
    if target[0] == UInt8(ascii: "/") { return }
    if Ascii.equals(target, "*") {
      guard Ascii.equals(method, "OPTIONS") else { throw .targetMalformed }
      return
    }
    guard let scheme = schemeLength(target) else { throw .targetMalformed }
    var end = scheme
    while end < target.count, target[end] != UInt8(ascii: "/"), target[end] != UInt8(ascii: "?") { end += 1 }
    guard end > scheme, Authority.isValid(UnsafeRawBufferPointer(rebasing: target[scheme..<end])) else {
      throw .hostMalformed
    }
    head.authority = ByteRange(Int(head.target.start) + scheme, end - scheme)
    head.path = head.target.dropping(end)
  }

  /// Length of `http://` or `https://` at the beginning, in any case (RFC 9110 §4.2.1, §4.2.2).
  private static func schemeLength(_ target: UnsafeRawBufferPointer) -> Int? {
    if target.count > 7, Ascii.matches(UnsafeRawBufferPointer(rebasing: target[..<7]), "http://") {
      return 7
    }
    if target.count > 8, Ascii.matches(UnsafeRawBufferPointer(rebasing: target[..<8]), "https://") {
      return 8
    }
    return nil
  }
}
