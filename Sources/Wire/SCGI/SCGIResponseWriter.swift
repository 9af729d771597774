/// SCGI response writer. The specification leaves the format open; everybody speaks CGI: a `Status:` line,
/// fields, an empty line, the body, end of connection.
public enum SCGIResponseWriter {
  /// Writes the head, and behind it what is given of the body.
  public static func head(
    _ response: inout ResponseHead, _ plan: ResponsePlan, body: UnsafeRawBufferPointer = .none,
    into out: inout ByteBuffer
  ) {
    CGIHead.write(&response, plan, body: body, into: &out)
  }
}
