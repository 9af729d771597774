import CNSGI
import Wire

/// What an app's start and write mean, whichever form it has.
extension Worker {
  /// start(): takes a response head; repeatable while nothing was sent.
  @inline(__always)
  func begin(
    _ exchange: ExchangePointer, _ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int
  ) -> Int32 {
    guard exchange.pointee.phase == .called, !exchange.pointee.isHeld else { return outOfOrder(exchange) }
    do throws(ResponseError) {
      guard status >= 200 else { throw ResponseError.invalidStatus }
      try exchange.pointee.response.begin(status: Int(status))
      for index in 0..<count {
        guard let fields else { throw ResponseError.invalidName }
        try exchange.pointee.response.add(name: fields[index].name.bytes, value: fields[index].value.bytes)
      }
    } catch {
      return refused(exchange, error)
    }
    return NSGI_OK.rawValue
  }

  /// The head is not taken; the app may start another one.
  func refused(_ exchange: ExchangePointer, _ error: ResponseError) -> Int32 {
    exchange.pointee.response.reset()
    log.error(
      "\(mounts[exchange.pointee.mount].name) gave a response head that is refused (\(error.sentence)) "
        + "for \(exchange.pointee.requestLine)")
    return error == .tooLarge ? NSGI_TOOBIG.rawValue : NSGI_MISUSE.rawValue
  }

  /// write(): the first piece is held back, because a response that ends after it gets a Content-Length; the
  /// second one, or a flush, commits the head. With a declared length nothing is held.
  @inline(__always)
  func write(_ exchange: ExchangePointer, _ bytes: UnsafeRawBufferPointer) -> Int32 {
    switch exchange.pointee.phase {
    case .called:
      guard exchange.pointee.response.status != 0 else { return NSGI_MISUSE.rawValue }
      if bytes.count == 0 { return NSGI_OK.rawValue }
      let holds = !exchange.pointee.isHeld && exchange.pointee.response.contentLength < 0
      if holds, bytes.count <= BlockPool.blockBytes {
        exchange.pointee.held.append(bytes)
        exchange.pointee.isHeld = true
        return NSGI_OK.rawValue
      }
      commitHeld(exchange)
      return encodeBody(exchange, bytes)
    case .responding: return encodeBody(exchange, bytes)
    case .finished, .free, .reading: return outOfOrder(exchange)
    case .gone: return NSGI_GONE.rawValue
    }
  }

  private func outOfOrder(_ exchange: ExchangePointer) -> Int32 {
    switch exchange.pointee.phase {
    case .gone: NSGI_GONE.rawValue
    default: NSGI_MISUSE.rawValue
    }
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
    case .tooLarge: "the head is too large"
    }
  }
}
