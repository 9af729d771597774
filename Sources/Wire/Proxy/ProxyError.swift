/// What a peer may get wrong in a PROXY header; the connection ends without an answer, as the specification
/// of the PROXY protocol (§2) requires.
@frozen public enum ProxyError: GatewayError {
  /// Version 1: no CR LF within 107 bytes (§2.1).
  case lineTooLong
  /// Version 1: the line is none of the forms of §2.1.
  case lineMalformed
  /// An address that does not belong to its family, or is not an address.
  case addressMalformed
  /// A port that is not 0 ... 65535, or has a leading zero.
  case portMalformed
  /// Version 2: the version in byte 13 is not 2 (§2.2).
  case versionUnsupported(UInt8)
  /// Version 2: the command is neither LOCAL nor PROXY (§2.2).
  case commandUnknown(UInt8)
  /// Version 2: the header is shorter than the addresses of its family.
  case addressTruncated
  /// Version 2: the header is above the server's limit.
  case headerTooLarge(bytes: Int)
  /// Version 2: a TLV is longer than the header (§2.2.7).
  case extensionTruncated

  public var status: Int { 400 }

  public var description: String {
    switch self {
    case .lineTooLong: "PROXY line is not ended within \(ProxyHeader.lineBytes) bytes"
    case .lineMalformed: "PROXY line is malformed"
    case .addressMalformed: "address in a PROXY header is malformed"
    case .portMalformed: "port in a PROXY header is not 0 to 65535"
    case .versionUnsupported(let version): "PROXY header of version \(version)"
    case .commandUnknown(let command): "PROXY header with the unknown command \(command)"
    case .addressTruncated: "PROXY header is shorter than its addresses"
    case .headerTooLarge(let bytes): "PROXY header of \(bytes) bytes is above the limit"
    case .extensionTruncated: "PROXY header ends inside an extension"
    }
  }
}
