/// Finds bytes among others.
enum ByteSearch {
  /// Where `wanted`, which is not empty, is first found at or after a place; nil if it is not there.
  static func first(_ wanted: [UInt8], in bytes: [UInt8], from start: Int = 0, to end: Int? = nil) -> Int? {
    let last = min(end ?? bytes.count, bytes.count) - wanted.count
    guard let initial = wanted.first, start <= last else { return nil }
    return bytes.withUnsafeBufferPointer { bytes in
      wanted.withUnsafeBufferPointer { wanted in
        var place = start
        while place <= last {
          if bytes[place] == initial {
            var count = 1
            while count < wanted.count, bytes[place + count] == wanted[count] { count += 1 }
            if count == wanted.count { return place }
          }
          place += 1
        }
        return nil
      }
    }
  }

  /// How many bytes are the same from two places on.
  static func common(_ one: [UInt8], from place: Int, _ other: [UInt8], from start: Int) -> Int {
    var count = 0
    while place + count < one.count, start + count < other.count, one[place + count] == other[start + count] {
      count += 1
    }
    return count
  }
}
