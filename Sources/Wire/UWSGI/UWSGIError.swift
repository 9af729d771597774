/// What a peer may get wrong in a uwsgi request; always the peer's fault.
@frozen public enum UWSGIError: GatewayError {
  /// modifier1 asks for something that this server never does (evaluate code, signals, cache …).
  case modifierRefused(UInt8)
  /// A `UWSGI_*` variable that would choose or change the application; its name, shortened to 64 characters,
  /// with characters other than letters, digits and `_` shown as `?`.
  case variableRefused(String)
  /// The block of variables is empty.
  case blockEmpty
  /// The block of variables is above the server's limit.
  case blockTooLarge(bytes: Int)
  /// More variables than the server's limit.
  case tooManyVariables
  /// A length points past the block's end, or bytes are left over.
  case variableTruncated
  /// A name that is empty or holds `=` or NUL, or a value that holds NUL.
  case variableUnusable
  /// CONTENT_LENGTH is neither empty nor a decimal number.
  case contentLengthMalformed
  /// The client's body is chunked and its length is not stated, or CONTENT_LENGTH is -1.
  case lengthMissing
  /// CONTENT_LENGTH is above the server's limit.
  case bodyTooLarge
  /// The connection ended inside the request.
  case truncated
  /// The bytes are HTTP: this socket speaks uwsgi.
  case spokenHTTP
  /// The bytes are SCGI.
  case spokenSCGI

  public var status: Int {
    switch self {
    case .modifierRefused, .variableRefused: 403
    case .blockTooLarge, .tooManyVariables: 431
    case .lengthMissing: 411
    case .bodyTooLarge: 413
    default: 400
    }
  }

  public var description: String {
    switch self {
    case .modifierRefused(let modifier): "uwsgi modifier1 \(modifier) is refused"
    case .variableRefused(let name): "uwsgi variable \(name) is refused: requests do not choose what runs"
    case .blockEmpty: "uwsgi request without variables"
    case .blockTooLarge(let bytes): "uwsgi block of \(bytes) bytes is above the limit"
    case .tooManyVariables: "uwsgi request has more variables than the limit"
    case .variableTruncated: "uwsgi variable does not end where the block ends"
    case .variableUnusable: "uwsgi variable with an empty name, or with NUL in it"
    case .contentLengthMalformed: "uwsgi CONTENT_LENGTH is not a number"
    case .lengthMissing: "uwsgi cannot carry a body of unknown length: CONTENT_LENGTH has to tell it"
    case .bodyTooLarge: "uwsgi CONTENT_LENGTH is above the limit"
    case .truncated: "connection ended inside a uwsgi request"
    case .spokenHTTP: "this socket speaks uwsgi, the client spoke HTTP"
    case .spokenSCGI: "this socket speaks uwsgi, the front end spoke SCGI"
    }
  }
}
