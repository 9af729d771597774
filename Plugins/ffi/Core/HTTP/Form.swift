// application/x-www-form-urlencoded, of queries and of bodies (URL Standard, urlencoded parsing), strictly: a
// percent sign has two digits behind it.

enum Form {
  /// Names and values in their order. Names are text, values bytes.
  static func fields(
    _ text: some Collection<UInt8>
  ) throws(RequestError) -> [(name: String, value: [UInt8])] {
    var fields: [(name: String, value: [UInt8])] = []
    for pair in Array(text).split(separator: UInt8(ascii: "&")) {
      let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = String(validating: try decoded(parts[0]), as: UTF8.self) else {
        throw RequestError(400, "a parameter's name is not UTF-8")
      }
      fields.append((name, parts.count > 1 ? try decoded(parts[1]) : []))
    }
    return fields
  }

  private static func decoded(_ bytes: ArraySlice<UInt8>) throws(RequestError) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = bytes.startIndex
    while index < bytes.endIndex {
      switch bytes[index] {
      case UInt8(ascii: "+"): result.append(0x20)
      case UInt8(ascii: "%"):
        guard index + 2 < bytes.endIndex, let high = Hex.value(of: bytes[index + 1]),
          let low = Hex.value(of: bytes[index + 2])
        else { throw RequestError(400, "a percent sign has no two hexadecimal digits behind it") }
        result.append(high << 4 | low)
        index += 2
      case let byte: result.append(byte)
      }
      index += 1
    }
    return result
  }
}
