/// HTTP/2 response writer (RFC 9113 §8.1, §6.1, §6.2): HEADERS and DATA frames of one stream. They are whole,
/// and of at most the size that every client takes; `HTTP2Session.move` cuts them to the windows.
///
/// Fields are encoded without the dynamic table: so an answer may be written by any thread, and in any order.
public enum HTTP2ResponseWriter {
  /// Bytes of DATA that one frame has at most.
  static let dataBytes = HTTP2Grammar.frameBytes

  /// Writes the head; it ends the stream where the plan has no body and no trailers can follow.
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
    own.each(besides: &response) { HPACKEncoder.lines($0, into: &out) }
    if plan.contentLength >= 0 { HPACKEncoder.length(plan.contentLength, into: &out) }
    close(mark, id, ends ? HTTP2Flags.endStream : 0, into: &out)
  }

  /// A whole answer. `body` is empty where the plan forbids one (HEAD, 204, 304).
  public static func whole(
    _ response: inout ResponseHead, _ plan: ResponsePlan, own: ServerFields, body: UnsafeRawBufferPointer,
    id: UInt32, into out: inout ByteBuffer
  ) {
    head(&response, plan, own: own, id: id, ends: body.isEmpty, into: &out)
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

  /// Writes an interim response, such as 100 (RFC 9110 §15.2).
  public static func interim(_ status: Int, id: UInt32, into out: inout ByteBuffer) {
    let mark = out.count
    out.reserve(HTTP2Grammar.headerBytes + 8)
    out.commit(HTTP2Grammar.headerBytes)
    HPACKEncoder.status(status, into: &out)
    close(mark, id, 0, into: &out)
  }

  /// Puts what stands behind `mark` into HEADERS, whose header has its place, and CONTINUATION; for these the
  /// bytes move up, from the last piece to the first.
  private static func close(_ mark: Int, _ id: UInt32, _ flags: UInt8, into out: inout ByteBuffer) {
    let (header, most) = (HTTP2Grammar.headerBytes, HTTP2Grammar.frameBytes)
    let size = out.count - mark - header
    let further = max(0, (size - 1) / most)
    if further > 0 {
      out.reserve(further * header)
      out.commit(further * header)
    }
    let first = out.base! + mark
    for piece in stride(from: further, through: 0, by: -1) {
      let count = min(size - piece * most, most)
      let place = first + piece * (most + header)
      if piece > 0 { (place + header).copyMemory(from: first + header + piece * most, byteCount: count) }
      var frameFlags = piece == 0 ? flags : 0
      if piece == further { frameFlags |= HTTP2Flags.endHeaders }
      let type = piece == 0 ? HTTP2Type.headers : HTTP2Type.continuation
      HTTP2Frame(type, flags: frameFlags, id: id, length: count).write(at: place)
    }
  }
}
