import Glibc
import Wire

/// Flush: from the output of a connection to its socket, and what the kernel watches meanwhile.
extension Worker {
  /// Sends what waits; bytes that the socket does not take now go when it can be written. Never closes: for a
  /// peer that is gone (`isLost`) there is nothing left to send.
  func flush(_ connection: ConnectionPointer) {
    let outlet = connection.outlet
    if outlet.isStream {
      flushStream(connection)
      return
    }
    // Sends the end of a connection together with the last bytes: FastCGI has no word for it, and a front end
    // that sees it later may send a request first.
    let isLast = connection.closesAfterOutput && outlet.file.left == 0
    let ends = isLast && !outlet.isCut
    // An acknowledgement between the two would push the last bytes out alone.
    if ends, !connection.expectsNoMore { System.cork(connection.fd) }
    do throws(SystemError) {
      let isEnd = connection.closesAfterOutput && !outlet.isCut
      try send(outlet, connection.fd, follows: ends, ends: isEnd, most: limits.fileBytesPerTurn)
    } catch {
      if error.wouldBlock, block(connection) { return }
      outlet.lose()
      // Still reads what came before, to an end that certainly comes.
      breakOff(connection)
      connection.exchange?.next(.unsendable)
      return
    }
    outlet.next(.drained)
    outlet.settle()
    blocks.empty(&outlet.output)
    if outlet.resets { releaseBody(connection) }
  }

  /// Owner of the outlet: sends what waits, in its order; EAGAIN when the socket takes no more, or when
  /// enough bytes of a file have gone that it is the turn of others.
  ///
  /// - Parameters:
  ///   - follows: something follows at once; these bytes need not leave alone.
  ///   - ends: the connection ends with it, as TLS has to say.
  @inline(__always)
  func send(
    _ outlet: OutletPointer, _ fd: Int32, follows: Bool = false, ends: Bool = false, most: Int64 = .max
  ) throws(SystemError) {
    if let carrier = outlet.carrier {
      return try sendSealed(outlet, carrier, fd, ends: ends, follows: follows, most: most)
    }
    // The leader moves it.
    if outlet.isStream { throw SystemError("send", EAGAIN) }
    if outlet.file.isSpool { try sendFile(fd, outlet, most: most) }
    while !outlet.output.isEmpty {
      outlet.took(
        try System.send(fd, outlet.output.base!, outlet.output.count, follows: follows))
    }
    if outlet.file.left > 0 {
      outlet.file.records == nil
        ? try sendFile(fd, outlet, most: most) : try sendRecords(fd, outlet, most: most)
    }
  }

  /// The socket is full: requests rest until it takes bytes again. False if its client takes them too slowly.
  private func block(_ connection: ConnectionPointer) -> Bool {
    let outlet = connection.outlet
    guard clientKeepsPace(outlet, connection.fd, at: now) else { return false }
    outlet.next(.filled)
    setInterest(connection, connection.interestWhenBlocked)
    switch connection.state {
    // A request with a deadline of its own keeps it.
    case .readingHead where connection.timeout == .head: break
    case .skipping where connection.timeout == .linger: break
    default: setTimeout(connection, .write)
    }
    return true
  }

  /// Owner of an exchange: its client is gone; sends nothing more to it.
  func lost(_ exchange: ExchangePointer) {
    exchange.outlet.lose()
    breakOff(exchange.connection)
    exchange.next(.unsendable)
  }

  /// Owner of an exchange: sends what the socket takes without waiting; the rest is sent when it takes more.
  func pushOutBeside(_ exchange: ExchangePointer) {
    let outlet = exchange.outlet
    exchange.isUnderway = true
    if outlet.isStream { return pushOutStream(exchange) }
    let fd = exchange.connection.fd
    do throws(SystemError) {
      try send(outlet, fd)
      outlet.settle()
    } catch {
      if error.wouldBlock, clientKeepsPace(outlet, fd, at: System.now()) { return }
      lost(exchange)
    }
  }

  /// Owner of an exchange: sends the end of its response, unless the connection may end with it without the
  /// client being told: then the leader sends both at once.
  func pushOutLast(_ exchange: ExchangePointer) {
    if exchange.socketCall != .none { return }
    if !exchange.plan.persists || !common.isStopping { pushOutBeside(exchange) }
  }

  @inline(never)
  private func sendFile(_ fd: Int32, _ outlet: OutletPointer, most: Int64) throws(SystemError) {
    var allowed = most
    while outlet.file.left > 0 {
      if allowed <= 0 { throw SystemError("sendfile", EAGAIN) }
      let count = try System.sendFile(
        fd, outlet.file.fd, &outlet.file.offset, Int(min(outlet.file.left, allowed, 1 << 30)))
      // The file became shorter than its head promised: the client has to see the answer cut.
      if count == 0 { throw SystemError("sendfile", EPIPE) }
      allowed -= Int64(count)
      outlet.file.left -= Int64(count)
      outlet.sent &+= Int64(count)
    }
    outlet.file.close()
  }

  /// The same in the records of the protocol, each read when the one before it has left.
  @inline(never)
  private func sendRecords(_ fd: Int32, _ outlet: OutletPointer, most: Int64) throws(SystemError) {
    var allowed = most
    while outlet.file.left > 0, let encoder = outlet.file.records {
      if allowed <= 0 { throw SystemError("send", EAGAIN) }
      let left = Int(min(outlet.file.left, Int64(Worker.recordBytes)))
      let count = encoder.open(left, .records, into: &outlet.output)
      outlet.output.reserve(count)
      var done = 0
      while done < count {
        let got = try System.read(
          outlet.file.fd, outlet.output.tail, count - done, at: outlet.file.offset)
        if got == 0 { throw SystemError("pread", EPIPE) }
        outlet.output.commit(got)
        outlet.file.offset += Int64(got)
        done += got
      }
      encoder.close(count, .records, into: &outlet.output)
      allowed -= Int64(count)
      outlet.file.left -= Int64(count)
      if outlet.file.left == 0 {
        encoder.end(.records, into: &outlet.output)
        outlet.file.close()
      }
      while !outlet.output.isEmpty {
        outlet.took(try System.send(fd, outlet.output.base!, outlet.output.count))
      }
    }
  }

  /// Bytes of a file in one record.
  private static let recordBytes = 32 * 1024

  /// The socket takes bytes again.
  func flushed(_ connection: ConnectionPointer) -> Turn {
    flush(connection)
    guard !connection.hasOutput else { return .goesOn }
    // A handshake that has sent everything.
    if connection.preface.contains(.tls) {
      setInterest(connection, .read)
      return .goesOn
    }
    if connection.isClosing {
      finish(connection)
      return .goesOn
    }
    setInterest(connection, .read)
    return decode(connection)
  }

  // MARK: What the kernel watches

  @inline(__always)
  func watchInput(_ connection: ConnectionPointer) {
    if connection.isWatched, connection.interest == .read { return }
    if !connection.outlet.isBlocked { setInterest(connection, .read) }
  }

  /// Waits for input, unless that is impossible, or a step of the handshake comes first.
  func watchOrClose(_ connection: ConnectionPointer) {
    let isOver = connection.isClosing && connection.state != .lingering
    if isOver, !connection.hasOutput, !connection.preface.contains(.handshake) { return close(connection) }
    if connection.isWatched, connection.interest == .read { return }
    if !connection.preface.contains(.handshake) { watchInput(connection) }
  }

  func setInterest(_ connection: ConnectionPointer, _ interest: Interest) {
    guard !connection.isWatched || connection.interest != interest else { return }
    if connection.isStream { return setStreamInterest(connection, interest) }
    if interest.contains(.read), connection.kept > 0 { takeKept(connection) }
    // A CGI program's standard output may be a file, which the kernel does not watch: it never waits either.
    if !connection.gateway.hasSocket, !interest.contains(.write) { return }
    switch connection.onRing {
    case .receiving, .leaving:
      connection.interest = interest
      return leaveRing(connection)
    case .no:
      let suits =
        interest == .read && !connection.isRegistered && !connection.keepsInput
      guard ring.isOpen, suits, !connection.prefersReactor else { break }
      connection.interest = interest
      connection.onRing = .receiving
      return ring.receive(connection.fd, connection.token)
    }
    do {
      if connection.isRegistered {
        try reactor.change(connection.fd, interest, connection.token)
      } else {
        try reactor.add(connection.fd, interest, connection.token)
      }
      connection.interest = interest
      connection.isRegistered = true
    } catch {
      // It has been broken off already.
      if connection.outlet.isLost { return unwatch(connection) }
      notWatched(connection, interest, error)
    }
  }
}
