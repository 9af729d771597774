import Glibc
import Wire

/// Flush: from the output of a connection to its socket, and what the kernel watches meanwhile.
extension Worker {
  /// Sends what waits; what the socket does not take now goes when it can be written. Never closes: of a
  /// peer that is gone (`isLost`) there is nothing left to send.
  func flush(_ connection: ConnectionPointer) {
    let outlet = connection.pointee.outlet
    // The end of a connection comes with the last bytes: FastCGI has no word for it, and a front end that
    // sees it later may send a request first.
    let isLast = connection.pointee.closesAfterOutput && outlet.pointee.file.left == 0
    let ends = isLast && !outlet.pointee.isCut
    // An acknowledgement that comes between the two would push the last bytes out alone.
    if ends, !connection.pointee.expectsNoMore { System.cork(connection.pointee.fd) }
    do throws(SystemError) {
      try send(outlet, connection.pointee.fd, follows: ends)
    } catch {
      if error.wouldBlock, block(connection) { return }
      outlet.pointee.lose()
      // What came before is still read, to an end that comes for certain.
      System.shutdown(connection.pointee.fd)
      if let exchange = connection.pointee.exchange { exchange.pointee.phase = .gone }
      return
    }
    outlet.pointee.isBlocked = false
    outlet.pointee.settle()
    blocks.empty(&outlet.pointee.output)
    if outlet.pointee.resets { releaseBody(connection) }
  }

  /// Owner of the outlet: sends what waits, in its order; EAGAIN when the socket takes no more.
  func send(_ outlet: OutletPointer, _ fd: Int32, follows: Bool = false) throws(SystemError) {
    if outlet.pointee.file.isSpool { try sendFile(fd, outlet) }
    while !outlet.pointee.output.isEmpty {
      outlet.pointee.took(
        try System.send(fd, outlet.pointee.output.base!, outlet.pointee.output.count, follows: follows))
    }
    if outlet.pointee.file.left > 0 { try sendFile(fd, outlet) }
  }

  /// The socket is full: requests rest until it takes bytes again. False when its client takes them too
  /// slowly.
  private func block(_ connection: ConnectionPointer) -> Bool {
    let outlet = connection.pointee.outlet
    guard clientKeepsPace(outlet, connection.pointee.fd, at: now) else { return false }
    outlet.pointee.isBlocked = true
    setInterest(connection, interestInEnd(connection))
    switch connection.pointee.state {
    // What has its time as a whole keeps it.
    case .readingHead where connection.pointee.timeout == .head: break
    case .skipping where connection.pointee.timeout == .linger: break
    default: setTimeout(connection, .write)
    }
    return true
  }

  /// Owner of an exchange: its client is gone, nothing more is sent to it.
  func lost(_ exchange: ExchangePointer) {
    exchange.pointee.outlet.pointee.lose()
    System.shutdown(exchange.pointee.connection.pointee.fd)
    exchange.pointee.phase = .gone
  }

  /// Owner of an exchange: sends what the socket takes without waiting; the rest is sent when it takes more.
  func pushOutBeside(_ exchange: ExchangePointer) {
    let outlet = exchange.pointee.outlet
    exchange.pointee.isUnderway = true
    let fd = exchange.pointee.connection.pointee.fd
    do throws(SystemError) {
      try send(outlet, fd)
      outlet.pointee.settle()
    } catch {
      if error.wouldBlock, clientKeepsPace(outlet, fd, at: System.now()) { return }
      lost(exchange)
    }
  }

  /// Owner of an exchange: sends the end of its response, unless the connection may end with it and the
  /// client is not told: then the leader sends both at once.
  func pushOutLast(_ exchange: ExchangePointer) {
    if !exchange.pointee.plan.persists || !isStopping.load(ordering: .relaxed) { pushOutBeside(exchange) }
  }

  private func sendFile(_ fd: Int32, _ outlet: OutletPointer) throws(SystemError) {
    while outlet.pointee.file.left > 0 {
      let count = try System.sendFile(
        fd, outlet.pointee.file.fd, &outlet.pointee.file.offset, Int(min(outlet.pointee.file.left, 1 << 30)))
      // The file became shorter than its head promised: the client must see the answer cut.
      if count == 0 { throw SystemError("sendfile", EPIPE) }
      outlet.pointee.file.left -= Int64(count)
      outlet.pointee.sent &+= Int64(count)
    }
    outlet.pointee.file.close()
  }

  /// The socket takes bytes again.
  func flushed(_ connection: ConnectionPointer) -> Turn {
    flush(connection)
    guard !connection.pointee.hasOutput else { return .goesOn }
    if connection.pointee.isClosing {
      finish(connection)
      return .goesOn
    }
    setInterest(connection, .read)
    return decode(connection)
  }

  // MARK: What the kernel watches

  @inline(__always)
  func watchInput(_ connection: ConnectionPointer) {
    if connection.pointee.isWatched, connection.pointee.interest == .read { return }
    if !connection.pointee.outlet.pointee.isBlocked { setInterest(connection, .read) }
  }

  /// Waits for input, unless that cannot be.
  func watchOrClose(_ connection: ConnectionPointer) {
    let isOver = connection.pointee.isClosing && connection.pointee.state != .lingering
    if isOver, !connection.pointee.hasOutput { return close(connection) }
    watchInput(connection)
  }

  func setInterest(_ connection: ConnectionPointer, _ interest: Interest) {
    guard !connection.pointee.isWatched || connection.pointee.interest != interest else { return }
    // A CGI program's standard output may be a file, which the kernel does not watch: it never waits either.
    if connection.pointee.gateway == .cgi, !interest.contains(.write) { return }
    switch connection.pointee.onRing {
    case .receiving, .leaving:
      connection.pointee.interest = interest
      return leaveRing(connection)
    case .no:
      let suits = interest == .read && !connection.pointee.isRegistered
      guard ring.isOpen, suits, !connection.pointee.prefersReactor else { break }
      connection.pointee.interest = interest
      connection.pointee.onRing = .receiving
      return ring.receive(connection.pointee.fd, connection.pointee.token)
    }
    do {
      if connection.pointee.isRegistered {
        try reactor.change(connection.pointee.fd, interest, connection.pointee.token)
      } else {
        try reactor.add(connection.pointee.fd, interest, connection.pointee.token)
      }
      connection.pointee.interest = interest
      connection.pointee.isRegistered = true
    } catch {
      log.error("a connection cannot be watched: \(error)")
      connection.pointee.closesAfterOutput = true
    }
  }
}
