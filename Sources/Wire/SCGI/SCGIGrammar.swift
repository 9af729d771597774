/// Words of the SCGI protocol (SCGI specification of 2008-06-23).
///
///     request = netstring body
///     netstring = length ":" headers ","
///     headers = *( name NUL value NUL )      ; CONTENT_LENGTH first, SCGI=1 among them
enum SCGIGrammar {
  static let colon = UInt8(ascii: ":")
  static let comma = UInt8(ascii: ",")

  /// The first NUL at or after `start`; `end` if there is none.
  @inline(__always)
  static func terminator(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Int {
    var position = start
    while position &+ 8 <= end {
      let found = Word.zeros(Word.load(base, position))
      if found != 0 { return position &+ Word.index(found) }
      position &+= 8
    }
    while position < end, base.load(fromByteOffset: position, as: UInt8.self) != 0 { position &+= 1 }
    return position
  }
}
