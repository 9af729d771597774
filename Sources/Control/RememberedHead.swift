/// The head of a request that a worker remembers so that it can be replayed: its variables as a gateway
/// passes them on, whatever protocol has brought it.
public struct RememberedHead: Equatable, Sendable {
  /// The application's place in the configuration, from 0.
  public let app: Int
  /// When it was answered, in monotonic nanoseconds of this machine.
  public let at: UInt64
  /// Names and values, each ended by a NUL.
  public let block: [UInt8]

  /// A head; nothing in a name or a value is a NUL.
  public init(app: Int, at: UInt64, block: [UInt8]) { (self.app, self.at, self.block) = (app, at, block) }

  /// The names and their values, in order; a name without a value is left out.
  public var variables: [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)] {
    var texts = block.split(separator: 0, omittingEmptySubsequences: false)
    // Behind the last NUL there is nothing.
    if texts.last?.isEmpty ?? false { texts.removeLast() }
    var list: [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)] = []
    for place in stride(from: 0, to: texts.count - 1, by: 2) where !texts[place].isEmpty {
      list.append((name: texts[place], value: texts[place + 1]))
    }
    return list
  }

  /// The value of a variable as text; empty without it.
  public func text(_ name: String) -> String {
    let wanted = Array(name.utf8)
    let found = variables.first { $0.name.elementsEqual(wanted) }
    return found.map { String(decoding: $0.value, as: UTF8.self) } ?? ""
  }
}

/// Heads as bytes in a file that a worker fills, one behind the other: its numbers, a line end, its block.
extension RememberedHead {
  private static let newline = UInt8(ascii: "\n")
  /// The most digits and spaces before the line end.
  private static let mostNumberBytes = 64

  /// The bytes of this one.
  public var bytes: [UInt8] { Array("\(app) \(at) \(block.count)\n".utf8) + block }

  /// Reads what `bytes` wrote, as far as it makes sense: an application in the worker may have written there.
  ///
  /// - Parameter most: bytes that a block has at most.
  public static func all(in bytes: [UInt8], most: Int) -> [RememberedHead] {
    var heads: [RememberedHead] = []
    var rest = bytes[...]
    while let end = rest.prefix(mostNumberBytes).firstIndex(of: newline) {
      let numbers = rest[..<end].split(separator: UInt8(ascii: " "))
        .map { UInt64(String(decoding: $0, as: UTF8.self)) }
      rest = rest[(end + 1)...]
      guard numbers.count == 3, let app = numbers[0].flatMap({ Int(exactly: $0) }), let at = numbers[1],
        let count = numbers[2].flatMap({ Int(exactly: $0) }), count <= most, count <= rest.count
      else { return heads }
      heads.append(RememberedHead(app: app, at: at, block: Array(rest.prefix(count))))
      rest = rest.dropFirst(count)
    }
    return heads
  }
}
