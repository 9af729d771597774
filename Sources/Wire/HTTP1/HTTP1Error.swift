/// What a client may get wrong in an HTTP/1.x request; always the peer's fault, and the connection ends.
@frozen public enum HTTP1Error: GatewayError {
  /// A line ends with LF alone (RFC 9112 §2.2: permitted to accept, refused here).
  case bareLF
  /// CR that is not followed by LF (RFC 9112 §2.2).
  case bareCR
  /// More empty lines before a request than are skipped (RFC 9112 §2.2).
  case tooManyEmptyLines
  /// The first byte is that of a TLS handshake (RFC 8446 §5.1).
  case spokenTLS
  /// The method is not a token, or no single space follows it (RFC 9112 §3.1).
  case methodMalformed
  /// The method is longer than any that exists (RFC 9112 §3).
  case methodTooLong
  /// CONNECT: this is no proxy (RFC 9110 §9.3.6).
  case connectUnsupported
  /// The target is empty or in none of the four forms, or one its method does not allow (RFC 9112 §3.2).
  case targetMalformed
  /// A byte in the target that is not visible ASCII, or "#" (RFC 9112 §3.2, RFC 3986 §2).
  case targetByte
  /// The request line alone is longer than the server's limit for a head (RFC 9112 §3).
  case targetTooLong
  /// The request line does not end in a well-formed HTTP-version (RFC 9112 §2.3).
  case versionMalformed
  /// An HTTP-version whose major number is not 1 (RFC 9110 §15.6.6).
  case versionUnsupported
  /// The head is longer than the server's limit (RFC 6585 §5).
  case headTooLarge
  /// More fields than the server's limit (RFC 6585 §5).
  case tooManyFields
  /// White space before the colon or inside a name (RFC 9112 §5.1).
  case spaceInName
  /// A field name that is empty or not a token (RFC 9110 §5.1).
  case nameMalformed
  /// A line without a colon (RFC 9112 §5).
  case colonMissing
  /// A line that continues the one before (obs-fold, RFC 9112 §5.2).
  case foldedLine
  /// NUL or another control character in a value (RFC 9110 §5.5).
  case valueByte
  /// An HTTP/1.1 request without Host (RFC 9112 §3.2).
  case hostMissing
  /// Host given twice (RFC 9112 §3.2).
  case hostDuplicate
  /// Host, or the authority of an absolute target, is not `uri-host [ ":" port ]` (RFC 9110 §7.2, §4.2).
  case hostMalformed
  /// Content-Length given twice, even with equal values (RFC 9112 §6.3: may be refused).
  case lengthDuplicate
  /// Content-Length is not 1*DIGIT, or does not fit 63 bits (RFC 9110 §8.6).
  case lengthMalformed
  /// Content-Type given twice: it has one value, and two readers would not agree on which one counts (RFC
  /// 9110 §8.3).
  case typeDuplicate
  /// Content-Length and Transfer-Encoding in one request (RFC 9112 §6.1: may be refused).
  case lengthAndCoding
  /// Transfer-Encoding in an HTTP/1.0 request (RFC 9112 §6.1).
  case codingInHTTP10
  /// Transfer-Encoding is not a list of tokens (RFC 9112 §6.1).
  case codingMalformed
  /// Chunked is given twice or is not the last coding (RFC 9112 §6.1, §6.3).
  case chunkedNotLast
  /// A transfer coding that this server does not know (RFC 9112 §6.1). 400, not the 501 that the clause
  /// suggests: there is no way to tell where the message ends, which is what smuggling relies on.
  case codingUnknown
  /// An expectation other than 100-continue (RFC 9110 §10.1.1).
  case expectationUnknown
  /// The body, announced or counted, is longer than the server's limit (RFC 9110 §15.5.14).
  case bodyTooLarge
  /// A chunk size that is not a hexadecimal number (RFC 9112 §7.1).
  case chunkSizeMalformed
  /// A chunk size that does not fit 63 bits (RFC 9112 §7.1).
  case chunkSizeOverflow
  /// A chunk extension that is not `";" name [ "=" value ]` (RFC 9112 §7.1.1).
  case chunkExtensionMalformed
  /// A chunk-size line longer than the server's limit (RFC 9112 §7.1.1).
  case chunkLineTooLong
  /// No CR LF after the data of a chunk (RFC 9112 §7.1).
  case chunkEndMissing
  /// The trailer section has more bytes or fields than the server's limit for a head (RFC 9112 §7.1.2).
  case trailerTooLarge

  /// The status code of the answer.
  public var status: Int {
    switch self {
    case .bodyTooLarge: 413
    case .targetTooLong: 414
    case .expectationUnknown: 417
    case .headTooLarge, .tooManyFields, .trailerTooLarge: 431
    case .methodTooLong, .connectUnsupported: 501
    case .versionUnsupported: 505
    default: 400
    }
  }

  /// What is wrong, as a sentence without its full stop.
  public var description: String {
    switch self {
    case .bareLF: "line ends with LF instead of CR LF"
    case .bareCR: "CR is not followed by LF"
    case .tooManyEmptyLines: "more than \(HTTP1Grammar.emptyLines) empty lines before the request line"
    case .spokenTLS: "this socket speaks HTTP without TLS, the client spoke TLS"
    case .methodMalformed: "method is not a token followed by one space"
    case .methodTooLong: "method is longer than \(HTTP1Grammar.methodBytes) bytes"
    case .connectUnsupported: "CONNECT is for proxies, which this server is not"
    case .targetMalformed: "request target is in none of the forms that its method allows"
    case .targetByte: "request target holds a byte that is not visible ASCII, or #"
    case .targetTooLong: "request line is above the limit for a head"
    case .versionMalformed: "request line does not end with an HTTP version"
    case .versionUnsupported: "HTTP version is not 1.0 or 1.1"
    case .headTooLarge: "request head is above the limit"
    case .tooManyFields: "request has more fields than the limit"
    case .spaceInName: "white space in a field name or before its colon"
    case .nameMalformed: "field name is not a token"
    case .colonMissing: "field line has no colon"
    case .foldedLine: "field line is folded"
    default: otherDescription
    }
  }

  private var otherDescription: String {
    switch self {
    case .valueByte: "control character in a field value"
    case .hostMissing: "HTTP/1.1 request has no Host"
    case .hostDuplicate: "Host is given twice"
    case .hostMalformed: "Host or the target's authority is not a host with an optional port"
    case .lengthDuplicate: "Content-Length is given twice"
    case .lengthMalformed: "Content-Length is not a number"
    case .typeDuplicate: "Content-Type is given twice"
    case .lengthAndCoding: "both Content-Length and Transfer-Encoding are given"
    case .codingInHTTP10: "Transfer-Encoding in an HTTP/1.0 request"
    case .codingMalformed: "Transfer-Encoding is not a list of tokens"
    case .chunkedNotLast: "chunked is given twice or is not the last transfer coding"
    case .codingUnknown: "transfer coding is not chunked"
    case .expectationUnknown: "expectation is not 100-continue"
    case .bodyTooLarge: "request body is above the limit"
    case .chunkSizeMalformed: "chunk size is not a hexadecimal number"
    case .chunkSizeOverflow: "chunk size does not fit 63 bits"
    case .chunkExtensionMalformed: "chunk extension is not a name, perhaps with = and a value"
    case .chunkLineTooLong: "chunk-size line is above the limit"
    case .chunkEndMissing: "chunk data is not followed by CR LF"
    default: "trailer section is above the limit"
    }
  }
}
