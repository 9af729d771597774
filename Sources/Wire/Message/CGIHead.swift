/// The response head of CGI (RFC 3875 §6.2), which SCGI and FastCGI share: a `Status:` line, fields, an
/// empty line.
enum CGIHead {
  /// Bytes that stand around the app's phrase and fields, at most, with those that copying in steps writes
  /// behind them.
  static let frame = 144

  /// Writes the head, and behind it what is given of the body.
  static func write(
    _ response: inout ResponseHead, _ plan: ResponsePlan, body: UnsafeRawBufferPointer = .none,
    into out: inout ByteBuffer
  ) {
    out.append(atMost: frame + response.textCount + body.count) { write(&response, plan, body: body, &$0) }
  }

  /// Writes them at a place with so much room. `Status:` always: without it Apache turns a local Location
  /// into an internal redirect.
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
  /// Writes what follows the word in front of the status: code and phrase, fields, length, the empty line.
  @inline(__always)
  mutating func put(restOf response: inout ResponseHead, _ plan: ResponsePlan) {
    put(statusOf: &response)
    put(padded: response.paddedFields())
    put(lengthOf: plan)
    put("\r\n")
  }
}
