/// CGI response writer (RFC 3875 §6): a head on standard output, then the body.
public enum CGIResponseWriter {
  /// Writes the head of a parsed-header script: `Status:` and fields, for the web server to complete.
  public static func head(
    _ response: inout ResponseHead, _ plan: ResponsePlan, into out: inout ByteBuffer
  ) {
    CGIHead.write(&response, plan, into: &out)
  }

  /// Writes the head of a non-parsed-header script (§5): an HTTP response as the client gets it, the body
  /// ending with the connection.
  ///
  /// - Parameters:
  ///   - date: the value of Date (RFC 9110 §6.6.1) if the app gave none; empty writes none.
  ///   - server: the value of Server if the app gave none; empty writes none.
  public static func nphHead(
    _ response: inout ResponseHead, _ plan: ResponsePlan, date: UnsafeRawBufferPointer,
    server: StaticString, into out: inout ByteBuffer
  ) {
    let count = CGIHead.frame + response.textCount + date.count + server.utf8CodeUnitCount + 64
    out.append(atMost: count) { cursor in
      cursor.put("HTTP/1.1 ")
      cursor.put(statusOf: &response)
      if !response.hasDate, !date.isEmpty {
        cursor.put("Date: ")
        cursor.put(date)
        cursor.put("\r\n")
      }
      if !response.hasServer, server.utf8CodeUnitCount > 0 {
        cursor.put("Server: ")
        cursor.put(server)
        cursor.put("\r\n")
      }
      cursor.put(response.fields.bytes)
      cursor.put(lengthOf: plan)
      cursor.put("Connection: close\r\n\r\n")
    }
  }
}
