/// CGI response writer (RFC 3875 §6): a head on standard output, then the body.
public enum CGIResponseWriter {
  /// Writes the head of a parsed-header script, `Status:` and fields, which the web server completes,
  /// followed by the given part of the body.
  public static func head(
    _ response: inout ResponseHead, _ plan: ResponsePlan, body: UnsafeRawBufferPointer = .none,
    into out: inout ByteBuffer
  ) {
    CGIHead.write(&response, plan, body: body, into: &out)
  }

  /// Writes the head of a non-parsed-header script (§5): an HTTP response as the client gets it, the body
  /// ending with the connection.
  ///
  /// - Parameter own: the server's own fields.
  public static func nphHead(
    _ response: inout ResponseHead, _ plan: ResponsePlan, own: ServerFields,
    body: UnsafeRawBufferPointer = .none, into out: inout ByteBuffer
  ) {
    out.append(atMost: CGIHead.frame + response.textCount + own.count + body.count) { cursor in
      cursor.put("HTTP/1.1 ")
      cursor.put(statusOf: &response)
      cursor.put(own, besides: &response)
      cursor.put(padded: response.paddedFields())
      cursor.put(lengthOf: plan)
      cursor.put("Connection: close\r\n\r\n")
      cursor.put(body)
    }
  }
}
