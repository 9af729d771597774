import CLinux
import CNSGI
import Control
import Wire

/// Encode: from what the app says to the bytes of its connection's protocol.
extension Worker {
  /// Body bytes up to this many are copied after the head; more go to the socket from where they are.
  private static let copiedBytes = 16 * 1024

  // MARK: The app has returned

  /// Ends the response whatever the app left undone.
  func complete(_ exchange: ExchangePointer, _ result: Int32) {
    switch exchange.phase {
    case .called where exchange.socketCall != .none: exchange.next(.answerEncoded)
    case .called where result < 0 || exchange.response.status == 0: failed(exchange, result)
    case .called where exchange.response.contentLength < 0 && isSimple(exchange, held(exchange)):
      encodeWhole(exchange, held(exchange))
    case .called:
      // The whole body is there, or there is none: its length is known without the app's word.
      encodeHead(exchange, knownLength: Int64(exchange.held.count))
      encodeHeld(exchange)
      endBody(exchange)
    case .responding where result < 0: cut(exchange, result)
    case .responding: endBody(exchange)
    case .free, .reading, .finished, .gone: break
    }
  }

  /// The part of the body that was held back.
  @inline(__always)
  private func held(_ exchange: ExchangePointer) -> UnsafeRawBufferPointer { exchange.held.bytes }

  /// The app gave no response, or gave up before any byte of it was sent.
  private func failed(_ exchange: ExchangePointer, _ result: Int32) {
    exchange.isHeld = false
    exchange.held.removeAll()
    let refusal = exchange.stream.refusal
    if refusal > 0 { return answer(exchange, refusal, Worker.bodySentence(refusal)) }
    let name = app(exchange).name
    if result == NSGI_GONE.rawValue, exchange.state.isAbandoned {
      log.debug("\(name) ended with its client: \(exchange.requestLine)")
      return answer(exchange, 500, "the application failed")
    }
    log.error(
      result < 0
        ? "\(name) answered \(result) to \(exchange.requestLine)"
        : "\(name) returned without starting a response to \(exchange.requestLine)")
    answer(exchange, 500, "the application failed")
  }

  /// The rest of a response will not come: the client must see that it is cut short.
  private func cut(_ exchange: ExchangePointer, _ result: Int32) {
    if result == NSGI_GONE.rawValue {
      log.debug("\(app(exchange).name) ended with its client: \(exchange.requestLine)")
    } else {
      log.error("\(app(exchange).name) broke off its response to \(exchange.requestLine)")
    }
    // FastCGI: sends no END_REQUEST either, because front ends take any response with it for a complete one.
    exchange.next(.cut)
  }

  /// Gives the output a block of the pool; beside the loop, where the pool belongs to another thread, it
  /// grows by itself.
  @inline(__always)
  func fillOutput(_ exchange: ExchangePointer) {
    if exchange.outlet.output.block != nil || exchange.isDetached { return }
    blocks.fill(&exchange.outlet.output)
  }

  /// The server's own fields; made anew beside the loop, since the shared ones are the leader's.
  @inline(__always)
  private func ownFields(_ exchange: ExchangePointer) -> ServerFields {
    exchange.isDetached ? freshFields(exchange) : date.fields(now)
  }

  @inline(never)
  private func freshFields(_ exchange: ExchangePointer) -> ServerFields {
    let server = date.server
    let memory = exchange.arena.allocate(ServerFields.size(server: server))
    return ServerFields(seconds: clinux_realtime_s(), server: server, in: memory)
  }

  // MARK: Head

  /// Decides the plan and writes the head. From here on the response cannot be taken back.
  func encodeHead(_ exchange: ExchangePointer, knownLength: Int64) {
    var knownLength = knownLength
    if exchange.response.hasSendfile,
      exchange.connection.gateway.sendsNamedFiles,
      let file = takeSendfile(exchange)
    {
      // The file is the body; anything else that the app wrote is not sent.
      knownLength = file.left
      exchange.sendsFile = true
      exchange.outlet.file = file
      if !exchange.connection.gateway.sendsBodiesPlain { exchange.outlet.file.records = exchange.encoder }
    }
    decide(exchange, knownLength: knownLength)
    if exchange.plan.framing == .none { exchange.outlet.file.close() }
    write(exchange, whole: nil)
    guardBody(exchange)
    exchange.next(.headEncoded)
  }

  /// The whole of a response whose body is a stretch of a file, which goes to the socket from there. For
  /// protocols and framings that let it through unchanged.
  func encodeFile(_ exchange: ExchangePointer, _ file: FileStretch) {
    exchange.sendsFile = true
    exchange.outlet.file = file
    encodeHead(exchange, knownLength: file.left)
    endBody(exchange)
  }

  /// Whether head, body and end of the response may leave unchanged, in one piece.
  @inline(__always)
  func isSimple(_ exchange: ExchangePointer, _ body: UnsafeRawBufferPointer) -> Bool {
    body.count <= Worker.copiedBytes && !exchange.response.hasSendfile
  }

  /// Writes a whole response that is simple; Content-Length, if the app gave it, is the body's length or
  /// belongs to a response without a body.
  @inline(__always)
  func encodeWhole(_ exchange: ExchangePointer, _ body: UnsafeRawBufferPointer) {
    decide(exchange, knownLength: Int64(body.count), isWhole: true)
    let sent = exchange.plan.hasBody ? body : .none
    write(exchange, whole: sent)
    exchange.written = Int64(sent.count)
    exchange.next(.answerEncoded)
  }

  /// Decides the plan.
  ///
  /// - Parameter isWhole: no trailers follow, whatever the head announces.
  @inline(__always)
  private func decide(_ exchange: ExchangePointer, knownLength: Int64, isWhole: Bool = false) {
    // What was written of its body is not sent, as with HEAD.
    let isRefused = exchange.head.asksForWebSocket && 200...299 ~= exchange.response.status
    if isRefused { turnDown(exchange) }
    if ownAnswers.editsHeads { editHead(exchange) }
    if exchange.response.announcesTrailers, isWhole || !exchange.pointee.takesTrailers || exchange.sendsFile {
      exchange.response.withdrawTrailers()
    }
    let connection = exchange.connection
    var question = ResponsePlan.Question(
      gateway: connection.gateway, isHead: exchange.isHead || isRefused,
      minorVersion: exchange.head.minorVersion,
      persists: exchange.head.persists && timers.keepAlive > 0
        && !saysClose(exchange),
      status: exchange.response.status, declaredLength: exchange.response.contentLength,
      knownLength: isRefused ? -1 : knownLength)
    question.sendsTrailers = exchange.response.announcesTrailers
    exchange.plan = ResponsePlan(question)
  }

  /// Writes the head, or with a body the whole response.
  @inline(__always)
  private func write(_ exchange: ExchangePointer, whole: UnsafeRawBufferPointer?) {
    let outlet = exchange.outlet
    fillOutput(exchange)
    let encoder = exchange.encoder
    if let whole {
      encoder.whole(
        &exchange.response, exchange.plan, own: { ownFields(exchange) }, body: whole,
        into: &outlet.output)
    } else {
      encoder.head(
        &exchange.response, exchange.plan, own: { ownFields(exchange) },
        into: &outlet.output)
    }
  }

  /// The answer that accepts a WebSocket: its connection, or its stream, is the socket's from then on.
  func encodeUpgrade(_ exchange: ExchangePointer) {
    let outlet = exchange.outlet
    fillOutput(exchange)
    exchange.encoder.upgrade(&exchange.response, own: { ownFields(exchange) }, into: &outlet.output)
    exchange.next(.answerEncoded)
    exchange.plan.persists = true
  }

  /// To the client of a stream that asks for a WebSocket, any 2xx would say that it has one (RFC 8441 §4, RFC
  /// 9110 §9.3.6), though an application, or a file, has answered as to a plain GET.
  @inline(never)
  private func turnDown(_ exchange: ExchangePointer) {
    let status = exchange.response.status
    log.warning(
      "request refused with 501: it asks for a WebSocket, and was to get a plain answer with \(status): "
        + exchange.requestLine)
    exchange.response.reset()
    try? exchange.response.begin(status: 501)
  }

  // MARK: Body

  /// The part of the body that was held back.
  func encodeHeld(_ exchange: ExchangePointer) {
    guard exchange.isHeld else { return }
    exchange.isHeld = false
    var held = ByteBuffer()
    swap(&held, &exchange.held)
    _ = encodeBody(exchange, held.bytes)
    held.removeAll()
    swap(&held, &exchange.held)
  }

  /// Writes body bytes in the plan's framing. `NSGI_MISUSE` for more than Content-Length, `NSGI_GONE` if the
  /// client is no longer there.
  @inline(__always)
  func encodeBody(
    _ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer, isWhole: Bool = false
  ) -> Int32 {
    guard bytes.count > 0, exchange.plan.hasBody, !exchange.sendsFile else {
      return NSGI_OK.rawValue
    }
    if bytes.count > limits.responseBufferBytes { return encodeByPieces(exchange, bytes, isWhole: isWhole) }
    exchange.written += Int64(bytes.count)
    let total = exchange.plan.contentLength
    let over = total >= 0 ? exchange.written - total : 0
    if over > 0 { return overrun(exchange, bytes, over) }
    if exchange.plan.framing.hasMarks {
      putPieces(exchange, bytes)
    } else {
      put(exchange, bytes)
    }
    if exchange.phase == .gone { return NSGI_GONE.rawValue }
    return isWhole ? takeStockOfWhole(exchange) : takeStock(exchange)
  }

  /// Bounds large writes, so that no more of them waits in memory than of many small ones.
  private func encodeByPieces(
    _ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer, isWhole: Bool
  ) -> Int32 {
    common.free(bytes.count)
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(limits.responseBufferBytes))
      let result = encodeBody(exchange, piece, isWhole: isWhole)
      guard result == NSGI_OK.rawValue else { return result }
      rest = rest.dropFirst(piece.count)
    }
    return NSGI_OK.rawValue
  }

  /// More bytes than Content-Length promised: sends those that fit; the rest never leaves.
  private func overrun(_ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer, _ over: Int64) -> Int32 {
    let fits = max(0, bytes.count - Int(over))
    if over <= Int64(bytes.count) {
      log.error(
        "\(app(exchange).name) wrote more than its Content-Length; the excess is dropped")
    }
    exchange.written -= Int64(bytes.count)
    if fits > 0 { _ = encodeBody(exchange, UnsafeRawBufferPointer(rebasing: bytes[..<fits])) }
    return NSGI_MISUSE.rawValue
  }

  /// Small pieces gather in the output, large ones go out from where they are.
  @inline(__always)
  private func put(_ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer) {
    let outlet = exchange.outlet
    fillOutput(exchange)
    if bytes.count <= Worker.copiedBytes || outlet.isBlocked || outlet.file.left > 0 {
      outlet.output.append(bytes)
    } else {
      putLarge(exchange, bytes)
    }
  }

  private func putLarge(_ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer) {
    let outlet = exchange.outlet
    exchange.isUnderway = true
    if outlet.isStream { return outlet.output.append(bytes) }
    var done = 0
    if let carrier = outlet.carrier {
      do throws(SystemError) {
        return try sendSealed(outlet, carrier, exchange.connection.fd, bytes, &done)
      } catch {
        if !error.wouldBlock { return lost(exchange) }
        return outlet.output.append(UnsafeRawBufferPointer(rebasing: bytes[done...]))
      }
    }
    do {
      done = try System.send(exchange.connection.fd, outlet.output.bytes, bytes)
    } catch {
      if !error.wouldBlock { return lost(exchange) }
    }
    let waiting = outlet.output.count
    outlet.took(min(done, waiting))
    outlet.sent &+= Int64(max(0, done - waiting))
    if done < waiting + bytes.count {
      outlet.output.append(UnsafeRawBufferPointer(rebasing: bytes[max(0, done - waiting)...]))
    }
  }

  /// Writes body bytes between the marks of the protocol. Nothing may be added to the output of a client that
  /// is gone.
  private func putPieces(_ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer) {
    let (encoder, framing) = (exchange.encoder, exchange.plan.framing)
    let outlet = exchange.outlet
    var position = 0
    while position < bytes.count {
      fillOutput(exchange)
      let count = encoder.open(bytes.count - position, framing, into: &outlet.output)
      put(exchange, UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)]))
      if exchange.phase == .gone { return }
      fillOutput(exchange)
      encoder.close(count, framing, into: &outlet.output)
      position += count
    }
  }

  /// flush(): sends at once what the app has written so far.
  func flushResponse(_ exchange: ExchangePointer) -> Int32 {
    guard exchange.allows(.flush) else { return outOfOrder(exchange, .flush) }
    commitHeld(exchange)
    return pushOut(exchange, toTheEnd: false)
  }

  /// A second write, a flush: the response streams, its head leaves now.
  func commitHeld(_ exchange: ExchangePointer) {
    guard exchange.phase == .called else { return }
    encodeHead(exchange, knownLength: -1)
    encodeHeld(exchange)
  }

  // MARK: End

  /// The app has said everything. A body shorter than promised ends with the connection.
  @inline(__always)
  func endBody(_ exchange: ExchangePointer) {
    let outlet = exchange.outlet
    guard exchange.phase == .responding else { return }
    exchange.next(.answerEncoded)
    let plan = exchange.plan
    if exchange.sendsFile {
      exchange.written = outlet.file.left
      // The end of the answer follows the last byte of a file; an empty file has no last byte.
      if outlet.file.left == 0, plan.framing.hasMarks { endMarks(exchange) }
      return
    }
    if plan.hasBody, plan.contentLength > exchange.written { return short(exchange) }
    if plan.framing.hasMarks { endMarks(exchange) }
  }

  /// Writes the end of the answer, on protocols that mark it.
  func endMarks(_ exchange: ExchangePointer) {
    fillOutput(exchange)
    let outlet = exchange.outlet
    exchange.encoder.end(exchange.plan.framing, into: &outlet.output)
  }

  private func short(_ exchange: ExchangePointer) {
    log.error(
      "\(app(exchange).name) wrote less than its Content-Length; the connection is closed")
    exchange.next(.cut)
  }

  /// `--fastcgi-stderr`: a line of the app goes to the front end's error log too (§5.3).
  func copyToFrontEnd(_ exchange: ExchangePointer, _ line: UnsafeRawBufferPointer) {
    let outlet = exchange.outlet
    guard settings.log.fastCGIStderr, exchange.connection.gateway.hasErrorStream,
      // If a front end takes nothing, the lines are still in the log.
      outlet.waiting < limits.responseBufferBytes
    else { return }
    fillOutput(exchange)
    var text = Printable.paragraph(String(decoding: line, as: UTF8.self))
    text.withUTF8 {
      exchange.encoder.errorLines(UnsafeRawBufferPointer($0), into: &outlet.output)
    }
  }
}
