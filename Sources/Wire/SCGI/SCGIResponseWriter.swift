/// SCGI response writer. The specification leaves the format open; everybody speaks CGI: a `Status:` line,
/// fields, an empty line, the body, end of connection.
public enum SCGIResponseWriter {
  /// Writes the head.
  public static func head(
    _ response: inout ResponseHead, _ plan: ResponsePlan, into out: inout ByteBuffer
  ) {
    CGIHead.write(&response, plan, into: &out)
  }
}
