/// Where the reader of a request with a body of announced length is: SCGI, uwsgi and CGI, which send the body
/// unchanged after the head, and one request per connection.
@frozen public enum SizedRequestState: Equatable, Sendable {
  /// Before or inside the head; nothing was consumed yet. May become body or ended.
  case head
  /// Inside the body, with this many bytes to come; becomes ended.
  case body(left: Int64)
  /// After the request.
  case ended

  /// Body bytes to come; 0 in any other state.
  @inlinable public var bodyLeft: Int64 {
    if case .body(let left) = self { left } else { 0 }
  }

  /// Notes that the head, now read, announced a body of `length` bytes, 0 being none. Returns how the body
  /// ends.
  @inlinable @inline(__always)
  public mutating func headEnded(bodyLength length: Int64) -> BodyFraming {
    self = length == 0 ? .ended : .body(left: length)
    return length == 0 ? .none : .length(length)
  }

  /// What comes after the head in a buffer of `count` bytes, from `offset`, which moves past the bytes
  /// consumed.
  @inlinable @inline(__always)
  public mutating func nextAfterHead(_ count: Int, _ offset: inout Int) -> ReadEvent {
    guard case .body(let left) = self else { return .end }
    let there = count - offset
    if there == 0 { return .needMore }
    let taken = Int(min(Int64(there), left))
    bypassed(taken)
    defer { offset += taken }
    return .body(ByteRange(offset, taken))
  }

  /// Bytes of the body that the host received past the reader, straight into place; at most `bodyLeft`.
  @inlinable @inline(__always)
  public mutating func bypassed(_ count: Int) {
    guard case .body(let left) = self else { return }
    self = Int64(count) == left ? .ended : .body(left: left - Int64(count))
  }
}
