/// A stream's priority as the client gives it (RFC 9218 §4): `u=0` … `u=7`, `i`; unknown members, values that
/// these cannot have, and parameters are passed over.
struct HTTP2Priority: Equatable, Sendable {
  /// 0 … 7: the lower, the sooner.
  private(set) var urgency: UInt8 = 3
  /// Parts of the answer are of use before the whole of it.
  private(set) var isIncremental = false

  init() {}

  init(_ text: UnsafeRawBufferPointer) { read(text) }

  /// Reads a list, whose members replace those of lists before it.
  mutating func read(_ text: UnsafeRawBufferPointer) {
    for part in text.split(separator: HTTP1Grammar.comma) {
      let end = part.firstIndex(of: HTTP1Grammar.semicolon) ?? part.endIndex
      let member = FieldLine.trimmed(part[..<end])
      switch member.count {
      case 3 where member[0] == UInt8(ascii: "u") && member[1] == UInt8(ascii: "="):
        if 0x30...0x37 ~= member[2] { urgency = member[2] - 0x30 }
      case 1 where member[0] == UInt8(ascii: "i"): isIncremental = true
      case 4 where Ascii.equals(member, "i=?1"): isIncremental = true
      case 4 where Ascii.equals(member, "i=?0"): isIncremental = false
      default: break
      }
    }
  }
}
