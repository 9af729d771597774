// Media types, and which of several a client would rather have (RFC 9110 §12.5.1).

enum MediaType {
  /// The type without parameters, in lower case.
  static func essence(of text: String) -> String {
    let front = text.utf8.prefix { $0 != UInt8(ascii: ";") }
    return trimmed(String(decoding: front, as: UTF8.self)).lowercased()
  }

  /// The type of `offered`, best first, that `accept` likes most; nil if it takes none of them.
  static func choose(_ offered: [String], accept: String?) -> String? {
    guard let accept, !trimmed(accept).isEmpty else { return offered.first }
    let ranges = accept.split(separator: ",").map { Range(String($0)) }
    var best: (type: String, quality: Double)?
    for type in offered {
      let matching = ranges.filter { $0.matches(essence(of: type)) }
      guard let closest = matching.max(by: { $0.precision < $1.precision }), closest.quality > 0 else {
        continue
      }
      if closest.quality > best?.quality ?? 0 { best = (type, closest.quality) }
    }
    return best?.type
  }

  private static func trimmed(_ text: String) -> String {
    var rest = text[...]
    while let first = rest.first, first == " " || first == "\t" { rest = rest.dropFirst() }
    while let last = rest.last, last == " " || last == "\t" { rest = rest.dropLast() }
    return String(rest)
  }

  /// One element of Accept: `text/*;q=0.5`.
  private struct Range {
    var type: String
    var quality = 1.0

    init(_ text: String) {
      type = MediaType.essence(of: text)
      for parameter in text.split(separator: ";").dropFirst() {
        let parts = parameter.split(separator: "=", maxSplits: 1).map { MediaType.trimmed(String($0)) }
        if parts.count == 2, parts[0].lowercased() == "q" { quality = Double(parts[1]) ?? 0 }
      }
    }

    /// How narrow it is.
    var precision: Int { type == "*/*" ? 0 : type.hasSuffix("/*") ? 1 : 2 }

    func matches(_ other: String) -> Bool {
      switch precision {
      case 0: true
      case 1: other.hasPrefix(type.dropLast())
      default: other == type
      }
    }
  }
}
