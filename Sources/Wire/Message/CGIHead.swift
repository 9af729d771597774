/// The response head of CGI (RFC 3875 §6.2), which SCGI and FastCGI share: a `Status:` line, fields, an
/// empty line.
enum CGIHead {
  /// Bytes that surround the app's phrase and fields, at most, including those that copying in steps writes
  /// after them.
  static let frame = 144

  /// Writes the head, followed by the given part of the body.
  static func write(
    _ response: inout ResponseHead, _ plan: ResponsePlan, body: UnsafeRawBufferPointer = .none,
    into out: inout ByteBuffer
  ) {
    out.append(atMost: frame + response.textCount + body.count) { write(&response, plan, body: body, &$0) }
  }

  /// Writes them at a place with this much room. Always writes `Status:`: without it Apache turns a local
  /// Location into an internal redirect.
  @inline(__always)
  static func write(
    _ response: inout ResponseHead, _ plan: ResponsePlan, body: UnsafeRawBufferPointer, _ cursor: inout Cursor
  ) {
    cursor.put("Status: ")
    cursor.put(restOf: &response, plan)
    cursor.put(body)
  }
}

extension Cursor {
  /// Writes everything after the word before the status: code and phrase, fields, length, the empty line.
  @inline(__always)
  mutating func put(restOf response: inout ResponseHead, _ plan: ResponsePlan) {
    put(statusOf: &response)
    put(padded: response.paddedFields())
    put(lengthOf: plan)
    put("\r\n")
  }
}
