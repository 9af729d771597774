/// Words that may hold any text and stand between spaces, on the control socket and in a `Record`: each byte
/// that is a space, a percent sign, a control character or not ASCII becomes %XX.
public enum PercentWord {
  private static let digits = Array("0123456789abcdef".utf8)

  /// A text as one word.
  public static func encoded(_ text: String) -> String {
    if text.utf8.allSatisfy(isPlain) { return text }
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      if isPlain(byte) {
        bytes.append(byte)
      } else {
        bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "%")
  }

  /// The text of a word; a broken escape stands for itself.
  public static func decoded(_ word: some StringProtocol) -> String {
    guard word.utf8.contains(UInt8(ascii: "%")) else { return String(word) }
    var bytes: [UInt8] = []
    var rest = Array(word.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), let value = value(of: rest.prefix(2)) {
        rest.removeFirst(2)
        bytes.append(value)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Two hexadecimal digits as a byte; nil for anything else.
  private static func value(of pair: ArraySlice<UInt8>) -> UInt8? {
    guard pair.count == 2, pair.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }) else {
      return nil
    }
    return UInt8(String(decoding: pair, as: UTF8.self), radix: 16)
  }
}
