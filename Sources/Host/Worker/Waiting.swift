import CNSGI
import Wire

/// Output that a client does not take yet: up to a bound it waits in memory, then the app waits, or a file
/// takes the rest.
extension Worker {
  /// Keeps the output of a streaming app bounded: sends, and when the client takes nothing and the bound
  /// is reached, leaves the loop to another thread and waits, up to the write timeout.
  @inline(__always)
  func takeStock(_ exchange: ExchangePointer) -> Int32 {
    if exchange.outlet.output.count < 4 * BlockPool.blockBytes, !exchange.isDetached {
      return NSGI_OK.rawValue
    }
    return pushOut(exchange, toTheEnd: false)
  }

  /// Keeps the output of a whole answer bounded: spools what is too much for memory, so that the app is done
  /// with it and no thread has to wait.
  @inline(__always)
  func takeStockOfWhole(_ exchange: ExchangePointer) -> Int32 {
    exchange.outlet.output.count <= limits.responseBufferBytes
      ? NSGI_OK.rawValue : spillOutput(exchange)
  }

  /// Moves the output to a file. Without room the call waits for its client; one that never waits is cut.
  private func spillOutput(_ exchange: ExchangePointer) -> Int32 {
    let waits = !exchange.neverWaits
    // Writing to a disk may take its time.
    if waits { Access.leaveLoop(exchange) }
    do {
      try exchange.outlet.pointee.spill(spools)
      return NSGI_OK.rawValue
    } catch {
      if spools.mayComplain(System.now()) { log.error("answers cannot be spooled: \(error)") }
      if waits { return pushOut(exchange, toTheEnd: false) }
      lost(exchange)
      return NSGI_IO.rawValue
    }
  }

  /// Sends waiting output; the rest stays until there is too much of it, or has to leave now if `toTheEnd`.
  func pushOut(_ exchange: ExchangePointer, toTheEnd: Bool) -> Int32 {
    let outlet = exchange.outlet
    let bound = toTheEnd ? 0 : limits.responseBufferBytes
    exchange.isUnderway = true
    if outlet.isStream, !exchange.isDetached { pushOutNow(exchange) }
    while outlet.hasOutput {
      do {
        try send(outlet, exchange.connection.fd)
      } catch {
        guard error.wouldBlock else {
          lost(exchange)
          return NSGI_GONE.rawValue
        }
        if exchange.neverWaits { return keepWaiting(exchange) }
        if outlet.waiting <= bound {
          if exchange.isDetached { inbox.post(.wantsOutput(exchange)) }
          return NSGI_OK.rawValue
        }
        let waited = awaitSocket(exchange)
        guard waited == NSGI_OK.rawValue else { return waited }
      }
    }
    outlet.settle()
    return NSGI_OK.rawValue
  }

  /// The output of an app that never waits: it stays where it is, in a file if it is too much for memory.
  private func keepWaiting(_ exchange: ExchangePointer) -> Int32 {
    if exchange.isDetached { inbox.post(.wantsOutput(exchange)) }
    return takeStockOfWhole(exchange)
  }

  /// Leaves the loop to another thread and waits until the socket takes bytes, as long as its client takes
  /// them at all, and fast enough.
  func awaitSocket(_ exchange: ExchangePointer) -> Int32 {
    let (fd, outlet) = (exchange.connection.fd, exchange.outlet)
    if outlet.isStream { return awaitStream(exchange) }
    Access.leaveLoop(exchange)
    let id = exchange.id
    var more = clientKeepsPace(outlet, fd, at: System.now()) ? Worker.keepsPermitSeconds : nil
    while let seconds = more {
      exchange.lock.unlock()
      let isReady = (try? System.waitWritable(fd, milliseconds: Int32(seconds * 1000) + 1)) ?? false
      exchange.lock.lock()
      // Another thread of the app may have ended it meanwhile: the record then belongs to someone else.
      guard exchange.id == id else { return NSGI_GONE.rawValue }
      if isReady || exchange.isOver { break }
      offerPermit(exchange)
      more = secondsMore(outlet, fd, at: System.now())
    }
    regainPermit(exchange)
    if more != nil, !exchange.isOver { return NSGI_OK.rawValue }
    lost(exchange)
    return more != nil ? NSGI_GONE.rawValue : NSGI_TIMEOUT.rawValue
  }
}
