import Wire

/// Bodies whose length nobody announced, and that only the end of their connection or of their records
/// ends. A front end takes an early end for the true one, and passes half a page on as a whole, to its
/// cache too. So on TCP every close from the head of such a body to its end is a reset, whoever closes:
/// also the kernel, for a worker that has crashed. What each front end heeds says docs/PROTOCOLS.md.
extension Worker {
  /// The head of a response has been encoded: does its body need that care?
  func guardBody(_ exchange: ExchangePointer) {
    let plan = exchange.pointee.plan
    let connection = exchange.pointee.connection
    guard plan.hasBody, connection.pointee.gateway != .cgi else { return }
    switch plan.framing {
    case .untilClose: break
    case .records where plan.contentLength < 0: break
    case .none, .length, .chunked, .records: return
    }
    exchange.pointee.outlet.pointee.resets = true
    System.setReset(connection.pointee.fd, true)
  }

  /// The exchange is over: was its body cut off?
  func judgeBody(_ outlet: OutletPointer, isCut: Bool) {
    if outlet.pointee.resets, isCut { outlet.pointee.isCut = true }
  }

  /// All of a guarded body was sent, and its exchange is over: the connection ends like any other.
  func releaseBody(_ connection: ConnectionPointer) {
    let outlet = connection.pointee.outlet
    guard connection.pointee.exchange == nil, !outlet.pointee.isCut else { return }
    outlet.pointee.resets = false
    System.setReset(connection.pointee.fd, false)
  }
}
