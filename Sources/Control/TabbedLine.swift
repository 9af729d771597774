/// Fields that may hold any text, in one line, separated by tabs: the output of programs that the server
/// starts for a file. Tabs, line ends and backslashes in a field are escaped.
public enum TabbedLine {
  private static let tab = UInt8(ascii: "\t")
  private static let newline = UInt8(ascii: "\n")
  private static let backslash = UInt8(ascii: "\\")

  /// The line, without its end.
  public static func encoded(_ fields: [String]) -> String {
    var bytes: [UInt8] = []
    for (index, field) in fields.enumerated() {
      if index > 0 { bytes.append(tab) }
      for byte in field.utf8 {
        switch byte {
        case tab: bytes += [backslash, UInt8(ascii: "t")]
        case newline: bytes += [backslash, UInt8(ascii: "n")]
        case backslash: bytes += [backslash, backslash]
        default: bytes.append(byte)
        }
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The fields of a line without its end; at least one.
  public static func decoded(_ line: some StringProtocol) -> [String] {
    line.utf8.split(separator: tab, omittingEmptySubsequences: false).map { unescaped($0) }
  }

  private static func unescaped(_ field: some Sequence<UInt8>) -> String {
    var bytes: [UInt8] = []
    var isEscaped = false
    for byte in field {
      if isEscaped {
        bytes.append(byte == UInt8(ascii: "n") ? newline : byte == UInt8(ascii: "t") ? tab : byte)
        isEscaped = false
      } else if byte == backslash {
        isEscaped = true
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
