import Config
import Glibc
import Wire

/// From a listening socket to a connection.
extension Worker {
  static let acceptsInARow = 16

  /// From now on this worker takes the listener's connections. By epoll, whatever else is on the ring: what a
  /// ring waits for stays held for some time after the process has died, and a restart could not bind.
  func watch(_ index: Int) throws(SystemError) {
    try reactor.add(listeners[index].fd, [.read, .exclusive], Token(.listener, slot: UInt32(index)))
  }

  /// Accepts the waiting connections, and reads at once: the request is usually there already.
  func accept(_ index: Int) -> Turn {
    // An event from before the stop: the socket is closed, and its number may be a connection's by now.
    guard !departure.isUnderWay else { return .goesOn }
    letOthersAccept(index)
    for _ in 0..<limits.acceptsPerTurn {
      if departure.isUnderWay { return .goesOn }
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
  /// the same one again and again: a worker that has had its share goes to the end of the line. So a new
  /// build's first worker gets requests while it is watched.
  private func letOthersAccept(_ index: Int) {
    guard supervisor != nil, acceptor.left == 0, acceptor.admission == .open else { return }
    acceptor.left = Worker.acceptsInARow
    try? reactor.remove(listeners[index].fd)
    // A failed accept is tried again with the next tick.
    do { try watch(index) } catch { acceptor.admission = .short }
  }

  /// The server stops: connections that the kernel has accepted already are still served; their requests are
  /// read in the loop.
  func acceptWaiting(_ index: Int) {
    while hasRoom {
      var peer = sockaddr_storage()
      let fd: Int32
      do throws(SystemError) { fd = try System.accept(listeners[index].fd, &peer) } catch {
        if error.isOfOneConnection { continue }
        return
      }
      let connection = admit(fd, index, peer)
      // A connection that sends no request now does not hold up the end.
      setTimeout(connection, .linger)
      watchInput(connection)
    }
  }

  /// FastCGI §3.2: with FCGI_WEB_SERVER_ADDRS set, any other peer, and one that is not on TCP, is closed.
  func isWebServer(_ peer: PeerAddress) -> Bool {
    guard let webServers = acceptor.webServers else { return true }
    guard let address = IPAddress(parsing: peer.text) else { return false }
    return webServers.contains(address)
  }

  /// A connection comes by the link to the master, as in a worker that requests are replayed to: it is served
  /// like one of the first listener. `descriptor` stays the caller's.
  func attend(_ descriptor: Int32) {
    guard descriptor >= 0, !listeners.isEmpty, hasRoom, !departure.isUnderWay,
      let fd = try? System.duplicate(descriptor)
    else { return }
    var peer = sockaddr_storage()
    peer.ss_family = sa_family_t(AF_UNIX)
    watchInput(admit(fd, 0, peer))
  }

  private func open(_ fd: Int32, _ index: Int, _ peer: sockaddr_storage) -> Turn {
    guard !listeners[index].gateway.limitsWebServers || isWebServer(PeerAddress(peer)) else {
      System.close(fd)
      return .goesOn
    }
    return receive(admit(fd, index, peer))
  }

  private func admit(_ fd: Int32, _ index: Int, _ peer: sockaddr_storage) -> ConnectionPointer {
    if acceptor.left > 0 { acceptor.left -= 1 }
    let connection = connections.take()
    connection.fd = fd
    connection.listener = UInt16(index)
    connection.next(.opened)
    connection.peer = Int32(peer.ss_family) == AF_UNIX ? .local : PeerAddress(peer)
    connection.gateway = listeners[index].gateway
    connection.codec = listeners[index].codec
    connection.preface = preface(connection, index)
    if listeners[index].isTCP {
      try? System.set(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    } else {
      connection.keepsInput = true
    }
    if let place = listeners[index].securely { beginSealed(connection, place) }
    setTimeout(connection, .head)
    return connection
  }

  private func preface(_ connection: ConnectionPointer, _ index: Int) -> Preface {
    var preface: Preface = listeners[index].isSniffed ? .sniff : []
    if listeners[index].mayBeHTTP2, settings.http2 { preface.insert(.http2) }
    guard !settings.trustedProxies.isEmpty else { return preface }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: PeerAddress.textBytes) { text in
      let count = connection.peer.write(to: text.baseAddress!)
      if isTrusted(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(text)[..<count])) {
        preface.insert(.proxy)
      }
    }
    return preface
  }
}
