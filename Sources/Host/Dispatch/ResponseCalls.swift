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
    let begun = begin(exchange, status, fields, count)
    guard begun == NSGI_OK.rawValue else { return begun }
    let declared = exchange.pointee.response.contentLength
    if declared >= 0, declared != Int64(body.count), !exchange.pointee.isHead, status != 304 {
      return refused(exchange, .invalidLength)
    }
    var result = NSGI_OK.rawValue
    if isSimple(exchange, body) {
      encodeWhole(exchange, body)
    } else {
      encodeHead(exchange, knownLength: Int64(body.count))
      // What the client does not take now waits in memory: the app is done with it, no thread has to wait.
      result = encodeBody(exchange, body, isWhole: true)
      endBody(exchange)
    }
    if exchange.pointee.isDetached { pushOutLast(exchange) }
    return result
  }

  /// start(): takes a response head; repeatable while nothing was sent.
  @inline(__always)
  func begin(
    _ exchange: ExchangePointer, _ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int
  ) -> Int32 {
    guard exchange.pointee.phase == .called, !exchange.pointee.isHeld else { return outOfOrder(exchange) }
    do throws(ResponseError) {
      guard status >= 200 else { throw ResponseError.invalidStatus }
      try exchange.pointee.response.beginAnnounced(status: Int(status))
      for index in 0..<count {
        guard let fields else { throw ResponseError.invalidName }
        try exchange.pointee.response.add(name: fields[index].name.bytes, value: fields[index].value.bytes)
      }
    } catch {
      return refused(exchange, error)
    }
    return NSGI_OK.rawValue
  }

  /// reason(): the phrase of the next head.
  func announce(_ exchange: ExchangePointer, reason: UnsafeRawBufferPointer) -> Int32 {
    guard exchange.pointee.phase == .called, !exchange.pointee.isHeld else { return outOfOrder(exchange) }
    do {
      try exchange.pointee.response.announce(reason: reason)
      return NSGI_OK.rawValue
    } catch {
      log.error(
        "\(app(exchange).name) gave a reason phrase with control characters, which is refused, "
          + "for \(exchange.pointee.requestLine)")
      return NSGI_MISUSE.rawValue
    }
  }

  /// The head is not taken; the app may start another one.
  func refused(_ exchange: ExchangePointer, _ error: ResponseError) -> Int32 {
    exchange.pointee.response.reset()
    log.error(
      "\(app(exchange).name) gave a response head that is refused (\(error.sentence)) "
        + "for \(exchange.pointee.requestLine)")
    return error == .tooLarge ? NSGI_TOOBIG.rawValue : NSGI_MISUSE.rawValue
  }

  /// write(): the first piece is held back, because a response that ends after it gets a Content-Length;
  /// the second one, or a flush, commits the head. With a declared length nothing is held.
  @inline(__always)
  func write(_ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer) -> Int32 {
    switch exchange.pointee.phase {
    case .called:
      guard exchange.pointee.response.status != 0 else { return unstarted(exchange) }
      guard hasSpace(exchange) else { return NSGI_AGAIN.rawValue }
      if bytes.count == 0 { return NSGI_OK.rawValue }
      let holds = !exchange.pointee.isHeld && exchange.pointee.response.contentLength < 0
      if holds, bytes.count <= BlockPool.blockBytes {
        exchange.pointee.held.append(bytes)
        exchange.pointee.isHeld = true
        return NSGI_OK.rawValue
      }
      commitHeld(exchange)
      return encodeBody(exchange, bytes)
    case .responding:
      guard hasSpace(exchange) else { return NSGI_AGAIN.rawValue }
      return encodeBody(exchange, bytes)
    case .finished, .free, .reading: return outOfOrder(exchange)
    case .gone: return NSGI_GONE.rawValue
    }
  }

  private func unstarted(_ exchange: ExchangePointer) -> Int32 {
    log.error("\(app(exchange).name) wrote before it started a response: \(exchange.pointee.requestLine)")
    return NSGI_MISUSE.rawValue
  }

  /// An app that never waits gets NSGI_AGAIN instead of a place in a full output.
  func hasSpace(_ exchange: ExchangePointer) -> Bool {
    guard exchange.pointee.neverWaits else { return true }
    let outlet = exchange.pointee.outlet
    guard outlet.pointee.waiting >= limits.responseBufferBytes else { return true }
    pushOutBeside(exchange)
    return outlet.pointee.waiting < limits.responseBufferBytes
  }

  /// read(): > 0 bytes, 0 at the end, < 0 an nsgi_result. What is there of the body is there whoever has
  /// left.
  func read(_ exchange: ExchangePointer, _ buffer: UnsafeMutableRawPointer?, _ capacity: Int) -> Int64 {
    guard let buffer, capacity > 0 else { return capacity == 0 ? 0 : Int64(NSGI_MISUSE.rawValue) }
    if exchange.pointee.stream.isOpen { return readStream(exchange, buffer, capacity) }
    return readWhole(exchange, buffer, capacity)
  }

  /// Takes bytes of a body that is all there.
  func readWhole(_ exchange: ExchangePointer, _ buffer: UnsafeMutableRawPointer, _ capacity: Int) -> Int64 {
    do { return Int64(try exchange.pointee.body.read(buffer, capacity)) } catch {
      log.error("request body cannot be read: \(error)")
      return Int64(NSGI_IO.rawValue)
    }
  }

  /// body(): the whole body, lent.
  func whole(_ exchange: ExchangePointer) -> BodyResult {
    exchange.pointee.stream.isOpen ? wholeStream(exchange) : wholeBody(exchange)
  }

  /// The body in one piece, once it is all there.
  func wholeBody(_ exchange: ExchangePointer) -> BodyResult {
    do { return .success(try exchange.pointee.body.whole()) } catch {
      log.error("request body cannot be read: \(error)")
      return .failure(NSGI_IO.rawValue)
    }
  }

  func outOfOrder(_ exchange: ExchangePointer) -> Int32 {
    if exchange.pointee.phase == .gone { return NSGI_GONE.rawValue }
    log.error(
      "\(app(exchange).name) went on after its response was complete: \(exchange.pointee.requestLine)")
    return NSGI_MISUSE.rawValue
  }
}

extension ResponseError {
  /// What is wrong, for the app's author.
  var sentence: String {
    switch self {
    case .invalidStatus: "the status is not a number from 200 to 599 and a reason without control characters"
    case .invalidName: "a field name is not a token"
    case .invalidValue: "a field value holds a control character such as CR or LF"
    case .reservedName: "a field belongs to the connection and is the server's to send"
    case .invalidLength: "Content-Length is not one number"
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
