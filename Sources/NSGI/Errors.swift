import CNSGI

/// Ends a request with a status: `throw Abort(404)`.
public struct Abort: Error, Sendable {
  /// Status code, 200 to 599.
  public let status: Int
  /// Plain text for the client.
  public let message: String

  /// The status code alone is the message if none is given.
  public init(_ status: Int, _ message: String = "") {
    self.status = status
    self.message = message.isEmpty ? "\(status)\n" : message
  }
}

/// Why the server did not do what it was asked (nsgi.h, nsgi_result).
public enum HostError: Error, Equatable, Sendable {
  /// It would have had to wait.
  case again
  /// The client has left, the deadline has passed, or the request is over.
  case gone
  /// Out of order, a bad status, a bad header; the server's log says which.
  case misuse
  /// Above a limit of the server.
  case tooLarge
  /// The client was silent for too long.
  case timedOut
  /// Reading or writing failed, or memory is short.
  case failed(Int32)

  /// As nsgi.h has it.
  var code: Int32 {
    switch self {
    case .again: NSGI_AGAIN.rawValue
    case .gone: NSGI_GONE.rawValue
    case .misuse: NSGI_MISUSE.rawValue
    case .tooLarge: NSGI_TOOBIG.rawValue
    case .timedOut: NSGI_TIMEOUT.rawValue
    case .failed(let code): code
    }
  }

  /// Throws unless the result is good; returns it otherwise.
  @discardableResult
  static func check<Result: SignedInteger>(_ result: Result) throws(HostError) -> Result {
    guard result < 0 else { return result }
    switch Int32(result) {
    case NSGI_AGAIN.rawValue: throw .again
    case NSGI_GONE.rawValue: throw .gone
    case NSGI_MISUSE.rawValue: throw .misuse
    case NSGI_TOOBIG.rawValue: throw .tooLarge
    case NSGI_TIMEOUT.rawValue: throw .timedOut
    default: throw .failed(Int32(result))
    }
  }
}
