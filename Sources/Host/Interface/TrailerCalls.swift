import CNSGI
import Wire

/// What minor 1 of nsgi.h adds to responses: interim ones, and fields behind the body.
extension Worker {
  /// Statuses of interim responses that apps may send: 100 and 101 are the server's.
  private static let interimStatuses: ClosedRange<Int32> = 102...199

  /// interim(): a response before the final one (RFC 9110 §15.2); leaves at once, and waits like flush().
  func interim(
    _ exchange: ExchangePointer, _ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int
  ) -> Int32 {
    guard exchange.allows(.interim) else { return outOfOrder(exchange, .interim) }
    var head = ResponseHead(limit: limits.responseHeadBytes)
    do throws(ResponseError) {
      guard Worker.interimStatuses.contains(status) else { throw ResponseError.invalidStatus }
      try head.begin(status: Int(status))
      for index in 0..<count {
        guard let fields else { throw ResponseError.invalidName }
        try head.add(name: fields[index].name.bytes, value: fields[index].value.bytes)
      }
      // There is no content that it could describe (RFC 9110 §8.6).
      guard head.contentLength < 0, !head.hasSendfile else { throw ResponseError.reservedName }
    } catch {
      return refusedFields(exchange, "an interim response", error)
    }
    guard exchange.head.takesInterim else { return NSGI_OK.rawValue }
    guard hasSpace(exchange) else { return NSGI_AGAIN.rawValue }
    fillOutput(exchange)
    let outlet = exchange.outlet
    exchange.encoder.interim(Int(status), fields: head.fields.bytes, into: &outlet.output)
    return pushOut(exchange, toTheEnd: false)
  }

  /// trailers(): the end of a response, with fields behind its body where there is a place for them.
  func trailers(
    _ exchange: ExchangePointer, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int
  ) -> Int32 {
    guard exchange.allows(.trailers) else { return outOfOrder(exchange, .trailers) }
    var section = TrailerSection(limit: limits.responseHeadBytes)
    do throws(ResponseError) {
      for index in 0..<count {
        guard let fields else { throw ResponseError.invalidName }
        try section.add(name: fields[index].name.bytes, value: fields[index].value.bytes)
      }
    } catch {
      return refusedFields(exchange, "trailers", error)
    }
    guard !lacksBody(exchange) else {
      log.error(
        "\(app(exchange).name) gave trailers before all bytes of its Content-Length: \(exchange.requestLine)")
      return NSGI_MISUSE.rawValue
    }
    if exchange.phase == .called {
      let isSent = exchange.pointee.takesTrailers && !section.lines.isEmpty && !isBodiless(exchange)
      if isSent { exchange.encoder.announce(section, in: &exchange.response) }
      // Without trailers the length of the body is known.
      encodeHead(exchange, knownLength: isSent ? -1 : Int64(exchange.held.count))
      encodeHeld(exchange)
    }
    end(exchange, section)
    if exchange.isDetached { pushOutLast(exchange) }
    return exchange.phase == .gone ? NSGI_GONE.rawValue : NSGI_OK.rawValue
  }

  /// The announced length is more than what was written of a body that is sent.
  private func lacksBody(_ exchange: ExchangePointer) -> Bool {
    guard exchange.phase == .called else {
      return exchange.plan.hasBody && !exchange.sendsFile && exchange.plan.contentLength > exchange.written
    }
    // X-Sendfile: the file has a length of its own.
    guard !isBodiless(exchange), !exchange.response.hasSendfile else { return false }
    return exchange.response.contentLength > Int64(exchange.held.count)
  }

  /// The head that was started is that of a response without a body (RFC 9110 §6.4.1).
  private func isBodiless(_ exchange: ExchangePointer) -> Bool {
    let status = exchange.response.status
    return exchange.isHead || status == 204 || status == 205 || status == 304
  }

  private func end(_ exchange: ExchangePointer, _ section: borrowing TrailerSection) {
    let plan = exchange.plan
    guard exchange.phase == .responding, plan.hasBody, plan.framing.takesTrailers, !exchange.sendsFile,
      exchange.pointee.takesTrailers, !section.lines.isEmpty
    else { return endBody(exchange) }
    exchange.next(.answerEncoded)
    fillOutput(exchange)
    let outlet = exchange.outlet
    exchange.encoder.end(plan.framing, section, into: &outlet.output)
  }

  /// A status or fields are refused, and nothing of them is sent; returns the result code.
  private func refusedFields(_ exchange: ExchangePointer, _ what: String, _ error: ResponseError) -> Int32 {
    let sentence = error == .invalidStatus ? "its status is not a number from 102 to 199" : error.sentence
    log.error("\(app(exchange).name) gave \(what), refused (\(sentence)) for \(exchange.requestLine)")
    return error == .tooLarge ? NSGI_TOOBIG.rawValue : NSGI_MISUSE.rawValue
  }
}
