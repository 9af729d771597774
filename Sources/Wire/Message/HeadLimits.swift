/// The bounds that a reader enforces. The numbers and their reasons are in Config/Limits.swift.
@frozen public struct HeadLimits: Sendable {
  /// Whole head in bytes: request line and fields, or the block of variables.
  public var headBytes: Int
  /// Header fields or variables in one head; at most 65535.
  public var fields: Int
  /// One chunk-size line with its extensions, in bytes.
  public var chunkLineBytes: Int
  /// Request body in bytes, as announced; a chunked body is counted by the host.
  public var bodyBytes: Int64

  public init(headBytes: Int, fields: Int, chunkLineBytes: Int, bodyBytes: Int64) {
    self.headBytes = headBytes
    self.fields = fields
    self.chunkLineBytes = chunkLineBytes
    self.bodyBytes = bodyBytes
  }
}
