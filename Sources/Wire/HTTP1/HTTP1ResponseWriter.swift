/// HTTP/1.1 response writer (RFC 9112 §4, §6, §7.1, §9): the head, chunks, interim responses.
public enum HTTP1ResponseWriter {
  /// Writes the head, followed by the given part of a body that is sent unchanged. The status line always
  /// says HTTP/1.1, whatever the client speaks (RFC 9110 §6.2).
  ///
  /// - Parameters:
  ///   - minorVersion: HTTP/1.x minor version of the client, which decides about `Connection: keep-alive`.
  ///   - own: the server's own fields.
  public static func head(
    _ response: inout ResponseHead, _ plan: ResponsePlan, minorVersion: UInt8, own: ServerFields,
    body: UnsafeRawBufferPointer = .none, into out: inout ByteBuffer
  ) {
    // 160 covers the status line without the app's phrase, everything below that is not counted, and the
    // excess of copying in steps.
    out.append(atMost: 160 + response.textCount + own.count + body.count) { cursor in
      cursor.put("HTTP/1.1 ")
      cursor.put(statusOf: &response)
      cursor.put(padded: response.paddedFields())
      cursor.put(own, besides: &response)
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
      cursor.put(body)
    }
  }

  /// Writes an interim response, such as 100 (RFC 9110 §15.2).
  ///
  /// - Parameter fields: lines of its head, each `Name: value CR LF`.
  public static func interim(
    _ status: Int, fields: UnsafeRawBufferPointer = .none, into out: inout ByteBuffer
  ) {
    out.append("HTTP/1.1 ")
    out.append(decimal: Int64(status))
    out.append(0x20)
    out.append(StatusPhrase.of(status))
    out.append("\r\n")
    out.append(fields)
    out.append("\r\n")
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

  /// Ends a chunked body with trailer fields (RFC 9112 §7.1.2): lines, each `Name: value CR LF`.
  public static func lastChunk(trailers: UnsafeRawBufferPointer, into out: inout ByteBuffer) {
    out.append("0\r\n")
    out.append(trailers)
    out.append("\r\n")
  }
}
