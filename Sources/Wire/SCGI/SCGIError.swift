/// What a peer may get wrong in an SCGI request; always the peer's fault.
@frozen public enum SCGIError: GatewayError {
  /// The first bytes are not a netstring length ("Request Format", netstring).
  case lengthNotANumber
  /// The length has a leading zero, or no digits (netstrings: "extra zeros are prohibited").
  case lengthMalformed
  /// The header block is longer than the server's limit.
  case headTooLarge(bytes: Int)
  /// The netstring does not end with a comma.
  case commaMissing
  /// A name or value does not end with NUL, or a name is empty.
  case headerUnterminated
  /// The first header is not CONTENT_LENGTH.
  case contentLengthNotFirst
  /// CONTENT_LENGTH is not a decimal number.
  case contentLengthMalformed
  /// The client's body is of unknown length: CONTENT_LENGTH -1.
  case lengthMissing
  /// CONTENT_LENGTH is above the server's limit.
  case bodyTooLarge
  /// No header SCGI with the value 1.
  case versionMissing
  /// The same variable twice ("Duplicate names are not allowed"), which only request headers (HTTP_) may be.
  /// Its name, shortened to 64 characters, with characters other than letters, digits and `_` shown as `?`.
  case duplicateHeader(String)
  /// More headers than the server's limit.
  case tooManyHeaders
  /// The bytes are HTTP: this socket speaks SCGI.
  case spokenHTTP

  /// The status code of the answer.
  public var status: Int {
    switch self {
    case .headTooLarge, .tooManyHeaders: 431
    case .lengthMissing: 411
    case .bodyTooLarge: 413
    default: 400
    }
  }

  /// What is wrong, as a sentence without its full stop.
  public var description: String {
    switch self {
    case .lengthNotANumber: "SCGI request does not begin with a netstring length"
    case .lengthMalformed: "SCGI netstring length has a leading zero or no digits"
    case .headTooLarge(let bytes): "SCGI header block of \(bytes) bytes is above the limit"
    case .commaMissing: "SCGI netstring is not followed by a comma"
    case .headerUnterminated: "SCGI header is empty or not ended by NUL"
    case .contentLengthNotFirst: "SCGI header CONTENT_LENGTH is not the first"
    case .contentLengthMalformed: "SCGI CONTENT_LENGTH is not a number"
    case .lengthMissing: "SCGI cannot carry a body of unknown length: CONTENT_LENGTH has to tell it"
    case .bodyTooLarge: "SCGI CONTENT_LENGTH is above the limit"
    case .versionMissing: "SCGI header SCGI=1 is missing"
    case .duplicateHeader(let name): "SCGI header \(name) is given twice"
    case .tooManyHeaders: "SCGI request has more headers than the limit"
    case .spokenHTTP: "this socket speaks SCGI, the client spoke HTTP"
    }
  }
}
