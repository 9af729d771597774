// A reader with a head and a growing buffer, for tests that look between two events.
import Support
import Wire

/// A request reader in the hands of a test.
final class HeldReader<Codec: RequestCodec> {
  var reader: Codec
  var head: RequestHead
  private(set) var bytes: [UInt8] = []
  private(set) var offset = 0

  init(_ codec: Codec.Type, limits: HeadLimits = .fixtures) {
    reader = Codec(limits: limits)
    head = RequestHead(capacity: limits.fields)
  }

  /// More bytes have come.
  func give(_ more: [UInt8]) { bytes += more }

  /// The next event.
  func next() throws -> ReadEvent {
    let bytes = bytes
    return try reader.next(bytes.span.bytes, &offset, &head)
  }

  /// Gives bytes and takes the next event.
  func next(_ more: [UInt8]) throws -> ReadEvent {
    give(more)
    return try next()
  }

  /// The bytes of a range as text, in the buffer or in what was brought together.
  func text(_ range: ByteRange) -> String {
    bytes.withUnsafeMutableBytes { buffer in
      String(decoding: range.bytes(in: head.base(buffer.baseAddress!)), as: UTF8.self)
    }
  }

  /// No body follows the head.
  var endsRequest: Bool { head.endsRequest }

  /// The value that counts of a known name.
  func value(_ known: KnownName) -> String? { head.first(known).map { text($0.range) } }
}

extension SeededRandom {
  /// So many random bytes.
  mutating func bytes(_ count: ClosedRange<Int>) -> [UInt8] {
    (0..<Int.random(in: count, using: &self)).map { _ in UInt8.random(in: 0...255, using: &self) }
  }
}

/// A response head with these fields.
func response(
  _ status: Int, reason: String? = nil, _ fields: [(name: String, value: String)] = []
) throws -> ResponseHead {
  var head = ResponseHead(limit: 1 << 20)
  if var reason {
    try reason.withUTF8 { try head.begin(status: status, reason: UnsafeRawBufferPointer($0)) }
  } else {
    try head.begin(status: status)
  }
  for field in fields {
    let (name, value) = (Array(field.name.utf8), Array(field.value.utf8))
    try name.withUnsafeBytes { name in
      try value.withUnsafeBytes { value in try head.add(name: name, value: value) }
    }
  }
  return head
}

/// The plan of an answer to a GET.
func plan(_ gateway: Gateway, status: Int = 200, length: Int64 = -1, isHead: Bool = false) -> ResponsePlan {
  ResponsePlan(
    ResponsePlan.Question(
      gateway: gateway, isHead: isHead, minorVersion: 1, persists: true, status: status,
      declaredLength: length, knownLength: -1))
}

/// What `write` appends to a buffer.
func written(_ write: (inout ByteBuffer) throws -> Void) rethrows -> [UInt8] {
  var out = ByteBuffer()
  try write(&out)
  return Array(out.bytes)
}

/// The same as text.
func writtenText(_ write: (inout ByteBuffer) throws -> Void) rethrows -> String {
  String(decoding: try written(write), as: UTF8.self)
}

/// The server's own fields with the date of RFC 9110's examples, `Sun, 06 Nov 1994 08:49:37 GMT`.
func withServerFields<Answer>(_ server: StaticString, _ body: (ServerFields) -> Answer) -> Answer {
  withUnsafeTemporaryAllocation(byteCount: ServerFields.size(server: server), alignment: 1) {
    body(ServerFields(seconds: 784_111_777, server: server, in: $0.baseAddress!))
  }
}
