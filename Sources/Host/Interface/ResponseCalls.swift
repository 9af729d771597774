import CNSGI
import Glibc
import Wire

/// What an app's start and write mean, whichever form it has.
extension Worker {
  /// respond(): the whole response at once; after start() it replaces that head.
  @inline(__always)
  func respond(
    _ exchange: ExchangePointer, _ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int,
    _ body: UnsafeRawBufferPointer
  ) -> Int32 {
    let begun = begin(exchange, status, fields, count, for: .respond)
    guard begun == NSGI_OK.rawValue else { return begun }
    let declared = exchange.response.contentLength
    if declared >= 0, declared != Int64(body.count), !exchange.isHead, status != 304 {
      return refused(exchange, .invalidLength)
    }
    var result = NSGI_OK.rawValue
    if isSimple(exchange, body) {
      encodeWhole(exchange, body)
    } else {
      encodeHead(exchange, knownLength: Int64(body.count))
      // Bytes that the client does not take now wait in memory: the app is done with them, and no thread has
      // to wait.
      result = encodeBody(exchange, body, isWhole: true)
      endBody(exchange)
    }
    if exchange.isDetached { pushOutLast(exchange) }
    return result
  }

  /// start(): takes a response head; repeatable while nothing was sent.
  @inline(__always)
  func begin(
    _ exchange: ExchangePointer, _ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int,
    for call: ResponseRules.Call = .start
  ) -> Int32 {
    guard exchange.allows(call) else { return outOfOrder(exchange, call) }
    do throws(ResponseError) {
      guard status >= 200 else { throw ResponseError.invalidStatus }
      try exchange.response.beginAnnounced(status: Int(status))
      for index in 0..<count {
        guard let fields else { throw ResponseError.invalidName }
        try exchange.response.add(
          name: fields[index].name.bytes, value: fields[index].value.bytes, mayAnnounce: call == .start)
      }
    } catch {
      return refused(exchange, error)
    }
    return NSGI_OK.rawValue
  }

  /// reason(): sets the phrase of the next head.
  func announce(_ exchange: ExchangePointer, reason: UnsafeRawBufferPointer) -> Int32 {
    guard exchange.allows(.reason) else { return outOfOrder(exchange, .reason) }
    do {
      try exchange.response.announce(reason: reason)
      return NSGI_OK.rawValue
    } catch {
      log.error(
        "\(app(exchange).name) gave a reason phrase with control characters, which is refused, "
          + "for \(exchange.requestLine)")
      return NSGI_MISUSE.rawValue
    }
  }

  /// The head was refused; the app may start another one.
  func refused(_ exchange: ExchangePointer, _ error: ResponseError) -> Int32 {
    exchange.response.reset()
    log.error(
      "\(app(exchange).name) gave a response head that is refused (\(error.sentence)) "
        + "for \(exchange.requestLine)")
    return error == .tooLarge ? NSGI_TOOBIG.rawValue : NSGI_MISUSE.rawValue
  }

  /// write(): the first piece is held back, because a response that ends after it gets a Content-Length;
  /// the second one, or a flush, commits the head. With a declared length nothing is held.
  @inline(__always)
  func write(_ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer) -> Int32 {
    guard exchange.allows(.body) else { return outOfOrder(exchange, .body) }
    guard hasSpace(exchange) else { return NSGI_AGAIN.rawValue }
    guard exchange.phase == .called else { return encodeBody(exchange, bytes) }
    if bytes.count == 0 { return NSGI_OK.rawValue }
    let holds = !exchange.isHeld && exchange.response.contentLength < 0
    if holds, bytes.count <= BlockPool.blockBytes {
      exchange.held.append(bytes)
      exchange.isHeld = true
      return NSGI_OK.rawValue
    }
    commitHeld(exchange)
    return encodeBody(exchange, bytes)
  }

  /// An app that never waits gets NSGI_AGAIN instead of waiting for room in a full output.
  func hasSpace(_ exchange: ExchangePointer) -> Bool {
    guard exchange.neverWaits else { return true }
    let outlet = exchange.outlet
    guard outlet.waiting >= limits.responseBufferBytes else { return true }
    pushOutBeside(exchange)
    return outlet.waiting < limits.responseBufferBytes
  }

  /// read(): > 0 bytes, 0 at the end, < 0 an nsgi_result. The part of the body that has come can be read even
  /// if the client has left.
  func read(_ exchange: ExchangePointer, _ buffer: UnsafeMutableRawPointer?, _ capacity: Int) -> Int64 {
    guard let buffer, capacity > 0 else { return capacity == 0 ? 0 : Int64(NSGI_MISUSE.rawValue) }
    if exchange.stream.isOpen { return readStream(exchange, buffer, capacity) }
    return readWhole(exchange, buffer, capacity)
  }

  /// Takes bytes of a body that is complete.
  func readWhole(_ exchange: ExchangePointer, _ buffer: UnsafeMutableRawPointer, _ capacity: Int) -> Int64 {
    do { return Int64(try exchange.body.read(buffer, capacity)) } catch {
      log.error("request body cannot be read: \(error)")
      return Int64(NSGI_IO.rawValue)
    }
  }

  /// body(): the whole body, lent.
  func whole(_ exchange: ExchangePointer) -> BodyResult {
    exchange.stream.isOpen ? wholeStream(exchange) : wholeBody(exchange)
  }

  /// The body in one piece, once it is complete.
  func wholeBody(_ exchange: ExchangePointer) -> BodyResult {
    do { return .success(try exchange.body.whole()) } catch {
      log.error("request body cannot be read: \(error)")
      return .failure(NSGI_IO.rawValue)
    }
  }

  /// A call that the response does not allow now: returns the result code, and logs a line for the app's
  /// author.
  @inline(never)
  func outOfOrder(_ exchange: ExchangePointer, _ call: ResponseRules.Call) -> Int32 {
    let verdict = ResponseRules.verdict(call, in: exchange.stage)
    let (name, line) = (app(exchange).name, exchange.requestLine)
    switch verdict {
    case .allowed, .gone: break
    case .tooEarly: log.error("\(name) went on before it started a response: \(line)")
    case .tooLate: log.error("\(name) went on after its response was complete, or begun: \(line)")
    }
    return verdict.code
  }
}

extension ResponseError {
  /// The error, for the app's author.
  package var sentence: String {
    switch self {
    case .invalidStatus: "the status is not a number from 200 to 599 and a reason without control characters"
    case .invalidName: "a field name is not a token"
    case .invalidValue: "a field value holds a control character such as CR or LF"
    case .reservedName: "a field belongs to the connection and is the server's to send"
    case .invalidLength: "Content-Length is not one number, or not that of the body's bytes"
    case .headOnly: "a trailer is a field that has to stand in the head"
    case .sendfileTwice: "X-Sendfile is given twice"
    case .tooLarge: "the head is larger than --response-head-size"
    }
  }
}

/// A body that was asked for whole: its bytes, or an nsgi_result.
enum BodyResult {
  case success(UnsafeRawBufferPointer)
  case failure(Int32)
}
