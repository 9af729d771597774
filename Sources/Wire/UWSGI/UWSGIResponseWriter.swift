/// uwsgi response writer: an HTTP response whose end is the connection's end.
///
/// The status line is HTTP/1.1 to the letter whatever the client speaks (Apache accepts nothing else), and
/// the body is never chunked: nginx and Apache pass chunks on as if they were the body.
public enum UWSGIResponseWriter {
  /// Writes the head.
  public static func head(
    _ response: inout ResponseHead, _ plan: ResponsePlan, into out: inout ByteBuffer
  ) {
    out.append(atMost: CGIHead.frame + response.textCount) { cursor in
      cursor.put("HTTP/1.1 ")
      cursor.put(statusOf: &response)
      cursor.put(response.fields.bytes)
      cursor.put(lengthOf: plan)
      cursor.put("\r\n")
    }
  }

  /// Answers a ping: modifier1 100, an empty block, modifier2 1. The connection ends then.
  public static func pong(into out: inout ByteBuffer) {
    out.append(UWSGIGrammar.ping)
    out.append(0)
    out.append(0)
    out.append(1)
  }
}
