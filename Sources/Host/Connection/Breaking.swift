import Wire

/// Bodies whose length nobody announced, and that only the end of their connection or of their records ends.
/// A front end takes an early end for the true one, and passes half a page on as a whole, even to its cache.
/// So every close from the head of such a body to its end is a reset, whoever closes: even the kernel, for a
/// worker that has crashed. (Unix sockets: KeptInput.swift.) docs/PROTOCOLS.md says what each front end
/// notices.
extension Worker {
  /// The head of a response has been encoded: does its body need this protection?
  func guardBody(_ exchange: ExchangePointer) {
    let connection = exchange.connection
    guard exchange.plan.isUnannounced, connection.gateway.hasSocket else { return }
    exchange.outlet.resets = true
    System.setReset(connection.fd, true)
  }

  /// The exchange is over, and its body was cut off.
  func judgeBody(_ connection: ConnectionPointer, _ plan: ResponsePlan) {
    let outlet = connection.outlet
    let gateway = connection.gateway
    guard plan.hasBody, gateway.hasSocket, !outlet.isStream else { return }
    outlet.isCut = outlet.resets || !gateway.heedsLengths || plan.framing == .chunked
    if !gateway.heedsLengths, !outlet.resets {
      outlet.resets = true
      System.setReset(connection.fd, true)
    }
    guard outlet.resets else { return }
    // If no reset is possible, breaks the answer off with bytes that no front end takes for a part of it.
    if !isTCP(connection), connection.kept == 0 {
      ResponseEncoder.breakOff(plan.framing, into: &outlet.output)
    }
  }

  /// Sends what there is of a body that was cut. The kernel reports a reset once: to a front end that is
  /// about to read those bytes it may be lost with them, so they go first, and alone.
  func resetSoon(_ connection: ConnectionPointer) {
    connection.next(.lastAnswer)
    setInterest(connection, [])
    setTimeout(connection, .reset)
  }

  /// All of a guarded body was sent, and its exchange is over: the connection ends like any other.
  func releaseBody(_ connection: ConnectionPointer) {
    let outlet = connection.outlet
    guard connection.exchange == nil, !outlet.isCut else { return }
    outlet.resets = false
    System.setReset(connection.fd, false)
  }
}
