/// HTTP/2 response writer (RFC 9113 §8.1, §6.1, §6.2): HEADERS and DATA frames of one stream. They are
/// complete, and no larger than every client accepts; `HTTP2Session.move` cuts them to the windows.
///
/// Fields are encoded without the dynamic table: so any thread may write an answer, in any order.
public enum HTTP2ResponseWriter {
  /// The most bytes of DATA in one frame.
  static let dataBytes = HTTP2Grammar.frameBytes

  /// Writes the head; it ends the stream if the plan has no body and no trailers can follow.
  ///
  /// - Parameter own: the server's own fields.
  public static func head(
    _ response: inout ResponseHead, _ plan: ResponsePlan, own: ServerFields, id: UInt32, ends: Bool,
    into out: inout ByteBuffer
  ) {
    let mark = out.count
    out.reserve(HTTP2Grammar.headerBytes + 64 + response.textCount + own.count)
    out.commit(HTTP2Grammar.headerBytes)
    HPACKEncoder.status(response.status, into: &out)
    HPACKEncoder.lines(response.paddedFields(), into: &out)
    HPACKEncoder.own(own, hasDate: response.hasDate, hasServer: response.hasServer, into: &out)
    if plan.contentLength >= 0 { HPACKEncoder.length(plan.contentLength, into: &out) }
    close(mark, id, ends ? HTTP2Flags.endStream : 0, into: &out)
  }

  /// A whole answer. `body` is empty if the plan forbids one (HEAD, 204, 304).
  public static func whole(
    _ response: inout ResponseHead, _ plan: ResponsePlan, own: ServerFields, body: UnsafeRawBufferPointer,
    id: UInt32, into out: inout ByteBuffer
  ) {
    head(&response, plan, own: own, id: id, ends: body.isEmpty, into: &out)
    if !body.isEmpty { rest(body, id: id, into: &out) }
  }

  /// Writes the rest of a body, or of a tunnel, and the end of the stream.
  public static func rest(_ body: UnsafeRawBufferPointer, id: UInt32, into out: inout ByteBuffer) {
    if body.isEmpty { return end(id: id, into: &out) }
    var start = 0
    while start < body.count {
      let count = min(body.count - start, dataBytes)
      let flags = start + count == body.count ? HTTP2Flags.endStream : 0
      HTTP2Frame(HTTP2Type.data, flags: flags, id: id, length: count).write(into: &out)
      out.append(UnsafeRawBufferPointer(rebasing: body[start..<(start + count)]))
      start += count
    }
  }

  /// Begins a DATA frame for up to `count` body bytes, more than 0. Returns how many must follow.
  public static func dataHead(_ count: Int, id: UInt32, into out: inout ByteBuffer) -> Int {
    let size = min(count, dataBytes)
    HTTP2Frame(HTTP2Type.data, id: id, length: size).write(into: &out)
    return size
  }

  /// Ends the stream: an empty DATA frame.
  public static func end(id: UInt32, into out: inout ByteBuffer) {
    HTTP2Frame(HTTP2Type.data, flags: HTTP2Flags.endStream, id: id, length: 0).write(into: &out)
  }

  /// Ends the stream with trailers (RFC 9113 §8.1): lines, each `Name: value CR LF`.
  public static func trailers(_ lines: UnsafeRawBufferPointer, id: UInt32, into out: inout ByteBuffer) {
    guard lines.count > 0 else { return end(id: id, into: &out) }
    let mark = out.count
    out.reserve(HTTP2Grammar.headerBytes + lines.count)
    out.commit(HTTP2Grammar.headerBytes)
    HPACKEncoder.lines(lines, into: &out)
    close(mark, id, HTTP2Flags.endStream, into: &out)
  }

  /// Writes an interim response, such as 100 (RFC 9110 §15.2).
  ///
  /// - Parameter fields: lines of its head, each `Name: value CR LF`.
  public static func interim(
    _ status: Int, fields: UnsafeRawBufferPointer = .none, id: UInt32, into out: inout ByteBuffer
  ) {
    let mark = out.count
    out.reserve(HTTP2Grammar.headerBytes + 8 + fields.count)
    out.commit(HTTP2Grammar.headerBytes)
    HPACKEncoder.status(status, into: &out)
    HPACKEncoder.lines(fields, into: &out)
    close(mark, id, 0, into: &out)
  }

  /// Puts the bytes after `mark` into HEADERS, for whose header there is room, and CONTINUATION.
  private static func close(_ mark: Int, _ id: UInt32, _ flags: UInt8, into out: inout ByteBuffer) {
    out.cut(behind: mark, header: HTTP2Grammar.headerBytes, most: HTTP2Grammar.frameBytes) { piece, place in
      let type = piece.isFirst ? HTTP2Type.headers : HTTP2Type.continuation
      var frameFlags = piece.isFirst ? flags : 0
      if piece.isLast { frameFlags |= HTTP2Flags.endHeaders }
      HTTP2Frame(type, flags: frameFlags, id: id, length: piece.count).write(at: place)
    }
  }
}
