/// The response head of CGI (RFC 3875 §6.2), which SCGI and FastCGI share: a `Status:` line, fields, an
/// empty line.
enum CGIHead {
  /// Bytes that stand around the app's phrase and fields, at most.
  static let frame = 128

  /// Writes the head. `Status:` always: without it Apache turns a local Location into an internal redirect.
  static func write(_ response: inout ResponseHead, _ plan: ResponsePlan, into out: inout ByteBuffer) {
    out.append(atMost: frame + response.textCount) { cursor in
      cursor.put("Status: ")
      cursor.put(statusOf: &response)
      cursor.put(response.fields.bytes)
      cursor.put(lengthOf: plan)
      cursor.put("\r\n")
    }
  }
}
