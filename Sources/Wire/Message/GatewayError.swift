/// An error of a codec: what to answer and what to say.
public protocol GatewayError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The status code that an HTTP-like answer carries (400 … 505).
  var status: Int { get }
}
