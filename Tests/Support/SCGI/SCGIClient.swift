// SCGI from the front end's side, written apart from Sources/Wire. Its responses are read with Reply.

/// A request to be encoded.
public struct SCGIRequest: Sendable {
  /// Headers behind CONTENT_LENGTH and SCGI.
  public var variables: [(name: String, value: String)] = []
  public var body: [UInt8] = []

  public init() {}

  /// The headers as they go over the wire.
  public var sentVariables: [(name: String, value: String)] {
    [("CONTENT_LENGTH", String(body.count)), ("SCGI", "1")] + variables
  }

  /// The request's bytes.
  public var bytes: [UInt8] {
    var headers: [UInt8] = []
    for (name, value) in sentVariables { headers += Array(name.utf8) + [0] + Array(value.utf8) + [0] }
    return Array("\(headers.count):".utf8) + headers + Array(",".utf8) + body
  }
}
