/// Chunked transfer coding (RFC 9112 §7.1): chunk-size lines are checked and skipped, extensions are checked
/// and thrown away; the data and the trailer fields are handed out where they stand, except fields that mean
/// nothing behind a body (`HeadOnlyFields`).
///
///     chunked-body = *( chunk-size [ chunk-ext ] CRLF chunk-data CRLF ) 1*"0" [ chunk-ext ] CRLF
///                    *( field-line CRLF ) CRLF
///     chunk-ext    = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
///     chunk-ext-val = token / quoted-string
struct ChunkedReader: Sendable {
  /// Which byte comes next.
  private enum State {
    /// A digit of the size; may become extension or sizeLF.
    case size
    /// Inside an extension; becomes sizeLF.
    case `extension`(ChunkExtension)
    /// LF of a chunk-size line; becomes data, or trailer after the last chunk.
    case sizeLF
    /// Data, `left` of it; becomes dataCR.
    case data
    /// CR after the data; becomes dataLF.
    case dataCR
    /// LF after the data; becomes size.
    case dataLF
    /// A line of the trailer section, or the empty line that ends the body.
    case trailer
  }

  private var state = State.size
  /// Digits of the size; then fields of the trailer section.
  private var digits = 0
  /// The size of this chunk as far as it is read; then the rest of it.
  private var left: UInt64 = 0
  /// Bytes of this chunk-size line; then of the trailer section.
  private var lineBytes = 0
  /// Decoded bytes, with this chunk.
  private var total: Int64 = 0
  private var line = FieldLine()

  /// Reads on from `offset`; the event is `.needMore`, `.body`, `.trailer` or `.end`.
  mutating func next(
    _ all: UnsafeRawBufferPointer, _ offset: inout Int, _ limits: HeadLimits
  ) throws(HTTP1Error) -> ReadEvent {
    while offset < all.count {
      switch state {
      case .data:
        let count = Int(min(UInt64(all.count - offset), left))
        left -= UInt64(count)
        if left == 0 { state = .dataCR }
        defer { offset += count }
        return .body(ByteRange(offset, count))
      case .trailer: if let event = try trailer(all, &offset, limits) { return event }
      case .dataCR: try expect(HTTP1Grammar.carriageReturn, all[offset], then: .dataLF, &offset)
      case .dataLF: try expect(HTTP1Grammar.lineFeed, all[offset], then: .size, &offset)
      case .size, .extension, .sizeLF:
        lineBytes += 1
        guard lineBytes <= limits.chunkLineBytes else { throw .chunkLineTooLong }
        try sizeLine(all[offset], limits)
        offset += 1
      }
    }
    return .needMore
  }

  @inline(__always)
  private mutating func expect(
    _ wanted: UInt8, _ byte: UInt8, then following: State, _ offset: inout Int
  ) throws(HTTP1Error) {
    guard byte == wanted else { throw .chunkEndMissing }
    state = following
    offset += 1
  }

  /// One byte of a chunk-size line.
  @inline(__always)
  private mutating func sizeLine(_ byte: UInt8, _ limits: HeadLimits) throws(HTTP1Error) {
    switch state {
    case .size: try size(byte)
    case .extension(let part):
      guard let next = part.after(byte) else {
        throw byte == HTTP1Grammar.lineFeed ? .bareLF : .chunkExtensionMalformed
      }
      state = next == .lineEnd ? .sizeLF : .extension(next)
    default:
      guard byte == HTTP1Grammar.lineFeed else { throw .bareCR }
      try sizeComplete(limits)
    }
  }

  @inline(__always)
  private mutating func size(_ byte: UInt8) throws(HTTP1Error) {
    if let digit = Ascii.hex(byte) {
      digits += 1
      left = left << 4 | UInt64(digit)
      guard digits <= HTTP1Grammar.chunkDigits, left <= UInt64(Int64.max) else { throw .chunkSizeOverflow }
      return
    }
    guard digits > 0 else { throw .chunkSizeMalformed }
    switch byte {
    case HTTP1Grammar.carriageReturn: state = .sizeLF
    case HTTP1Grammar.semicolon: state = .extension(.nameStart)
    case HTTP1Grammar.space, HTTP1Grammar.tab: state = .extension(.end)
    case HTTP1Grammar.lineFeed: throw .bareLF
    default: throw .chunkSizeMalformed
    }
  }

  private mutating func sizeComplete(_ limits: HeadLimits) throws(HTTP1Error) {
    state = left == 0 ? .trailer : .data
    (digits, lineBytes) = (0, 0)
    guard Int64(left) <= limits.bodyBytes - total else { throw .bodyTooLarge }
    total += Int64(left)
  }

  /// Reads one line of the trailer section; nil for a field that is left out.
  private mutating func trailer(
    _ all: UnsafeRawBufferPointer, _ offset: inout Int, _ limits: HeadLimits
  ) throws(HTTP1Error) -> ReadEvent? {
    guard let base = all.baseAddress else { return .needMore }
    let room = limits.headBytes - lineBytes
    switch try line.scan(base, from: offset, to: min(all.count, offset + room)) {
    case .incomplete:
      if all.count - offset >= room { throw .trailerTooLarge }
      return .needMore
    case .field(let name, let value, let next):
      digits += 1
      guard digits <= limits.fields else { throw .trailerTooLarge }
      lineBytes += next - offset
      offset = next
      if HeadOnlyFields.holds(name.bytes(in: base)) { return nil }
      return .trailer(ByteRange(Int(name.start), value.end - Int(name.start)))
    case .blank(let next):
      offset = next
      return .end
    }
  }
}
