/// FastCGI response writer: a CGI head and the body inside STDOUT records, the app's error lines inside
/// STDERR records, then an empty STDOUT record and END_REQUEST (§5.3, §5.5). Every record is padded to a
/// multiple of eight bytes (§3.3).
public enum FastCGIResponseWriter {
  /// Writes the head in a STDOUT record of its own; in several when it is above 65528 bytes.
  public static func head(
    _ response: inout ResponseHead, _ plan: ResponsePlan, id: UInt16, into out: inout ByteBuffer
  ) {
    let mark = open(into: &out)
    CGIHead.write(&response, plan, into: &out)
    close(mark, id, into: &out)
  }

  /// Begins a STDOUT record for up to `count` body bytes, `count` being more than 0.
  ///
  /// - Returns: how many body bytes must follow, at most 65528; then comes `dataTail` for that number.
  public static func dataHead(_ count: Int, id: UInt16, into out: inout ByteBuffer) -> Int {
    let size = min(count, FastCGIGrammar.contentBytes)
    FastCGIRecord(type: FastCGIType.stdout, id: id, contentLength: size).write(into: &out)
    return size
  }

  /// Ends a record of `count` body bytes: its padding.
  public static func dataTail(_ count: Int, into out: inout ByteBuffer) {
    FastCGIRecord(type: FastCGIType.stdout, id: 0, contentLength: count).writePadding(into: &out)
  }

  /// Ends STDOUT and the request. `appStatus` is what a CGI program would exit with (§5.5).
  public static func end(
    id: UInt16, appStatus: UInt32 = 0, protocolStatus: UInt8 = FastCGIStatus.requestComplete,
    into out: inout ByteBuffer
  ) {
    out.append(atMost: wholeFrame) { $0.putEnd(id, appStatus, protocolStatus) }
  }

  /// A whole answer: head and body in one STDOUT record where they fit, then the end of the request.
  /// `body` is empty where the plan forbids one (HEAD, 204, 304).
  public static func whole(
    _ response: inout ResponseHead, _ plan: ResponsePlan, body: UnsafeRawBufferPointer, id: UInt16,
    appStatus: UInt32 = 0, into out: inout ByteBuffer
  ) {
    let most = CGIHead.frame + response.textCount + body.count
    guard most <= FastCGIGrammar.contentBytes else {
      let mark = open(into: &out)
      CGIHead.write(&response, plan, body: body, into: &out)
      close(mark, id, into: &out)
      return end(id: id, appStatus: appStatus, into: &out)
    }
    out.append(atMost: most + wholeFrame) { cursor in
      let header = cursor.place
      cursor.skip(FastCGIGrammar.headerBytes)
      CGIHead.write(&response, plan, body: body, &cursor)
      let size = cursor.place - header - FastCGIGrammar.headerBytes
      let record = FastCGIRecord(type: FastCGIType.stdout, id: id, contentLength: size)
      record.write(at: header)
      cursor.putPadding()
      cursor.skip(record.paddingLength)
      cursor.putEnd(id, appStatus, FastCGIStatus.requestComplete)
    }
  }

  /// Bytes of the records around a whole answer: headers, padding, the end of STDOUT and of the request.
  private static let wholeFrame = 48

  /// Error lines for the front end's log, in STDERR records; nothing for an empty text.
  public static func stderr(_ text: UnsafeRawBufferPointer, id: UInt16, into out: inout ByteBuffer) {
    var start = 0
    while start < text.count {
      let end = min(start + FastCGIGrammar.contentBytes, text.count)
      let record = FastCGIRecord(type: FastCGIType.stderr, id: id, contentLength: end - start)
      record.write(into: &out)
      out.append(UnsafeRawBufferPointer(rebasing: text[start..<end]))
      record.writePadding(into: &out)
      start = end
    }
  }

  /// Writes a record that no front end expects within a response, which makes it give the response up.
  /// UNKNOWN_TYPE only answers management records (§4.2).
  public static func breakOff(into out: inout ByteBuffer) {
    answer(.fastCGIUnknownType(0), maxConnections: 0, maxRequests: 0, into: &out)
  }

  /// Answers a message that is not a request: GET_VALUES_RESULT (§4.1), UNKNOWN_TYPE (§4.2) or the
  /// END_REQUEST of a refused request (§5.5); nothing for the answers of other protocols.
  ///
  /// - Parameters:
  ///   - maxConnections: what FCGI_MAX_CONNS says.
  ///   - maxRequests: what FCGI_MAX_REQS says.
  public static func answer(
    _ answer: ControlAnswer, maxConnections: Int, maxRequests: Int, into out: inout ByteBuffer
  ) {
    switch answer {
    case .fastCGIValues(let values):
      let mark = open(into: &out)
      if values & FastCGIValues.maxConnections != 0 {
        pair("FCGI_MAX_CONNS", Int64(maxConnections), into: &out)
      }
      if values & FastCGIValues.maxRequests != 0 { pair("FCGI_MAX_REQS", Int64(maxRequests), into: &out) }
      if values & FastCGIValues.multiplexes != 0 { pair("FCGI_MPXS_CONNS", 0, into: &out) }
      let size = out.count - mark - FastCGIGrammar.headerBytes
      let record = FastCGIRecord(type: FastCGIType.getValuesResult, id: 0, contentLength: size)
      record.write(at: out.base! + mark)
      record.writePadding(into: &out)
    case .fastCGIUnknownType(let type):
      let size = FastCGIGrammar.fixedBodyBytes
      FastCGIRecord(type: FastCGIType.unknownType, id: 0, contentLength: size).write(into: &out)
      out.append(type)
      for _ in 1..<size { out.append(0) }
    case .fastCGIRefusal(let id, let protocolStatus, _):
      out.append(atMost: wholeFrame) { $0.putEndRequest(id, 0, protocolStatus) }
    case .uwsgiPong: break
    }
  }

  /// A name-value pair whose name and decimal value are shorter than 128 bytes (§3.4).
  private static func pair(_ name: StaticString, _ value: Int64, into out: inout ByteBuffer) {
    out.append(UInt8(name.utf8CodeUnitCount))
    let mark = out.count
    out.append(0)
    out.append(name)
    let start = out.count
    out.append(decimal: value)
    (out.base! + mark).storeBytes(of: UInt8(out.count - start), as: UInt8.self)
  }

  /// Leaves room for a record header.
  private static func open(into out: inout ByteBuffer) -> Int {
    let mark = out.count
    out.reserve(512)
    out.commit(FastCGIGrammar.headerBytes)
    return mark
  }

  /// Puts everything after `mark` into STDOUT records; the header of the first one has its place already.
  private static func close(_ mark: Int, _ id: UInt16, into out: inout ByteBuffer) {
    let header = FastCGIGrammar.headerBytes
    let most = FastCGIGrammar.contentBytes
    let size = out.count - mark - header
    if size <= most {
      let record = FastCGIRecord(type: FastCGIType.stdout, id: id, contentLength: size)
      record.write(at: out.base! + mark)
      return record.writePadding(into: &out)
    }
    var last = 0
    out.cut(behind: mark, header: header, most: most) { piece, place in
      FastCGIRecord(type: FastCGIType.stdout, id: id, contentLength: piece.count).write(at: place)
      if piece.isLast { last = piece.count }
    }
    FastCGIRecord(type: FastCGIType.stdout, id: id, contentLength: last).writePadding(into: &out)
  }
}

extension Cursor {
  /// Writes the empty record that ends STDOUT, and END_REQUEST.
  @inline(__always)
  fileprivate mutating func putEnd(_ id: UInt16, _ appStatus: UInt32, _ protocolStatus: UInt8) {
    put(word: FastCGIRecord(type: FastCGIType.stdout, id: id, contentLength: 0).word)
    putEndRequest(id, appStatus, protocolStatus)
  }

  /// Writes END_REQUEST (§5.5).
  @inline(__always)
  fileprivate mutating func putEndRequest(_ id: UInt16, _ appStatus: UInt32, _ protocolStatus: UInt8) {
    let size = FastCGIGrammar.fixedBodyBytes
    put(word: FastCGIRecord(type: FastCGIType.endRequest, id: id, contentLength: size).word)
    put(word: UInt64(appStatus) << 32 | UInt64(protocolStatus) << 24)
  }
}
