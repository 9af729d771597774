import CLinux
import CNSGI
import Control
import Wire

/// Encode: from what the app says to the bytes of its connection's protocol.
extension Worker {
  /// Body bytes up to this many are copied behind the head; more go to the socket from where they are.
  private static let copiedBytes = 16 * 1024

  // MARK: The app has returned

  /// Ends the response whatever the app left undone.
  func complete(_ exchange: ExchangePointer, _ result: Int32) {
    switch exchange.pointee.phase {
    case .called where result < 0 || exchange.pointee.response.status == 0: failed(exchange, result)
    case .called where exchange.pointee.response.contentLength < 0 && isSimple(exchange, held(exchange)):
      encodeWhole(exchange, held(exchange))
    case .called:
      // The whole body is there, or none at all: its length is known without the app's word.
      encodeHead(exchange, knownLength: Int64(exchange.pointee.held.count))
      encodeHeld(exchange)
      endBody(exchange)
    case .responding where result < 0: cut(exchange, result)
    case .responding: endBody(exchange)
    case .free, .reading, .finished, .gone: break
    }
  }

  /// What was held back of the body.
  @inline(__always)
  private func held(_ exchange: ExchangePointer) -> UnsafeRawBufferPointer { exchange.pointee.held.bytes }

  /// The app gave no response, or gave up before any byte of it was sent.
  private func failed(_ exchange: ExchangePointer, _ result: Int32) {
    exchange.pointee.isHeld = false
    exchange.pointee.held.removeAll()
    let refusal = exchange.pointee.stream.refusal
    if refusal > 0 { return answer(exchange, refusal, Worker.bodySentence(refusal)) }
    let name = app(exchange).name
    log.error(
      result < 0
        ? "\(name) answered \(result) to \(exchange.pointee.requestLine)"
        : "\(name) returned without starting a response to \(exchange.pointee.requestLine)")
    answer(exchange, 500, "the application failed")
  }

  /// The rest of a response will not come: the client must see that it is cut short.
  private func cut(_ exchange: ExchangePointer, _ result: Int32) {
    if result == NSGI_GONE.rawValue {
      log.debug("\(app(exchange).name) ended with its client: \(exchange.pointee.requestLine)")
    } else {
      log.error("\(app(exchange).name) broke off its response to \(exchange.pointee.requestLine)")
    }
    // FastCGI: no END_REQUEST either, whatever it says is a complete response to front ends.
    exchange.pointee.phase = .gone
  }

  /// Gives the output a block of the pool; beside the loop, where the pool is another thread's, it grows
  /// by itself.
  @inline(__always)
  func fillOutput(_ exchange: ExchangePointer) {
    if exchange.pointee.outlet.pointee.output.block != nil || exchange.pointee.isDetached { return }
    blocks.fill(&exchange.pointee.outlet.pointee.output)
  }

  /// The server's own fields; beside the loop fresh ones, since the shared ones are the leader's.
  @inline(__always)
  private func ownFields(_ exchange: ExchangePointer) -> ServerFields {
    exchange.pointee.isDetached ? freshFields(exchange) : date.fields(now)
  }

  @inline(never)
  private func freshFields(_ exchange: ExchangePointer) -> ServerFields {
    let server = date.server
    let memory = exchange.pointee.arena.allocate(ServerFields.size(server: server))
    return ServerFields(seconds: clinux_realtime_s(), server: server, in: memory)
  }

  // MARK: Head

  /// Decides the plan and writes the head. From here on the response cannot be taken back.
  func encodeHead(_ exchange: ExchangePointer, knownLength: Int64) {
    var knownLength = knownLength
    if exchange.pointee.response.hasSendfile, exchange.pointee.connection.pointee.gateway == .http1,
      let file = takeSendfile(exchange)
    {
      // The file is the body; what the app wrote beside it is not sent.
      knownLength = file.left
      exchange.pointee.sendsFile = true
      exchange.pointee.outlet.pointee.file = file
    }
    decide(exchange, knownLength: knownLength)
    if exchange.pointee.plan.framing == .none { exchange.pointee.outlet.pointee.file.close() }
    write(exchange, whole: nil)
    guardBody(exchange)
    exchange.pointee.phase = .responding
  }

  /// Whether head, body and end of the response may leave as they are, in one piece.
  @inline(__always)
  func isSimple(_ exchange: ExchangePointer, _ body: UnsafeRawBufferPointer) -> Bool {
    body.count <= Worker.copiedBytes && !exchange.pointee.response.hasSendfile
  }

  /// Writes a whole response that is simple; Content-Length, if the app gave it, is the body's length or
  /// belongs to a response without a body.
  @inline(__always)
  func encodeWhole(_ exchange: ExchangePointer, _ body: UnsafeRawBufferPointer) {
    decide(exchange, knownLength: Int64(body.count))
    let sent = exchange.pointee.plan.hasBody ? body : .none
    write(exchange, whole: sent)
    exchange.pointee.written = Int64(sent.count)
    exchange.pointee.phase = .finished
  }

  /// Decides the plan.
  @inline(__always)
  private func decide(_ exchange: ExchangePointer, knownLength: Int64) {
    let connection = exchange.pointee.connection
    let question = ResponsePlan.Question(
      gateway: connection.pointee.gateway, isHead: exchange.pointee.isHead,
      minorVersion: exchange.pointee.head.minorVersion,
      persists: exchange.pointee.head.persists && limits.keepAliveTimeoutSeconds > 0
        && !saysClose(exchange),
      status: exchange.pointee.response.status, declaredLength: exchange.pointee.response.contentLength,
      knownLength: knownLength)
    exchange.pointee.plan = ResponsePlan(question)
  }

  /// Writes the head, or with a body the whole response.
  @inline(__always)
  private func write(_ exchange: ExchangePointer, whole: UnsafeRawBufferPointer?) {
    let outlet = exchange.pointee.outlet
    let body = whole ?? .none
    fillOutput(exchange)
    switch exchange.pointee.connection.pointee.gateway {
    case .http1:
      HTTP1ResponseWriter.head(
        &exchange.pointee.response, exchange.pointee.plan, minorVersion: exchange.pointee.head.minorVersion,
        own: ownFields(exchange), body: body, into: &outlet.pointee.output)
    case .scgi:
      SCGIResponseWriter.head(
        &exchange.pointee.response, exchange.pointee.plan, body: body, into: &outlet.pointee.output)
    case .uwsgi:
      UWSGIResponseWriter.head(
        &exchange.pointee.response, exchange.pointee.plan, body: body, into: &outlet.pointee.output)
    case .cgi where exchange.pointee.connection.pointee.isNonParsed:
      CGIResponseWriter.nphHead(
        &exchange.pointee.response, exchange.pointee.plan, own: ownFields(exchange), body: body,
        into: &outlet.pointee.output)
    case .cgi:
      CGIResponseWriter.head(
        &exchange.pointee.response, exchange.pointee.plan, body: body, into: &outlet.pointee.output)
    case .fastcgi where whole != nil:
      FastCGIResponseWriter.whole(
        &exchange.pointee.response, exchange.pointee.plan, body: body,
        id: exchange.pointee.connection.pointee.codec.requestID, into: &outlet.pointee.output)
    case .fastcgi:
      FastCGIResponseWriter.head(
        &exchange.pointee.response, exchange.pointee.plan,
        id: exchange.pointee.connection.pointee.codec.requestID, into: &outlet.pointee.output)
    }
  }

  // MARK: Body

  private func encodeHeld(_ exchange: ExchangePointer) {
    guard exchange.pointee.isHeld else { return }
    exchange.pointee.isHeld = false
    var held = ByteBuffer()
    swap(&held, &exchange.pointee.held)
    _ = encodeBody(exchange, held.bytes)
    held.removeAll()
    swap(&held, &exchange.pointee.held)
  }

  /// Writes body bytes in the plan's framing. `NSGI_MISUSE` for more than Content-Length, `NSGI_GONE` when
  /// the client is no longer there.
  @inline(__always)
  func encodeBody(
    _ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer, isWhole: Bool = false
  ) -> Int32 {
    let outlet = exchange.pointee.outlet
    guard bytes.count > 0, exchange.pointee.plan.hasBody, !exchange.pointee.sendsFile else {
      return NSGI_OK.rawValue
    }
    if bytes.count > limits.responseBufferBytes { return encodeByPieces(exchange, bytes, isWhole: isWhole) }
    exchange.pointee.written += Int64(bytes.count)
    switch exchange.pointee.plan.framing {
    case .none: break
    case .length(let total):
      let over = exchange.pointee.written - total
      if over > 0 { return overrun(exchange, bytes, over) }
      put(exchange, bytes)
    case .untilClose: put(exchange, bytes)
    case .chunked:
      HTTP1ResponseWriter.chunkHead(bytes.count, into: &outlet.pointee.output)
      put(exchange, bytes)
      // Nothing may follow into the output of a client that is gone.
      if exchange.pointee.phase == .gone { break }
      fillOutput(exchange)
      HTTP1ResponseWriter.chunkTail(into: &outlet.pointee.output)
    case .records:
      let total = exchange.pointee.plan.contentLength
      let over = total >= 0 ? exchange.pointee.written - total : 0
      if over > 0 { return overrun(exchange, bytes, over) }
      putRecords(exchange, bytes)
    }
    if exchange.pointee.phase == .gone { return NSGI_GONE.rawValue }
    return isWhole ? takeStockOfWhole(exchange) : takeStock(exchange)
  }

  /// Many bytes at once, so that no more of them wait in memory than of many small writes.
  private func encodeByPieces(
    _ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer, isWhole: Bool
  ) -> Int32 {
    churn.add(bytes.count, ordering: .relaxed)
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(limits.responseBufferBytes))
      let result = encodeBody(exchange, piece, isWhole: isWhole)
      guard result == NSGI_OK.rawValue else { return result }
      rest = rest.dropFirst(piece.count)
    }
    return NSGI_OK.rawValue
  }

  /// More bytes than Content-Length promised: what fits is sent, the rest never leaves.
  private func overrun(_ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer, _ over: Int64) -> Int32 {
    let fits = max(0, bytes.count - Int(over))
    if over <= Int64(bytes.count) {
      log.error(
        "\(app(exchange).name) wrote more than its Content-Length; the excess is dropped")
    }
    exchange.pointee.written -= Int64(bytes.count)
    if fits > 0 { _ = encodeBody(exchange, UnsafeRawBufferPointer(rebasing: bytes[..<fits])) }
    return NSGI_MISUSE.rawValue
  }

  /// Small pieces gather in the output, large ones go out from where they are.
  @inline(__always)
  private func put(_ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer) {
    let outlet = exchange.pointee.outlet
    fillOutput(exchange)
    if bytes.count <= Worker.copiedBytes || outlet.pointee.isBlocked || outlet.pointee.file.left > 0 {
      outlet.pointee.output.append(bytes)
    } else {
      putLarge(exchange, bytes)
    }
  }

  private func putLarge(_ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer) {
    let outlet = exchange.pointee.outlet
    exchange.pointee.isUnderway = true
    var done = 0
    do {
      done = try System.send(exchange.pointee.connection.pointee.fd, outlet.pointee.output.bytes, bytes)
    } catch {
      if !error.wouldBlock { return lost(exchange) }
    }
    let waiting = outlet.pointee.output.count
    outlet.pointee.took(min(done, waiting))
    outlet.pointee.sent &+= Int64(max(0, done - waiting))
    if done < waiting + bytes.count {
      outlet.pointee.output.append(UnsafeRawBufferPointer(rebasing: bytes[max(0, done - waiting)...]))
    }
  }

  private func putRecords(_ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer) {
    let id = exchange.pointee.connection.pointee.codec.requestID
    let outlet = exchange.pointee.outlet
    var position = 0
    while position < bytes.count {
      fillOutput(exchange)
      let count = FastCGIResponseWriter.dataHead(
        bytes.count - position, id: id, into: &outlet.pointee.output)
      put(exchange, UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)]))
      if exchange.pointee.phase == .gone { return }
      fillOutput(exchange)
      FastCGIResponseWriter.dataTail(count, into: &outlet.pointee.output)
      position += count
    }
  }

  /// flush(): sends at once what the app has written so far.
  func flushResponse(_ exchange: ExchangePointer) -> Int32 {
    switch exchange.pointee.phase {
    case .called where exchange.pointee.response.status == 0: return NSGI_MISUSE.rawValue
    case .called, .responding:
      commitHeld(exchange)
      return pushOut(exchange, toTheEnd: false)
    case .finished: return NSGI_MISUSE.rawValue
    case .free, .reading, .gone: return NSGI_GONE.rawValue
    }
  }

  /// A second write, a flush: the response streams, its head leaves now.
  func commitHeld(_ exchange: ExchangePointer) {
    guard exchange.pointee.phase == .called else { return }
    encodeHead(exchange, knownLength: -1)
    encodeHeld(exchange)
  }

  // MARK: End

  /// The app has said all. A body shorter than promised ends with the connection.
  @inline(__always)
  func endBody(_ exchange: ExchangePointer) {
    let outlet = exchange.pointee.outlet
    guard exchange.pointee.phase == .responding else { return }
    exchange.pointee.phase = .finished
    if exchange.pointee.sendsFile {
      exchange.pointee.written = outlet.pointee.file.left
      return
    }
    switch exchange.pointee.plan.framing {
    case .none, .untilClose: break
    case .length(let total): if exchange.pointee.written < total { short(exchange) }
    case .chunked:
      fillOutput(exchange)
      HTTP1ResponseWriter.lastChunk(into: &outlet.pointee.output)
    case .records:
      let total = exchange.pointee.plan.contentLength
      let isShort = exchange.pointee.plan.hasBody && total > exchange.pointee.written
      if isShort { return short(exchange) }
      endRecords(exchange)
    }
  }

  private func short(_ exchange: ExchangePointer) {
    log.error(
      "\(app(exchange).name) wrote less than its Content-Length; the connection is closed")
    exchange.pointee.phase = .gone
  }

  /// `--fastcgi-stderr`: a line of the app goes to the front end's error log too (§5.3).
  func copyToFrontEnd(_ exchange: ExchangePointer, _ line: UnsafeRawBufferPointer) {
    let connection = exchange.pointee.connection
    let outlet = exchange.pointee.outlet
    guard settings.log.fastCGIStderr, connection.pointee.gateway == .fastcgi,
      // A front end that takes nothing finds them in the log.
      outlet.pointee.waiting < limits.responseBufferBytes
    else { return }
    fillOutput(exchange)
    var text = Printable.paragraph(String(decoding: line, as: UTF8.self))
    text.withUTF8 {
      FastCGIResponseWriter.stderr(
        UnsafeRawBufferPointer($0), id: connection.pointee.codec.requestID, into: &outlet.pointee.output)
    }
  }

  /// FastCGI: empty STDOUT and END_REQUEST (§5.5).
  func endRecords(_ exchange: ExchangePointer) {
    let outlet = exchange.pointee.outlet
    fillOutput(exchange)
    FastCGIResponseWriter.end(
      id: exchange.pointee.connection.pointee.codec.requestID, appStatus: 0, protocolStatus: 0,
      into: &outlet.pointee.output)
  }
}
