/// Words of the SCGI protocol (SCGI specification of 2008-06-23).
///
///     request = netstring body
///     netstring = length ":" headers ","
///     headers = *( name NUL value NUL )      ; CONTENT_LENGTH first, SCGI=1 among them
enum SCGIGrammar {
  static let colon = UInt8(ascii: ":")
  static let comma = UInt8(ascii: ",")
  /// Digits of a netstring length at most: 65536 needs five, more is refused as it comes.
  static let lengthDigits = 9
}
