/// The response head of CGI (RFC 3875 §6.2), which SCGI and FastCGI share: a `Status:` line, fields, an
/// empty line.
enum CGIHead {
  /// Writes the head. `Status:` always: without it Apache turns a local Location into an internal redirect.
  static func write(_ response: borrowing ResponseHead, _ plan: ResponsePlan, into out: inout ByteBuffer) {
    out.append("Status: ")
    writeStatus(response, into: &out)
    writeFields(response, plan, into: &out)
    out.append("\r\n")
  }

  /// Status code and reason phrase (RFC 9112 §4) and the line's end.
  static func writeStatus(_ response: borrowing ResponseHead, into out: inout ByteBuffer) {
    out.append(decimal: Int64(response.status))
    out.append(0x20)
    if response.reason.isEmpty {
      out.append(StatusPhrase.of(response.status))
    } else {
      out.append(response.reason.bytes)
    }
    out.append("\r\n")
  }

  /// The application's fields, then Content-Length if the plan has one.
  static func writeFields(
    _ response: borrowing ResponseHead, _ plan: ResponsePlan, into out: inout ByteBuffer
  ) {
    out.append(response.fields.bytes)
    if plan.contentLength >= 0 {
      out.append("Content-Length: ")
      out.append(decimal: plan.contentLength)
      out.append("\r\n")
    }
  }
}
