/// The codings in which a file may lie beside itself, best first.
@frozen public enum ContentCoding: UInt8, CaseIterable, Sendable {
  case brotli, zstandard, gzip

  /// Its name in Accept-Encoding and Content-Encoding.
  public var name: StaticString {
    switch self {
    case .brotli: "br"
    case .zstandard: "zstd"
    case .gzip: "gzip"
    }
  }

  /// The ending of the name of a file in this coding.
  public var ending: StaticString {
    switch self {
    case .brotli: ".br"
    case .zstandard: ".zst"
    case .gzip: ".gz"
    }
  }

  /// The codings that a client accepts, its favourite first; our order decides between equals (RFC 9110
  /// §12.5.3). Codings that it likes less than the plain file are left out.
  public static func accepted(_ fields: [UnsafeRawBufferPointer]) -> [ContentCoding] {
    if fields.isEmpty { return [] }
    var weights: [ContentCoding: Int] = [:]
    var (rest, identity): (Int, Int?) = (0, nil)
    for field in fields {
      for element in field.split(separator: 0x2c) {
        let parts = element.split(separator: 0x3b, omittingEmptySubsequences: false)
        let name = FieldLine.trimmed(parts[0])
        let weight = parts.count > 1 ? Self.weight(parts[1...]) : 1000
        if Ascii.matches(name, "*") { rest = weight }
        if Ascii.matches(name, "identity") { identity = weight }
        if Ascii.matches(name, "x-gzip") { weights[.gzip] = weight }
        for coding in allCases where Ascii.matches(name, coding.name) { weights[coding] = weight }
      }
    }
    let weighed = allCases.map { ($0, weights[$0] ?? rest) }.filter { $0.1 > 0 && $0.1 >= identity ?? 0 }
    // Keeps the order of equals: there are three.
    var sorted: [(ContentCoding, Int)] = []
    for entry in weighed { sorted.insert(entry, at: sorted.firstIndex { $0.1 < entry.1 } ?? sorted.count) }
    return sorted.map(\.0)
  }

  /// `q=0.5` in thousandths; malformed ones count as not wanted.
  private static func weight(_ parameters: ArraySlice<Slice<UnsafeRawBufferPointer>>) -> Int {
    for parameter in parameters {
      let text = FieldLine.trimmed(parameter)
      guard text.count >= 2, text[0] | 0x20 == 0x71, text[1] == 0x3d else { continue }
      let digits = text[2...]
      guard let whole = digits.first, whole == 0x30 || whole == 0x31, digits.count <= 5 else { return 0 }
      var value = Int(whole - 0x30) * 1000
      if digits.count > 1 {
        guard digits[3] == 0x2e else { return 0 }
        var unit = 100
        for digit in digits.dropFirst(2) {
          guard Ascii.isDigit(digit) else { return 0 }
          value += Int(digit - 0x30) * unit
          unit /= 10
        }
      }
      return value > 1000 ? 0 : value
    }
    return 1000
  }
}
