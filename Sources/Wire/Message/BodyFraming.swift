/// How the end of a request body is known.
@frozen public enum BodyFraming: Equatable, Sendable {
  /// There is no body.
  case none
  /// Exactly this many bytes follow the head; more than 0.
  case length(Int64)
  /// HTTP/1.1 chunked transfer coding (RFC 9112 §7.1).
  case chunked
  /// A record stream with an end mark of its own (FastCGI STDIN, §5.3); the announced
  /// CONTENT_LENGTH if there is one.
  case stream(announced: Int64?)

  /// There is no body. (A comparison with a case is a call.)
  @inlinable @inline(__always)
  public var isNone: Bool { if case .none = self { true } else { false } }

  /// The length in bytes if it is known before the body is read.
  public var knownLength: Int64? {
    switch self {
    case .none: 0
    case .length(let count): count
    case .chunked: nil
    case .stream(let announced): announced
    }
  }
}
