// What the request readers of the gateway protocols have in common, as the tests see it.
import Wire

/// A request reader that fixtures can be fed to.
public protocol RequestCodec {
  associatedtype Failure: GatewayError

  /// Name of the protocol and of its folder in Tests/Fixtures.
  static var name: String { get }
  /// A connection carries one request after another: after `.end`, `reset` and go on.
  static var carriesManyRequests: Bool { get }

  init(limits: HeadLimits)
  mutating func next(
    _ bytes: RawSpan, _ offset: inout Int, _ head: inout RequestHead
  ) throws(Failure) -> ReadEvent
  /// Called after `.end` before the next request of the connection.
  mutating func reset()
}

extension HTTP1RequestReader: RequestCodec {
  public static var name: String { "http1" }
  public static var carriesManyRequests: Bool { true }
}

extension SCGIRequestReader: RequestCodec {
  public static var name: String { "scgi" }
  public static var carriesManyRequests: Bool { false }
  public mutating func reset() {}
}

extension HeadLimits {
  /// The limits that fixtures are read with: small, so that the fixtures about them are small.
  public static var fixtures: HeadLimits {
    HeadLimits(headBytes: 4096, fields: 32, chunkLineBytes: 64, bodyBytes: 100_000)
  }

  /// The limits of fuzzing and of the corpus replay: so small that short inputs reach them.
  public static var fuzzing: HeadLimits {
    HeadLimits(headBytes: 400, fields: 10, chunkLineBytes: 32, bodyBytes: 200)
  }
}
