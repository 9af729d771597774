import Wire

/// Answers that the server itself gives: refusals, failures, and answers to messages that are not requests.
extension Worker {
  /// A codec refused the bytes: answers in kind, or in HTTP if HTTP was spoken to a gateway socket.
  func refuse(_ connection: ConnectionPointer, _ error: CodecError) {
    if let spoken = error.spoken { connection.gateway = spoken }
    refuse(connection, error.status, error.description)
  }

  /// Answers a request that no app will see, and closes. `limit` is the one that it is above, if another than
  /// the status tells.
  func refuse(
    _ connection: ConnectionPointer, _ status: Int, _ sentence: String, _ limit: RefusalLimit? = nil
  ) {
    guard let exchange = connection.exchange else { return close(connection) }
    tellOfRefusal(connection, status, sentence, limit ?? RefusalLimit(status))
    answerLast(connection, exchange) {
      exchange.next(.served)
      answer(exchange, status, sentence)
      account(exchange)
    }
  }

  /// Answers a request whose rest nobody reads, and closes.
  func answerLast(_ connection: ConnectionPointer, _ exchange: ExchangePointer, _ answer: () -> Void) {
    expect(connection, 0)
    exchange.head.persists = false
    answer()
    give(exchange)
    connection.expectsNoMore = false
    endWithOutput(connection)
  }

  /// A plain-text answer with the status and one sentence; `lines` are further ones of its head, each ending
  /// with CR and LF.
  func answer(_ exchange: ExchangePointer, _ status: Int, _ sentence: String, lines: String = "") {
    try? exchange.response.begin(status: status)
    if let page = ownAnswers.pages[status] { return answer(exchange, status, page, lines) }
    exchange.response.add("Content-Type", "text/plain; charset=utf-8")
    if status == 503 { exchange.response.add("Retry-After", "1") }
    if !lines.isEmpty { add(exchange, lines) }
    var text = ByteBuffer()
    text.append(decimal: Int64(status))
    text.append(0x20)
    text.append(StatusPhrase.of(status))
    text.append(": ")
    text.append(string: sentence)
    text.append("\n")
    encodeWhole(exchange, text.bytes)
  }

  /// The same with a page from the operator.
  private func answer(_ exchange: ExchangePointer, _ status: Int, _ page: ErrorPages.Page, _ lines: String) {
    add(exchange, "Content-Type: \(page.typeField)\r\n")
    if status == 503 { exchange.response.add("Retry-After", "1") }
    if !lines.isEmpty { add(exchange, lines) }
    page.content.withUnsafeBytes { encodeWhole(exchange, $0) }
  }

  /// Answers a message that is not a request; false when the connection ends with it.
  func answered(_ connection: ConnectionPointer, _ answer: ControlAnswer) -> Bool {
    if case .fastCGIRefusal = answer {
      tellOfClose(connection, "a FastCGI request in another role than RESPONDER, or beside another one")
    }
    let outlet = connection.outlet
    blocks.fill(&outlet.output)
    guard encode(answer, outlet) else {
      // A peer that takes none of them is not listened to either.
      if outlet.output.count > BlockPool.blockBytes { flush(connection) }
      return true
    }
    // A refused FastCGI request is still on its way; a ping is complete.
    if case .uwsgiPong = answer { connection.expectsNoMore = true }
    endWithOutput(connection)
    return false
  }

  /// Owner of the outlet: writes such an answer; true when the connection ends with it.
  func encode(_ answer: ControlAnswer, _ outlet: OutletPointer) -> Bool {
    ResponseEncoder.answer(answer, connections: limits.connections, into: &outlet.output)
  }
}
