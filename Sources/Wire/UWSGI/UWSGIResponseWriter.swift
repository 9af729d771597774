/// uwsgi response writer: an HTTP response whose end is the connection's end.
///
/// The status line is exactly HTTP/1.1 whatever the client speaks (Apache accepts nothing else), and the body
/// is never chunked: nginx and Apache pass chunks on as if they were the body.
public enum UWSGIResponseWriter {
  /// Writes the head, followed by the given part of the body.
  public static func head(
    _ response: inout ResponseHead, _ plan: ResponsePlan, body: UnsafeRawBufferPointer = .none,
    into out: inout ByteBuffer
  ) {
    out.append(atMost: CGIHead.frame + response.textCount + body.count) { cursor in
      cursor.put("HTTP/1.1 ")
      cursor.put(restOf: &response, plan)
      cursor.put(body)
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
