import Wire

/// Answers that the server itself gives: refusals, failures, and what is no request at all.
extension Worker {
  /// A codec refused the bytes: answer in kind, or in HTTP when HTTP was spoken to a gateway socket.
  func refuse(_ connection: ConnectionPointer, _ error: CodecError) {
    if let spoken = error.spoken { connection.pointee.gateway = spoken }
    refuse(connection, error.status, error.description)
  }

  /// Answers a request that no app will see, and closes.
  func refuse(_ connection: ConnectionPointer, _ status: Int, _ sentence: String) {
    guard let exchange = connection.pointee.exchange else { return close(connection) }
    tellOfRefusal(connection, status, sentence)
    expect(connection, 0)
    exchange.pointee.head.persists = false
    exchange.pointee.phase = .called
    answer(exchange, status, sentence)
    if accessLog.isEnabled { accessLog.add(exchange, now: System.now()) }
    give(exchange)
    connection.pointee.expectsNoMore = false
    endWithOutput(connection)
  }

  /// A plain-text answer with the status and one sentence.
  func answer(_ exchange: ExchangePointer, _ status: Int, _ sentence: String) {
    try? exchange.pointee.response.begin(status: status)
    exchange.pointee.response.add("Content-Type", "text/plain; charset=utf-8")
    if status == 503 { exchange.pointee.response.add("Retry-After", "1") }
    var text = ByteBuffer()
    text.append(decimal: Int64(status))
    text.append(0x20)
    text.append(StatusPhrase.of(status))
    text.append(": ")
    text.append(string: sentence)
    text.append("\n")
    encodeWhole(exchange, text.bytes)
  }

  /// Answers a message that is no request; false when the connection ends with it.
  func answered(_ connection: ConnectionPointer, _ answer: ControlAnswer) -> Bool {
    if case .fastCGIRefusal = answer {
      tellOfClose(connection, "a FastCGI request in another role than RESPONDER, or beside another one")
    }
    let outlet = connection.pointee.outlet
    blocks.fill(&outlet.pointee.output)
    guard encode(answer, outlet) else {
      // Who takes none of them is not listened to either.
      if outlet.pointee.output.count > BlockPool.blockBytes { flush(connection) }
      return true
    }
    // A refused FastCGI request is still on its way; a ping is all there is.
    if case .uwsgiPong = answer { connection.pointee.expectsNoMore = true }
    endWithOutput(connection)
    return false
  }

  /// Owner of the outlet: writes such an answer; true when the connection ends with it.
  func encode(_ answer: ControlAnswer, _ outlet: OutletPointer) -> Bool {
    var closes = false
    switch answer {
    case .uwsgiPong:
      UWSGIResponseWriter.pong(into: &outlet.pointee.output)
      closes = true
    case .fastCGIRefusal(_, _, let ends): closes = ends
    case .fastCGIValues, .fastCGIUnknownType: break
    }
    FastCGIResponseWriter.answer(
      answer, maxConnections: limits.connections, maxRequests: limits.connections,
      into: &outlet.pointee.output)
    return closes
  }
}
