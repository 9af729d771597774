import Config
import Glibc
import Wire

/// From a listening socket to a connection.
extension Worker {
  /// From now on the listener's connections come to this worker. By epoll, whatever else is on the ring: what
  /// a ring waits for it holds, for some time beyond the death of the process, and a restart could not bind.
  func watch(_ index: Int) throws(SystemError) {
    try reactor.add(listeners[index].fd, [.read, .exclusive], Token(.listener, slot: UInt32(index)))
  }

  /// Accepts what waits, and reads at once: the request is usually there already.
  func accept(_ index: Int) -> Turn {
    letOthersAccept(index)
    for _ in 0..<limits.acceptsPerTurn {
      if stopping != nil { return .goesOn }
      guard hasRoom else {
        leaveInBacklog(
          .full, "\(limits.connections) connections are open; raise --max-connections")
        return .goesOn
      }
      var peer = sockaddr_storage()
      let fd: Int32
      do {
        fd = try System.accept(listeners[index].fd, &peer)
      } catch {
        if mayAcceptNext(after: error) { continue }
        return .goesOn
      }
      if open(fd, index, peer) == .handedOff { return .handedOff }
    }
    return .goesOn
  }

  /// The kernel wakes the worker that has waited on the socket for the longest time since it came to it, and
  /// that one again and again: a worker that has had its share goes to the end of the line. So a new build's
  /// first worker is asked something while it is watched.
  private func letOthersAccept(_ index: Int) {
    guard supervisor != nil, acceptsLeft == 0, admission == .open else { return }
    acceptsLeft = Worker.acceptsInARow
    try? reactor.remove(listeners[index].fd)
    // What fails is tried again with the next tick.
    do { try watch(index) } catch { admission = .short }
  }

  /// The server stops: connections that the kernel has accepted already are still served; their requests
  /// are read in the loop.
  func acceptWaiting(_ index: Int) {
    var peer = sockaddr_storage()
    while hasRoom, let fd = try? System.accept(listeners[index].fd, &peer) {
      let connection = admit(fd, index, peer)
      // One that sends no request now does not hold up the end.
      setTimeout(connection, .linger)
      watchInput(connection)
    }
  }

  /// FastCGI §3.2: with FCGI_WEB_SERVER_ADDRS set, any other peer, and one that is not on TCP, is closed.
  func isWebServer(_ peer: PeerAddress) -> Bool {
    guard let webServers else { return true }
    guard let address = IPAddress(parsing: peer.text) else { return false }
    return webServers.contains(address)
  }

  private func open(_ fd: Int32, _ index: Int, _ peer: sockaddr_storage) -> Turn {
    guard listeners[index].gateway != .fastcgi || isWebServer(PeerAddress(peer)) else {
      System.close(fd)
      return .goesOn
    }
    return receive(admit(fd, index, peer))
  }

  private func admit(_ fd: Int32, _ index: Int, _ peer: sockaddr_storage) -> ConnectionPointer {
    if acceptsLeft > 0 { acceptsLeft -= 1 }
    let connection = connections.take()
    connection.pointee.fd = fd
    connection.pointee.listener = UInt16(index)
    connection.pointee.state = .idle
    connection.pointee.peer = PeerAddress(peer)
    connection.pointee.gateway = listeners[index].gateway
    connection.pointee.codec = listeners[index].codec
    connection.pointee.preface = preface(connection, index)
    if listeners[index].isTCP { try? System.set(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }
    setTimeout(connection, .head)
    return connection
  }

  private func preface(_ connection: ConnectionPointer, _ index: Int) -> Preface {
    var preface: Preface = listeners[index].isSniffed ? .sniff : []
    guard !settings.trustedProxies.isEmpty else { return preface }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: PeerAddress.textBytes) { text in
      let count = connection.pointee.peer.write(to: text.baseAddress!)
      if isTrusted(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(text)[..<count])) {
        preface.insert(.proxy)
      }
    }
    return preface
  }

  /// Closes the socket and gives everything back.
  func close(_ connection: ConnectionPointer) {
    if let exchange = connection.pointee.exchange { give(exchange) }
    timers.cancel(connection.pointee.slot, timer)
    blocks.empty(&connection.pointee.input)
    let outlet = connection.pointee.outlet
    blocks.empty(&outlet.pointee.output)
    outlet.pointee.file.close()
    outlet.pointee.isBlocked = false
    outlet.pointee.isLost = false
    outlet.pointee.pace = Pace()
    if connection.pointee.onRing != .no, ring.isOpen { endReceiving(connection) }
    outlet.pointee.resets = false
    outlet.pointee.isCut = false
    System.close(connection.pointee.fd)
    connection.pointee.fd = -1
    connection.pointee.state = .closed
    connection.pointee.generation &+= 1
    connection.pointee.interest = []
    connection.pointee.isRegistered = false
    connection.pointee.onRing = .no
    connection.pointee.prefersReactor = false
    connection.pointee.hasNews = false
    connection.pointee.hasEnded = false
    connection.pointee.isOutgoing = false
    connection.pointee.peerEnded = false
    connection.pointee.isPostponed = false
    connection.pointee.isDetached = false
    connection.pointee.streamsBody = false
    connection.pointee.closesAfterOutput = false
    connection.pointee.expectsNoMore = false
    connection.pointee.timeout = .none
    connection.pointee.deadline = 0
    connection.pointee.lowWater = 1
    connection.pointee.preface = []
    connections.give(connection.pointee.slot)
  }

  // MARK: Timeouts

  /// Sets the deadline of what the connection is doing now. A head that drips in keeps its first one.
  @inline(__always)
  func setTimeout(_ connection: ConnectionPointer, _ timeout: Connection.Timeout) {
    if timeout == .head, connection.pointee.timeout == .head { return }
    connection.pointee.timeout = timeout
    guard timeout != .none else {
      timers.cancel(connection.pointee.slot, timer)
      return
    }
    timers.set(connection.pointee.slot, TimerWheel.tick(now, seconds: seconds(timeout, connection)), timer)
  }

  private func seconds(_ timeout: Connection.Timeout, _ connection: ConnectionPointer) -> Double {
    switch timeout {
    case .none: 0
    case .head: limits.headerTimeoutSeconds
    case .body: bodySeconds(connection)
    case .write: shortestWriteSeconds
    case .keepAlive: limits.keepAliveTimeoutSeconds
    case .quiet: limits.quietSeconds
    case .linger: limits.lingerSeconds
    case .request: limits.requestTimeoutSeconds
    case .stuck: limits.cancelGraceSeconds
    }
  }

  func advanceTimers() {
    guard now >> TimerWheel.tickShift > timers.current else { return }
    if admission == .short { acceptAgain() }
    if refusals.held > 0 { tellOfHeldRefusals() }
    timers.advance(to: now, timer)
    if stopping != nil {
      drainWhenQuiet()
      endLingering()
    }
    relieve()
    while let slot = timers.nextExpired() { expired(connections.record(slot)) }
  }

  private func expired(_ connection: ConnectionPointer) {
    switch connection.pointee.timeout {
    case .request: deadlinePassed(connection)
    case .stuck: callIsStuck(connection)
    case .body: bodyIsLate(connection)
    case .write: outputIsLate(connection)
    case .head where connection.pointee.exchange != nil:
      refuse(connection, 408, "the request did not arrive in time")
    // A close would answer with a reset what has just come.
    case .quiet where hasInput(connection), .keepAlive where hasInput(connection): break
    case .quiet, .keepAlive: endIdle(connection)
    case .linger where connection.pointee.state == .skipping: endWithOutput(connection)
    default: close(connection)
    }
  }
}
