/// SCGI response writer. The specification leaves the format open; everybody speaks CGI: a `Status:` line,
/// fields, an empty line, the body, end of connection.
public enum SCGIResponseWriter {
  /// Writes the head. `Status:` always: without it Apache turns a local Location into an internal redirect.
  public static func head(_ response: borrowing ResponseHead, _ plan: ResponsePlan, into out: inout ByteBuffer) {
    out.append("Status: ")
    out.append(decimal: Int64(response.status))
    out.append(0x20)
    if response.reason.isEmpty {
      out.append(StatusPhrase.of(response.status))
    } else {
      out.append(response.reason.bytes)
    }
    out.append("\r\n")
    out.append(response.fields.bytes)
    if plan.contentLength >= 0 {
      out.append("Content-Length: ")
      out.append(decimal: plan.contentLength)
      out.append("\r\n")
    }
    out.append("\r\n")
  }
}
