/// Percent-decoding of paths (RFC 3986 §2.1) and of form data.
public enum PercentDecoding {
  /// Decodes a value of a form (a query): `+` is a blank; a % that is not followed by two digits stands for
  /// itself.
  public static func decode(form source: UnsafeRawBufferPointer, into out: inout ByteBuffer) {
    var position = 0
    while position < source.count {
      let (found, size) = byte(source, at: position)
      out.append(size == 1 && found == UInt8(ascii: "+") ? 0x20 : found)
      position += size
    }
  }

  /// Decodes `source` into memory of the arena, followed by a NUL.
  static func decode(_ source: UnsafeRawBufferPointer, _ arena: inout Arena) throws(NormalizeError) -> Text {
    let out = arena.allocate(source.count + 1).assumingMemoryBound(to: UInt8.self)
    var count = 0
    var position = 0
    while position < source.count {
      var byte = source[position]
      position += 1
      if byte == UInt8(ascii: "%") {
        guard position + 1 < source.count, let high = Ascii.hex(source[position]),
          let low = Ascii.hex(source[position + 1])
        else { throw .malformedEscape }
        byte = high << 4 | low
        guard byte != 0 else { throw .escapedNul }
        position += 2
      }
      out[count] = byte
      count += 1
    }
    out[count] = 0
    return Text(out, count)
  }

  /// The byte at a position, and the number of bytes that encode it; a % that is not followed by two digits
  /// stands for itself.
  static func byte(_ source: UnsafeRawBufferPointer, at position: Int) -> (byte: UInt8, size: Int) {
    guard source[position] == UInt8(ascii: "%"), position + 2 < source.count,
      let high = Ascii.hex(source[position + 1]), let low = Ascii.hex(source[position + 2])
    else { return (source[position], 1) }
    return (high << 4 | low, 3)
  }
}
