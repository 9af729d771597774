import CDeflate

/// Bodies as they were before they were compressed: two that are compressed differently may be the same.
enum Inflating {
  /// A body of these codings (RFC 9110 §8.4.1); nil for any other coding, for one that is broken, and for one
  /// that would be longer than `most`.
  static func plain(_ body: [UInt8], coding: String, most: Int) -> [UInt8]? {
    switch coding.lowercased() {
    case "", "identity": return body
    case "gzip", "x-gzip": return gzip(body).flatMap { raw($0, most: most) }
    // zlib's frame (RFC 1950): two bytes before it, a checksum of four behind it.
    case "deflate": return body.count > 6 ? raw(body[2..<(body.count - 4)], most: most) : nil
    default: return nil
    }
  }

  /// The compressed data of a file of one member (RFC 1952 §2.3).
  private static func gzip(_ body: [UInt8]) -> ArraySlice<UInt8>? {
    guard body.count > 18, body[0] == 0x1f, body[1] == 0x8b, body[2] == 8 else { return nil }
    let flags = body[3]
    var place = 10
    // Extra data, then a name, a comment and a checksum of the head.
    if flags & 4 != 0 {
      place += 2 + Int(body[10]) + Int(body[11]) << 8
    }
    for flag in [UInt8(8), 16] where flags & flag != 0 {
      guard place < body.count, let end = body[place...].firstIndex(of: 0) else { return nil }
      place = end + 1
    }
    if flags & 2 != 0 { place += 2 }
    return place <= body.count - 8 ? body[place..<(body.count - 8)] : nil
  }

  private static func raw(_ data: ArraySlice<UInt8>, most: Int) -> [UInt8]? {
    guard let stream = cdeflate_decompressor(15) else { return nil }
    defer { cdeflate_free(stream) }
    var result: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    return data.withUnsafeBytes { bytes -> [UInt8]? in
      var from = bytes.baseAddress
      var left = bytes.count
      while true {
        var made = 0
        let answer = piece.withUnsafeMutableBytes {
          cdeflate_run(stream, &from, &left, $0.baseAddress, $0.count, &made)
        }
        result += piece[..<made]
        guard result.count <= most else { return nil }
        switch answer {
        case Int32(CDEFLATE_DONE): return result
        case Int32(CDEFLATE_MORE): continue
        default: return nil
        }
      }
    }
  }
}
