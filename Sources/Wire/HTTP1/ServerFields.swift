/// The fields that the server adds to an HTTP response, as lines of its head: Date (RFC 9110 §6.6.1) and
/// Server (§10.2.4). Written once a second, copied unchanged to each head.
///
/// Borrows the memory it was written to; the owner keeps that for as long as any copy of it is used.
public struct ServerFields {
  private let start: UnsafeRawPointer
  /// Bytes of both lines.
  let count: Int

  /// Bytes of the first line.
  private static let dateCount = 6 + HTTPDate.count + 2

  /// How much memory the lines need, including the bytes after them that copying in steps reads.
  public static func size(server: StaticString) -> Int {
    dateCount + 8 + server.utf8CodeUnitCount + 2 + Cursor.step
  }

  /// Writes the lines.
  ///
  /// - Parameters:
  ///   - seconds: since 1970-01-01T00:00:00Z, as for `HTTPDate.format`.
  ///   - server: the value of Server; without one the line is left out.
  ///   - memory: `size(server:)` bytes.
  public init(seconds: Int64, server: StaticString, in memory: UnsafeMutableRawPointer) {
    var cursor = Cursor(memory)
    cursor.put("Date: ")
    cursor.putDate(seconds)
    cursor.put("\r\n")
    if server.utf8CodeUnitCount > 0 {
      cursor.put("Server: ")
      cursor.put(server)
      cursor.put("\r\n")
    }
    start = UnsafeRawPointer(memory)
    count = cursor.place - memory
    cursor.putPadding()
  }

  /// The value of Date.
  public var date: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: start + 6, count: HTTPDate.count)
  }

  /// The value of Server; empty without one.
  var server: UnsafeRawBufferPointer {
    let line = serverLine
    // Behind `Server: `, and in front of the line's end.
    guard line.count > 10 else { return .none }
    return UnsafeRawBufferPointer(rebasing: line[8..<(line.count - 2)])
  }

  @inline(__always)
  fileprivate var lines: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }
  fileprivate var dateLine: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: start, count: ServerFields.dateCount)
  }
  fileprivate var serverLine: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: start + ServerFields.dateCount, count: count - ServerFields.dateCount)
  }
}

extension Cursor {
  /// Writes those of the server's lines that the app has not given itself, with up to `Cursor.step` bytes
  /// after them.
  @inline(__always)
  mutating func put(_ fields: ServerFields, besides response: inout ResponseHead) {
    if !response.hasDate, !response.hasServer { return put(padded: fields.lines) }
    if !response.hasDate { put(fields.dateLine) }
    if !response.hasServer { put(fields.serverLine) }
  }
}
