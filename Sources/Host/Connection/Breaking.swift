import Wire

/// Bodies whose length nobody announced, and that only the end of their connection or of their records
/// ends. A front end takes an early end for the true one, and passes half a page on as a whole, to its
/// cache too. So every close from the head of such a body to its end is a reset, whoever closes: also the
/// kernel, for a worker that has crashed. (Unix sockets: KeptInput.swift.) What each front end heeds says
/// docs/PROTOCOLS.md.
extension Worker {
  /// The head of a response has been encoded: does its body need that care?
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
    // Where no reset is to be had, what no front end takes for a part of an answer breaks it off.
    if !isTCP(connection), connection.kept == 0 {
      ResponseEncoder.breakOff(plan.framing, into: &outlet.output)
    }
  }

  /// What there is of a body that was cut is sent. The kernel tells of a reset once: to a front end that is
  /// about to read those bytes it may be lost with them, so they come first, and alone.
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
