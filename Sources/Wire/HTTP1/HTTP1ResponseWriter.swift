/// HTTP/1.1 response writer (RFC 9112 §4, §6, §7.1, §9): the head, chunks, interim responses.
public enum HTTP1ResponseWriter {
  /// Writes the head. The status line always says HTTP/1.1, whatever the client speaks (RFC 9110 §6.2).
  ///
  /// - Parameters:
  ///   - minorVersion: HTTP/1.x minor version of the client, which decides about `Connection: keep-alive`.
  ///   - date: 29 bytes as `HTTPDate.format` writes them; sent when the app gave no Date (RFC 9110 §6.6.1).
  ///   - server: value of Server, sent when the app gave none (RFC 9110 §10.2.4); may be empty.
  public static func head(
    _ response: inout ResponseHead, _ plan: ResponsePlan, minorVersion: UInt8,
    date: UnsafeRawBufferPointer, server: StaticString, into out: inout ByteBuffer
  ) {
    // 192 covers the status line without the app's phrase and everything below but the fields and Server.
    out.append(atMost: 192 + response.textCount + server.utf8CodeUnitCount) { cursor in
      cursor.put("HTTP/1.1 ")
      cursor.put(statusOf: &response)
      cursor.put(response.fields.bytes)
      if !response.hasDate {
        cursor.put("Date: ")
        // As many bytes as the constant says: a few moves instead of a call.
        cursor.put(UnsafeRawBufferPointer(start: date.baseAddress, count: HTTPDate.count))
        cursor.put("\r\n")
      }
      if !response.hasServer, server.utf8CodeUnitCount > 0 {
        cursor.put("Server: ")
        cursor.put(server)
        cursor.put("\r\n")
      }
      if plan.framing == .chunked {
        cursor.put("Transfer-Encoding: chunked\r\n")
      } else {
        cursor.put(lengthOf: plan)
      }
      if !plan.persists {
        cursor.put("Connection: close\r\n\r\n")
      } else if minorVersion == 0 {
        cursor.put("Connection: keep-alive\r\n\r\n")
      } else {
        cursor.put("\r\n")
      }
    }
  }

  /// Writes an interim response, such as 100 (RFC 9110 §15.2).
  public static func interim(_ status: Int, into out: inout ByteBuffer) {
    out.append("HTTP/1.1 ")
    out.append(decimal: Int64(status))
    out.append(0x20)
    out.append(StatusPhrase.of(status))
    out.append("\r\n\r\n")
  }

  /// Begins a chunk of `count` bytes, which follow; more than 0, since 0 would end the body (RFC 9112
  /// §7.1).
  public static func chunkHead(_ count: Int, into out: inout ByteBuffer) {
    precondition(count > 0, "a chunk of no bytes ends the body")
    out.append(hex: UInt64(count))
    out.append("\r\n")
  }

  /// Ends a chunk.
  public static func chunkTail(into out: inout ByteBuffer) { out.append("\r\n") }

  /// Ends a chunked body, without trailer fields.
  public static func lastChunk(into out: inout ByteBuffer) { out.append("0\r\n\r\n") }
}
