// Frames of HTTP/2 as bytes (RFC 9113 §4.1), written and read without the codec's help.

/// What clients of tests and fuzz targets say.
public enum HTTP2Bytes {
  /// What a client says first (§3.4); SETTINGS follow.
  public static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  /// DATA (§6.1).
  public static let data: UInt8 = 0
  /// HEADERS (§6.2).
  public static let headers: UInt8 = 1
  /// RST_STREAM (§6.4).
  public static let reset: UInt8 = 3
  /// SETTINGS (§6.5).
  public static let settings: UInt8 = 4
  /// PING (§6.7).
  public static let ping: UInt8 = 6
  /// GOAWAY (§6.8).
  public static let goAway: UInt8 = 7
  /// WINDOW_UPDATE (§6.9).
  public static let windowUpdate: UInt8 = 8
  /// CONTINUATION (§6.10).
  public static let continuation: UInt8 = 9

  /// Flag of DATA and HEADERS: the stream ends on this side.
  public static let endStream: UInt8 = 1
  /// Flag of SETTINGS and PING: an answer.
  public static let ack: UInt8 = 1
  /// Flag of HEADERS and CONTINUATION: the field block ends.
  public static let endHeaders: UInt8 = 4
  /// Flag of DATA and HEADERS: a byte with the length of the padding comes first.
  public static let padded: UInt8 = 8

  /// One frame as it was read.
  public struct Frame: Equatable, Sendable {
    /// Its type.
    public var type: UInt8
    /// Its flags.
    public var flags: UInt8
    /// The stream; 0 for the connection.
    public var id: UInt32
    /// What stands behind its header.
    public var payload: [UInt8]
  }

  /// A frame of whatever type, whose payload has at most 2^24 - 1 bytes.
  public static func frame(_ type: UInt8, _ flags: UInt8, _ id: UInt32, _ payload: [UInt8]) -> [UInt8] {
    Array(number(UInt32(payload.count))[1...]) + [type, flags] + number(id) + payload
  }

  /// Four bytes, the highest first.
  public static func number(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

  /// The number in four bytes.
  public static func number(_ bytes: some Collection<UInt8>) -> UInt32 {
    bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// Takes the frame that `bytes` begin with; nil, and nothing taken, while it is not whole.
  public static func take(_ bytes: inout ArraySlice<UInt8>) -> Frame? {
    guard bytes.count >= 9 else { return nil }
    let head = Array(bytes.prefix(9))
    let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
    guard bytes.count >= 9 + length else { return nil }
    let payload = Array(bytes.dropFirst(9).prefix(length))
    bytes = bytes.dropFirst(9 + length)
    return Frame(type: head[3], flags: head[4], id: number(head[5...]) & 0x7fff_ffff, payload: payload)
  }

  /// A field block of literals without indexing (RFC 7541 §6.2.2).
  public static func block(_ fields: [(name: String, value: String)]) -> [UInt8] {
    fields.flatMap { [0] + string(Array($0.name.utf8)) + string(Array($0.value.utf8)) }
  }

  /// A string without Huffman code (RFC 7541 §5.2).
  public static func string(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
    var (length, rest): ([UInt8], Int) = ([127], bytes.count - 127)
    while rest >= 128 {
      length.append(UInt8(rest & 127) | 128)
      rest >>= 7
    }
    return length + [UInt8(rest)] + bytes
  }

  /// The fields of a block of this server, which adds nothing to the dynamic table and puts :status first
  /// (RFC 7541 §6). A value in the Huffman code is empty here.
  public static func fields(_ block: [UInt8]) throws(SupportError) -> [(name: String, value: String)] {
    let statuses = [200, 204, 206, 304, 400, 404, 500]
    var rest = block[...]
    var fields: [(name: String, value: String)] = []
    while let first = rest.popFirst() {
      if statuses.indices.contains(Int(first) - 0x88) {
        fields.append((":status", "\(statuses[Int(first) - 0x88])"))
        continue
      }
      // Without indexing, or never indexed.
      guard first < 0x20 else { throw .malformedReply("a field that begins with \(first) in \(block)") }
      let index = integer(Int(first & 15), prefix: 15, &rest)
      let name = index == 0 ? text(&rest) : names[index] ?? "#\(index)"
      fields.append((name, text(&rest)))
    }
    return fields
  }

  /// Names of the static table that answers use (RFC 7541 appendix A); others are their numbers.
  private static let names = [
    8: ":status", 21: "age", 22: "allow", 24: "cache-control", 28: "content-length", 31: "content-type",
    33: "date", 34: "etag", 44: "last-modified", 45: "link", 46: "location", 54: "server", 55: "set-cookie",
  ]

  /// An integer whose prefix is `first` (RFC 7541 §5.1).
  private static func integer(_ first: Int, prefix: Int, _ rest: inout ArraySlice<UInt8>) -> Int {
    guard first == prefix else { return first }
    var (value, shift) = (prefix, 0)
    while let byte = rest.popFirst() {
      value += Int(byte & 127) << shift
      shift += 7
      if byte & 128 == 0 { break }
    }
    return value
  }

  /// A string (RFC 7541 §5.2).
  private static func text(_ rest: inout ArraySlice<UInt8>) -> String {
    let first = rest.popFirst() ?? 0
    let count = integer(Int(first & 127), prefix: 127, &rest)
    let bytes = rest.prefix(count)
    rest = rest.dropFirst(count)
    return first & 128 != 0 ? "" : String(decoding: bytes, as: UTF8.self)
  }
}
