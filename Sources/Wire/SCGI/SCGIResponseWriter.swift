/// SCGI response writer. The specification leaves the format open; everybody uses CGI's: a `Status:` line,
/// fields, an empty line, the body, end of connection.
public enum SCGIResponseWriter {
  /// Writes the head, followed by the given part of the body.
  public static func head(
    _ response: inout ResponseHead, _ plan: ResponsePlan, body: UnsafeRawBufferPointer = .none,
    into out: inout ByteBuffer
  ) {
    CGIHead.write(&response, plan, body: body, into: &out)
  }
}
