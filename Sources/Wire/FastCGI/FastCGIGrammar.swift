/// Words of FastCGI 1.0 (Open Market, 29 April 1996; numbers from appendix A).
///
///     connection = *record
///     record  = version type requestIdB1 requestIdB0 contentLengthB1 contentLengthB0
///               paddingLength reserved contentData paddingData                  ; §3.3
///     request = BEGIN_REQUEST *PARAMS PARAMS(0) *STDIN STDIN(0)                 ; §5
///     answer  = *(STDOUT / STDERR) STDOUT(0) END_REQUEST
enum FastCGIGrammar {
  static let version: UInt8 = 1
  static let headerBytes = 8
  /// Body of BEGIN_REQUEST and of END_REQUEST (§5.1, §5.5).
  static let fixedBodyBytes = 8
  /// Content of one record that we write, at most: the largest multiple of 8 (§3.3 advises alignment).
  static let contentBytes = 65528
  /// Content of a GET_VALUES record, at most: this server knows three names.
  static let managementBytes = 1024
  /// Bit of the flags of BEGIN_REQUEST (§5.1).
  static let keepConnection: UInt8 = 1
}

/// Record types (§8). Types that this server never reads have no case.
enum FastCGIType {
  static let beginRequest: UInt8 = 1
  static let abortRequest: UInt8 = 2
  static let endRequest: UInt8 = 3
  static let params: UInt8 = 4
  static let stdin: UInt8 = 5
  static let stdout: UInt8 = 6
  static let stderr: UInt8 = 7
  static let data: UInt8 = 8
  static let getValues: UInt8 = 9
  static let getValuesResult: UInt8 = 10
  static let unknownType: UInt8 = 11
}

/// Roles of an application (§6).
enum FastCGIRole {
  static let responder: UInt16 = 1
  static let authorizer: UInt16 = 2
}

/// protocolStatus of END_REQUEST (§5.5).
public enum FastCGIStatus {
  /// REQUEST_COMPLETE: the normal end.
  public static let requestComplete: UInt8 = 0
  /// CANT_MPX_CONN: one request at a time on a connection.
  public static let cannotMultiplex: UInt8 = 1
  /// UNKNOWN_ROLE.
  public static let unknownRole: UInt8 = 3
}

/// Variables that GET_VALUES may ask for (§4.1), as bits of `ControlAnswer.fastCGIValues`.
public enum FastCGIValues {
  /// FCGI_MAX_CONNS: connections at most.
  public static let maxConnections: UInt8 = 1
  /// FCGI_MAX_REQS: requests under way at most.
  public static let maxRequests: UInt8 = 2
  /// FCGI_MPXS_CONNS: whether requests may share a connection; ours may not.
  public static let multiplexes: UInt8 = 4

  /// The bit of a name, 0 for an unknown one.
  static func bit(_ name: UnsafeRawBufferPointer) -> UInt8 {
    switch name.count {
    case 13: Ascii.equals(name, "FCGI_MAX_REQS") ? maxRequests : 0
    case 14: Ascii.equals(name, "FCGI_MAX_CONNS") ? maxConnections : 0
    case 15: Ascii.equals(name, "FCGI_MPXS_CONNS") ? multiplexes : 0
    default: 0
    }
  }
}
