/// What a peer may get wrong in FastCGI; always the peer's fault.
@frozen public enum FastCGIError: GatewayError {
  /// The first byte of a record is not 1 (§3.3).
  case versionUnsupported(UInt8)
  /// BEGIN_REQUEST whose body is not eight bytes (§5.1).
  case beginMalformed
  /// BEGIN_REQUEST for the request that is under way.
  case begunTwice
  /// All PARAMS together are above the server's limit.
  case paramsTooLarge
  /// More parameters than the server's limit.
  case tooManyParams
  /// A name-value pair is longer than the stream that holds it (§3.4).
  case pairTruncated
  /// A name that is empty or holds `=` or NUL, or a value that holds NUL.
  case pairUnusable
  /// CONTENT_LENGTH is not a decimal number.
  case contentLengthMalformed
  /// CONTENT_LENGTH is above the server's limit.
  case bodyTooLarge
  /// STDIN carries more than CONTENT_LENGTH said.
  case bodyLong
  /// STDIN ended before CONTENT_LENGTH bytes.
  case bodyShort
  /// A record of this type is not allowed here: STDIN before the end of PARAMS, PARAMS after it, a type that
  /// only applications send, or ABORT_REQUEST with content.
  case recordOutOfPlace(type: UInt8)
  /// A GET_VALUES record of unreasonable size (§4.1).
  case managementTooLarge
  /// The bytes are HTTP: this socket speaks FastCGI.
  case spokenHTTP

  public var status: Int {
    switch self {
    case .paramsTooLarge, .tooManyParams: 431
    case .bodyTooLarge: 413
    default: 400
    }
  }

  public var description: String {
    switch self {
    case .versionUnsupported(let version): "FastCGI record of version \(version) instead of 1"
    case .beginMalformed: "FastCGI BEGIN_REQUEST is not eight bytes long"
    case .begunTwice: "FastCGI BEGIN_REQUEST for a request that is under way"
    case .paramsTooLarge: "FastCGI PARAMS are above the limit"
    case .tooManyParams: "FastCGI request has more PARAMS than the limit"
    case .pairTruncated: "FastCGI name-value pair is longer than the stream that holds it"
    case .pairUnusable: "FastCGI parameter with an empty name, or with NUL in it"
    case .contentLengthMalformed: "FastCGI CONTENT_LENGTH is not a number"
    case .bodyTooLarge: "FastCGI CONTENT_LENGTH is above the limit"
    case .bodyLong: "FastCGI STDIN is longer than CONTENT_LENGTH"
    case .bodyShort: "FastCGI STDIN is shorter than CONTENT_LENGTH"
    case .recordOutOfPlace(let type): "FastCGI record of type \(type) out of place"
    case .managementTooLarge: "FastCGI GET_VALUES is above \(FastCGIGrammar.managementBytes) bytes"
    case .spokenHTTP: "this socket speaks FastCGI, the client spoke HTTP"
    }
  }
}
