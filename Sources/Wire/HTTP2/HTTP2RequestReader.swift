/// The request of one HTTP/2 stream, as `Codec` reads requests: its head was decoded when it came
/// (`HTTP2Session`), its bytes are only those of the body, and their end is reported separately.
@frozen public struct HTTP2RequestReader: BitwiseCopyable, Sendable {
  /// Where in the request the next byte is.
  @frozen public enum State: Equatable, Sendable {
    /// The head is reported next; becomes body or ended.
    case head
    /// Inside the body; becomes ended.
    case body
    /// After the request.
    case ended
  }

  public private(set) var state = State.head
  /// The stream.
  public private(set) var id: UInt32 = 0
  /// No more bytes come.
  private var isComplete = false
  /// Bytes of the body, or of a tunnel, that were handed on.
  public private(set) var taken: Int64 = 0
  private let bodyBytes: Int64

  public init(limits: HeadLimits) { bodyBytes = limits.bodyBytes }

  /// A request has come on a stream.
  public mutating func begin(_ id: UInt32) { self.id = id }

  /// The client has ended the request.
  public mutating func complete() { isComplete = true }

  /// Bytes of a tunnel that somebody else has read.
  public mutating func bypassed(_ count: Int) { taken += Int64(count) }

  /// Reads on in `bytes` from `offset`, which it moves past the consumed bytes.
  public mutating func next(
    _ bytes: RawSpan, _ offset: inout Int, _ head: inout RequestHead
  ) throws(HTTP2Error) -> ReadEvent {
    switch state {
    case .head:
      state = head.framing.isNone ? .ended : .body
      return .head
    case .body:
      let count = bytes.byteCount - offset
      if count > 0 {
        taken += Int64(count)
        guard taken <= bodyBytes else { throw .bodyTooLarge }
        defer { offset += count }
        return .body(ByteRange(offset, count))
      }
      guard isComplete else { return .needMore }
      state = .ended
      return .end
    case .ended: return .end
    }
  }
}
