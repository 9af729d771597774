import CNSGI
import Glibc

/// Whether a peer keeps up a minimum speed. It begins with a reserve of some seconds; waiting for it uses
/// them up, and each byte that moves brings its share back, never beyond the initial reserve. So a peer may
/// pause, and may be slow for a while, but cannot survive on an occasional byte.
struct Pace {
  /// Monotonic nanoseconds of the last sign of life; 0 while nobody waits for the peer.
  private(set) var since: UInt64 = 0
  /// It has been waited for before.
  private(set) var isBegun = false
  /// Seconds in reserve; below 0 the peer is too slow.
  private(set) var left = 0.0
  /// Bytes that had moved at `since`.
  private var moved: Int64 = 0

  /// The required speed.
  struct Floor {
    /// Bytes a second; 0 for any speed.
    let rate: Int
    /// Seconds in reserve at the beginning.
    let grace: Double
  }

  /// Notes that the peer is waited for, and that `total` bytes have moved since the beginning.
  ///
  /// - Returns: whether it is fast enough.
  mutating func goesOn(at now: UInt64, total: Int64, _ floor: Floor) -> Bool {
    guard isBegun, since > 0 else {
      if !isBegun { left = floor.grace }
      (isBegun, since, moved) = (true, now, total)
      return true
    }
    let spent = Pace.seconds(from: since, to: now)
    // A socket's figures include the kernel's own share: a total may go back for a while.
    let gain = max(0, total - moved)
    let gained = floor.rate > 0 ? Double(gain) / Double(floor.rate) : floor.grace + spent
    left = min(floor.grace, left - spent + gained)
    (since, moved) = (max(since, now), max(moved, total))
    return left >= 0
  }

  /// The leader's time is that of the beginning of its turn, and may be earlier than one that a thread beside
  /// the loop has read.
  static func seconds(from since: UInt64, to now: UInt64) -> Double {
    now > since ? Double(now - since) / 1e9 : 0
  }

  /// `total` bytes have moved by now, more than at the last look.
  func hasMoved(_ total: Int64) -> Bool { total > moved }

  /// Nobody waits for the peer any more, until the wait goes on.
  mutating func rests() { since = 0 }

  /// Whether the peer has given no sign of life for this many seconds.
  func isSilent(at now: UInt64, seconds: Double) -> Bool {
    since > 0 && Pace.seconds(from: since, to: now) >= seconds
  }
}

/// Slow senders: a body has to keep its pace (`--body-min-rate`), and must never stop for longer than
/// `--body-timeout`. Only bytes of the body count: chunk sizes, extensions, trailers, paddings and messages
/// between records bring nothing.
extension Worker {
  private var bodyFloor: Pace.Floor {
    Pace.Floor(rate: limits.bodyMinRate, grace: limits.minRateGraceSeconds)
  }

  /// An incomplete body is there, and more is waited for; false when it comes too slowly.
  func bodyKeepsPace(_ connection: ConnectionPointer, _ exchange: ExchangePointer) -> Bool {
    let total = exchange.bodyReceived
    guard connection.pace.goesOn(at: now, total: total, bodyFloor) else { return false }
    setTimeoutBeside(connection, .body)
    return true
  }

  /// The same for a message of a WebSocket, of which this many bytes have come.
  func messageKeepsPace(_ connection: ConnectionPointer, _ total: Int64) -> Bool {
    let pace = connection.pace
    let hasStopped = !pace.hasMoved(total) && pace.isSilent(at: now, seconds: limits.bodyTimeoutSeconds)
    return connection.pace.goesOn(at: now, total: total, bodyFloor) && !hasStopped
  }

  /// Seconds until a body that is waited for has to be checked.
  func bodySeconds(_ connection: ConnectionPointer) -> Double {
    limits.bodyMinRate > 0
      ? min(limits.bodyTimeoutSeconds, max(connection.pace.left, 0)) : limits.bodyTimeoutSeconds
  }

  /// The deadline of a body has passed: it ends the request unless bytes have come that the kernel has not
  /// reported, or the client may stay silent for longer than it may be slow.
  func bodyIsLate(_ connection: ConnectionPointer) {
    if connection.lowWater > 1, System.hasInput(connection.fd) {
      // Fewer bytes had come than the kernel reports; now it does.
      expect(connection, 0)
      setTimeout(connection, .body)
      return
    }
    let pace = connection.pace
    if pace.since > 0, !pace.isSilent(at: now, seconds: limits.bodyTimeoutSeconds) {
      let silence = Pace.seconds(from: pace.since, to: now)
      return putOff(connection, seconds: limits.bodyTimeoutSeconds - silence)
    }
    bodyIsTooLate(connection)
  }

  /// The body has not come in time: 408, from the server or by way of the app that reads it.
  func bodyIsTooLate(_ connection: ConnectionPointer) {
    if connection.state == .calling { return streamIsLate(connection) }
    refuse(connection, 408, Worker.bodySentence(408), .bodyPace)
  }
}

/// Slow readers: a client has to take its answers at some pace (`--write-min-rate`), and must never stop for
/// longer than `--write-timeout`. Only bytes that have left the machine's own buffers count.
extension Worker {
  private var writeFloor: Pace.Floor {
    Pace.Floor(rate: limits.writeMinRate, grace: limits.minRateGraceSeconds)
  }

  /// Owner of the outlet: the socket is full and its client is waited for; false when it takes too little.
  func clientKeepsPace(_ outlet: OutletPointer, _ fd: Int32, at now: UInt64) -> Bool {
    let goesOn = outlet.pace.goesOn(at: now, total: taken(outlet, fd), writeFloor)
    // Discards what the kernel holds for it, too.
    if !goesOn { System.setReset(fd, true) }
    return goesOn
  }

  /// Seconds until a client that takes its answer has to be checked.
  private func writeSeconds(_ outlet: OutletPointer) -> Double {
    limits.writeMinRate > 0
      ? min(limits.writeTimeoutSeconds, max(outlet.pace.left, 0)) : limits.writeTimeoutSeconds
  }

  /// As long as any client may be left alone. The pace of an exchange beside the loop is not the leader's to
  /// read.
  var shortestWriteSeconds: Double {
    limits.writeMinRate > 0
      ? min(limits.writeTimeoutSeconds, limits.minRateGraceSeconds) : limits.writeTimeoutSeconds
  }

  /// Owner of the outlet, when that time is over: seconds until the next check, or nil if the client has to
  /// be let go. A socket reports room only when there is much of it; anything that a client has taken
  /// meanwhile is a sign of life.
  func secondsMore(_ outlet: OutletPointer, _ fd: Int32, at now: UInt64) -> Double? {
    let total = taken(outlet, fd)
    if outlet.pace.since == 0 || outlet.pace.hasMoved(total) {
      return clientKeepsPace(outlet, fd, at: now) ? writeSeconds(outlet) : nil
    }
    let left = limits.writeTimeoutSeconds - Pace.seconds(from: outlet.pace.since, to: now)
    if left <= 0 { System.setReset(fd, true) }
    return left > 0 ? left : nil
  }

  /// HTTP/2: other streams go first. The client is not to blame, and is judged by what it takes from then on.
  func rest(_ outlet: OutletPointer) -> Double {
    outlet.pace = Pace()
    return shortestWriteSeconds
  }

  private func taken(_ outlet: OutletPointer, _ fd: Int32) -> Int64 {
    outlet.sent - System.unsentBytes(fd)
  }

  /// The deadline of an answer on its way has passed.
  func outputIsLate(_ connection: ConnectionPointer) {
    let outlet = connection.outlet
    let exchange = connection.isDetached ? connection.exchange : nil
    exchange?.lock.lock()
    let seconds = awaitsTurn(connection) ? rest(outlet) : secondsMore(outlet, connection.fd, at: now)
    if seconds == nil, let exchange { lost(exchange) }
    let hasOutput = outlet.hasOutput
    exchange?.lock.unlock()
    if exchange != nil, !hasOutput, seconds != nil {
      setTimeoutBeside(connection, .none)
    } else if let seconds {
      putOff(connection, seconds: seconds)
    } else if let exchange {
      abandoned(exchange)
    } else {
      close(connection)
    }
  }
}
