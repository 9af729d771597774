/// Whose fault an error is. It decides the log level, the status code's class and who reads the sentence.
public enum Blame: Sendable {
  /// The client or front end broke the protocol: 4xx, a line of the error log as long as they are few.
  case peer
  /// The application broke the contract of nsgi.h: 500, logged as an error with the app's name.
  case app
  /// The operator's command line, configuration or file system: ends the start, exit 1 or 22.
  case `operator`
  /// A defect of this server: 500, logged as critical.
  case us
}

/// An error of a codec: what to answer and what to say.
public protocol GatewayError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The status code that an HTTP-like answer carries (400 … 505).
  var status: Int { get }
}
