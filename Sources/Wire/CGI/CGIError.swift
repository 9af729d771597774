/// What may be wrong with a CGI request (RFC 3875 §4); the web server's or its client's fault.
@frozen public enum CGIError: GatewayError {
  /// More variables than the server's limit.
  case tooManyVariables
  /// CONTENT_LENGTH is neither empty nor a decimal number (§4.1.2).
  case contentLengthMalformed
  /// CONTENT_LENGTH is above the server's limit.
  case bodyTooLarge
  /// Standard input ended before CONTENT_LENGTH bytes (§4.2).
  case truncated

  public var status: Int {
    switch self {
    case .tooManyVariables: 431
    case .bodyTooLarge: 413
    default: 400
    }
  }

  public var description: String {
    switch self {
    case .tooManyVariables: "CGI environment has more variables than the limit"
    case .contentLengthMalformed: "CGI CONTENT_LENGTH is not a number"
    case .bodyTooLarge: "CGI CONTENT_LENGTH is above the limit"
    case .truncated: "standard input ended before CONTENT_LENGTH bytes"
    }
  }
}
