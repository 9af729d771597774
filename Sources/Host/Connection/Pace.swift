import CNSGI
import Glibc

/// Whether a peer keeps up a least speed. It begins with some seconds in hand; waiting for it uses them up,
/// and each byte that moves brings its share back, never beyond what it began with. So a peer may pause, and
/// may be slow for a while, but cannot live on a byte now and then.
struct Pace {
  /// Monotonic nanoseconds of the last sign of life; 0 while nobody waits for the peer.
  private(set) var since: UInt64 = 0
  /// Something has been waited for.
  private(set) var isBegun = false
  /// Seconds in hand; below 0 the peer is too slow.
  private(set) var left = 0.0
  /// Bytes that have moved up to `since`.
  private var moved: Int64 = 0

  /// The speed that is asked for.
  struct Floor {
    /// Bytes a second; 0 for any speed.
    let rate: Int
    /// Seconds in hand.
    let grace: Double
  }

  /// The peer is waited for, and `total` bytes have moved since the beginning.
  ///
  /// - Returns: whether it is fast enough.
  mutating func goesOn(at now: UInt64, total: Int64, _ floor: Floor) -> Bool {
    guard isBegun, since > 0 else {
      if !isBegun { left = floor.grace }
      (isBegun, since, moved) = (true, now, total)
      return true
    }
    let spent = Pace.seconds(from: since, to: now)
    // What a socket holds is told with the kernel's own share of it: a total may step back for a while.
    let gain = max(0, total - moved)
    let gained = floor.rate > 0 ? Double(gain) / Double(floor.rate) : floor.grace + spent
    left = min(floor.grace, left - spent + gained)
    (since, moved) = (max(since, now), max(moved, total))
    return left >= 0
  }

  /// The leader's time is that of its turn's beginning, and may lie before one that a thread beside the loop
  /// has read.
  static func seconds(from since: UInt64, to now: UInt64) -> Double {
    now > since ? Double(now - since) / 1e9 : 0
  }

  /// `total` bytes have moved by now, more than when it was last looked at.
  func hasMoved(_ total: Int64) -> Bool { total > moved }

  /// Nobody waits for the peer any more, until it goes on.
  mutating func rests() { since = 0 }

  /// Whether the peer has given no sign of life for so many seconds.
  func isSilent(at now: UInt64, seconds: Double) -> Bool {
    since > 0 && Pace.seconds(from: since, to: now) >= seconds
  }
}

/// Slow senders: a body has to keep its pace (`--body-min-rate`), and never to stop for longer than
/// `--body-timeout`. Only bytes of the body count: chunk sizes, extensions, trailers, paddings and messages
/// between records bring nothing.
extension Worker {
  private var bodyFloor: Pace.Floor {
    Pace.Floor(rate: limits.bodyMinRate, grace: limits.minRateGraceSeconds)
  }

  /// Half a body is there, and more is waited for; false when it comes too slowly.
  func bodyKeepsPace(_ connection: ConnectionPointer, _ exchange: ExchangePointer) -> Bool {
    let total = exchange.bodyReceived
    guard connection.pace.goesOn(at: now, total: total, bodyFloor) else { return false }
    setTimeoutBeside(connection, .body)
    return true
  }

  /// Seconds until a body that is waited for has to be looked at.
  func bodySeconds(_ connection: ConnectionPointer) -> Double {
    limits.bodyMinRate > 0
      ? min(limits.bodyTimeoutSeconds, max(connection.pace.left, 0)) : limits.bodyTimeoutSeconds
  }

  /// The deadline of a body: it is over unless something has come that the kernel has not told of, or the
  /// client may stay silent for longer than it may be slow.
  func bodyIsLate(_ connection: ConnectionPointer) {
    if connection.lowWater > 1, System.hasInput(connection.fd) {
      // What has come was too little to be told of; now it is.
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

  /// The body has not come in time: 408, by the server or by way of the app that reads it.
  func bodyIsTooLate(_ connection: ConnectionPointer) {
    if connection.state == .calling { return streamIsLate(connection) }
    refuse(connection, 408, Worker.bodySentence(408))
  }
}

/// Slow readers: a client has to take its answers at some pace (`--write-min-rate`), and never to stop for
/// longer than `--write-timeout`. What counts is what has left the machine's own buffers.
extension Worker {
  private var writeFloor: Pace.Floor {
    Pace.Floor(rate: limits.writeMinRate, grace: limits.minRateGraceSeconds)
  }

  /// Owner of the outlet: the socket is full, its client is waited for; false when it takes too little.
  func clientKeepsPace(_ outlet: OutletPointer, _ fd: Int32, at now: UInt64) -> Bool {
    let goesOn = outlet.pace.goesOn(at: now, total: taken(outlet, fd), writeFloor)
    // Nor is what the kernel holds for it kept any longer.
    if !goesOn { System.setReset(fd, true) }
    return goesOn
  }

  /// Seconds until a client that takes its answer has to be looked at.
  private func writeSeconds(_ outlet: OutletPointer) -> Double {
    limits.writeMinRate > 0
      ? min(limits.writeTimeoutSeconds, max(outlet.pace.left, 0)) : limits.writeTimeoutSeconds
  }

  /// As long as a client may always be left alone. The pace of one beside the loop is not the leader's to
  /// read.
  var shortestWriteSeconds: Double {
    limits.writeMinRate > 0
      ? min(limits.writeTimeoutSeconds, limits.minRateGraceSeconds) : limits.writeTimeoutSeconds
  }

  /// Owner of the outlet, when that time is over: seconds until the next look, or nil when the client is to
  /// be let go. A socket tells of room only when there is much of it; what a client has taken meanwhile is a
  /// sign of life.
  func secondsMore(_ outlet: OutletPointer, _ fd: Int32, at now: UInt64) -> Double? {
    let total = taken(outlet, fd)
    if outlet.pace.since == 0 || outlet.pace.hasMoved(total) {
      return clientKeepsPace(outlet, fd, at: now) ? writeSeconds(outlet) : nil
    }
    let left = limits.writeTimeoutSeconds - Pace.seconds(from: outlet.pace.since, to: now)
    if left <= 0 { System.setReset(fd, true) }
    return left > 0 ? left : nil
  }

  private func taken(_ outlet: OutletPointer, _ fd: Int32) -> Int64 {
    outlet.sent - System.unsentBytes(fd)
  }

  /// The deadline of an answer on its way.
  func outputIsLate(_ connection: ConnectionPointer) {
    let outlet = connection.outlet
    let exchange = connection.isDetached ? connection.exchange : nil
    exchange?.lock.lock()
    let seconds = secondsMore(outlet, connection.fd, at: now)
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
