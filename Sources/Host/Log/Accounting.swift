import Control

/// What remains of an answer: a line of the request log, and the numbers on the scoreboard.
extension Worker {
  /// A response is encoded.
  @inline(__always)
  func account(_ exchange: ExchangePointer) {
    if board != nil || requestLines.access.isEnabled { account(exchange, at: System.now()) }
  }

  /// The same, at an already known time in monotonic nanoseconds.
  @inline(never)
  func account(_ exchange: ExchangePointer, at now: UInt64) {
    if exchange.socketCall != .none { return }
    let isLogged = requestLines.access.isEnabled && exchange.routing?.isSilent != true
    if isLogged { requestLines.access.add(exchange, now: now) }
    guard let board else { return }
    let began = exchange.began
    board.count(
      app: exchange.calls?.place, gateway: Int(exchange.connection.gateway.rawValue),
      status: exchange.response.status, received: exchange.received, sent: exchange.written,
      microseconds: began == 0 || now < began ? 0 : (now - began) / 1000)
  }
}
