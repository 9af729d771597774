import CNSGI
import Config
import Glibc
import Wire

/// HTTP/2 on the way out: frames of streams move to the carrier's output as far as windows let them, the
/// urgent ones first, then each in its turn; the carrier sends them as any connection does. An app beside the
/// loop only writes to its stream's outlet and says so; the leader moves.
extension Worker {
  /// Bytes that wait in a carrier's output at most before streams have to wait.
  private static let mostAhead = 4 * BlockPool.blockBytes
  /// Bytes that a stream moves in its turn.
  private static let turnBytes = BlockPool.blockBytes
  /// Bytes of a file that are read at once.
  private static let fileBytes = 32 * 1024

  /// The carrier is looked after before the loop waits.
  func enlist(_ multiplexer: MultiplexerPointer) {
    guard !multiplexer.pointee.isEnlisted, let carrier = multiplexer.pointee.carrier else { return }
    multiplexer.pointee.isEnlisted = true
    rounds.carriers.append(carrier.token)
  }

  /// What streams have to say is sent.
  @inline(never)
  func sendCarriers() {
    var index = 0
    // Whoever is told that there is room may write more.
    while index < rounds.carriers.count {
      let token = rounds.carriers[index]
      index += 1
      let carrier = connections.record(token.slot)
      guard carrier.token == token, let multiplexer = carrier.multiplexer else { continue }
      multiplexer.pointee.isEnlisted = false
      sendFrames(multiplexer, carrier)
    }
    rounds.carriers.removeAll(keepingCapacity: true)
  }

  private func sendFrames(_ multiplexer: MultiplexerPointer, _ carrier: ConnectionPointer) {
    let token = carrier.token
    while !carrier.isClosing {
      let hasMoved = pump(multiplexer, carrier)
      guard carrier.token == token, carrier.hasOutput, !carrier.outlet.isBlocked else { break }
      flush(carrier)
      if carrier.outlet.isBlocked || carrier.outlet.isLost || !hasMoved { break }
    }
    guard carrier.token == token, carrier.multiplexer == multiplexer else { return }
    if !carrier.hasOutput { multiplexer.pointee.session.outputLeft() }
    settle(multiplexer, carrier)
  }

  /// Moves frames of the streams that wait; true when a further look may move more.
  private func pump(_ multiplexer: MultiplexerPointer, _ carrier: ConnectionPointer) -> Bool {
    var hasMoved = false
    while true {
      var best: (place: Int, urgency: UInt8)?
      let count = multiplexer.pointee.streams.count
      for step in 0..<count {
        let place = (multiplexer.pointee.turn &+ step) % count
        guard multiplexer.pointee.streams[place].waits else { continue }
        let urgency = multiplexer.pointee.session.urgency(multiplexer.pointee.streams[place].id)
        if urgency < best?.urgency ?? .max { best = (place, urgency) }
      }
      guard let best else { return hasMoved }
      guard carrier.outlet.output.count < Worker.mostAhead else { return true }
      let stream = multiplexer.pointee.streams[best.place]
      multiplexer.pointee.turn = best.place &+ 1
      multiplexer.pointee.streams[best.place].waits = false
      if moveBeside(stream.record) == .more {
        if let place = multiplexer.pointee.place(of: stream.id) {
          multiplexer.pointee.streams[place].waits = true
        }
      }
      hasMoved = true
    }
  }

  /// Its answer has something to say; it waits for its turn, or for a window.
  func waits(_ record: ConnectionPointer) {
    guard let multiplexer = record.multiplexer,
      let place = multiplexer.pointee.place(of: record.streamID)
    else { return }
    multiplexer.pointee.streams[place].waits = true
    enlist(multiplexer)
  }

  /// Windows have grown: streams that wait for one are looked at again.
  func windowsOpened(_ multiplexer: MultiplexerPointer, _ id: UInt32) {
    for place in multiplexer.pointee.streams.indices {
      let stream = multiplexer.pointee.streams[place]
      guard id == 0 || stream.id == id else { continue }
      let isWaiting = stream.record.outlet.isBlocked || stream.record.interest.contains(.write)
      if isWaiting { multiplexer.pointee.streams[place].waits = true }
    }
    enlist(multiplexer)
  }

  /// A stream's turn, whoever owns its outlet.
  private func moveBeside(_ record: ConnectionPointer) -> HTTP2Session.Moved {
    guard record.isDetached, let exchange = record.exchange else { return moveAttached(record) }
    exchange.lock.lock()
    let outlet = record.outlet
    let before = outlet.sent
    let moved = move(record)
    let (isEmpty, hasMoved) = (!outlet.hasOutput, outlet.sent != before)
    if isEmpty { outlet.settle() }
    if hasMoved || moved == .over { exchange.lock.broadcast() }
    exchange.lock.unlock()
    switch moved {
    case .over: abandoned(exchange, hasLeft: true)
    case .all where record.closesAfterOutput: record.interest = []
    case .all:
      record.interest.remove(.write)
      if record.timeout == .write { setTimeoutBeside(record, .none) }
    case .more, .blocked:
      record.interest.insert(.write)
      if record.timeout == .none || hasMoved && record.timeout == .write { setTimeoutBeside(record, .write) }
    }
    if hasMoved { becameReady(exchange, NSGI_READY_SPACE) }
    return moved
  }

  /// The same for one whose outlet is the leader's.
  private func moveAttached(_ record: ConnectionPointer) -> HTTP2Session.Moved {
    if record.state == .calling { return .all }
    let moved = flushStream(record)
    if record.closesAfterOutput {
      if !record.hasOutput { finish(record) }
    } else if moved == .all, !record.isPostponed {
      // It may have been held up in reading.
      record.isPostponed = true
      rounds.postponed.append(record.token)
    }
    return moved
  }

  /// As `flush`: moves what the windows take now; the rest goes when they take more.
  @discardableResult
  func flushStream(_ record: ConnectionPointer) -> HTTP2Session.Moved {
    let outlet = record.outlet
    guard outlet.hasOutput else { return .all }
    let ahead = record.multiplexer?.pointee.carrier?.outlet.output.count ?? 0
    let isAhead = ahead >= Worker.mostAhead
    let moved: HTTP2Session.Moved = isAhead ? .more : move(record)
    switch moved {
    case .all:
      outlet.next(.drained)
      outlet.settle()
      blocks.empty(&outlet.output)
    case .over:
      outlet.lose()
      record.exchange?.next(.unsendable)
    case .more, .blocked:
      guard clientKeepsPace(outlet, record.fd, at: now) else {
        outlet.lose()
        record.exchange?.next(.unsendable)
        return .over
      }
      outlet.next(.filled)
      if moved == .more { waits(record) }
      if record.state != .calling { setTimeout(record, .write) }
    }
    return moved
  }

  /// Owner of the outlet, and leader: moves frames to the carrier's output.
  private func move(_ record: ConnectionPointer) -> HTTP2Session.Moved {
    let outlet = record.outlet
    guard let multiplexer = record.multiplexer, let carrier = multiplexer.pointee.carrier else {
      return .over
    }
    enlist(multiplexer)
    let id = record.streamID
    let out = carrier.outlet
    blocks.fill(&out.output)
    let before = out.output.count
    defer { outlet.sent &+= Int64(out.output.count - before) }
    while true {
      let most = Worker.turnBytes - (out.output.count - before)
      var moved = HTTP2Session.Moved.all
      if !outlet.pointee.front.isEmpty {
        moved = multiplexer.pointee.session.move(id, &outlet.pointee.front, most: most, into: &out.output)
      } else if outlet.file.isSpool, outlet.file.left > 0 {
        if !readFrame(outlet) { return .over }
      } else if !outlet.output.isEmpty {
        moved = multiplexer.pointee.session.move(id, &outlet.output, most: most, into: &out.output)
      } else if outlet.file.left > 0 {
        if !readFile(outlet) { return .over }
      } else {
        return .all
      }
      guard moved == .all else { return moved }
    }
  }

  /// The next frame of what was spooled; false when it cannot be read.
  private func readFrame(_ outlet: OutletPointer) -> Bool {
    let header = 9
    guard read(outlet, header) else { return false }
    let base = outlet.pointee.front.base!
    let length = (0..<3).reduce(0) { $0 << 8 | Int(base.load(fromByteOffset: $1, as: UInt8.self)) }
    return read(outlet, length)
  }

  private func read(_ outlet: OutletPointer, _ count: Int) -> Bool {
    outlet.pointee.front.reserve(count)
    var done = 0
    while done < count {
      let got = try? System.read(
        outlet.file.fd, outlet.pointee.front.tail, count - done, at: outlet.file.offset)
      guard let got, got > 0 else { return false }
      outlet.pointee.front.commit(got)
      outlet.file.offset += Int64(got)
      outlet.file.left -= Int64(got)
      done += got
    }
    if outlet.file.left == 0 { outlet.file.close() }
    return true
  }

  /// The next piece of a file that is the body; false when it became shorter than its head has promised.
  private func readFile(_ outlet: OutletPointer) -> Bool {
    guard let encoder = outlet.file.records else { return false }
    let left = Int(min(outlet.file.left, Int64(Worker.fileBytes)))
    let count = encoder.open(left, .frames, into: &outlet.output)
    outlet.output.reserve(count)
    var done = 0
    while done < count {
      let got = try? System.read(outlet.file.fd, outlet.output.tail, count - done, at: outlet.file.offset)
      guard let got, got > 0 else { return false }
      outlet.output.commit(got)
      outlet.file.offset += Int64(got)
      done += got
    }
    encoder.close(count, .frames, into: &outlet.output)
    outlet.file.left -= Int64(count)
    if outlet.file.left == 0 {
      encoder.end(.frames, into: &outlet.output)
      outlet.file.close()
    }
    return true
  }

  // MARK: Apps beside the loop

  /// As `pushOutBeside`: on the loop it moves at once, else the leader is told.
  func pushOutStream(_ exchange: ExchangePointer) {
    if exchange.isDetached {
      inbox.post(.wantsOutput(exchange))
    } else {
      pushOutNow(exchange)
    }
  }

  /// An app on the loop wants to see it leave.
  func pushOutNow(_ exchange: ExchangePointer) {
    flushStream(exchange.connection)
    guard let carrier = exchange.connection.multiplexer?.pointee.carrier else { return }
    if !carrier.outlet.isBlocked, carrier.hasOutput { flush(carrier) }
  }

  /// As `awaitSocket`: leaves the loop to another thread, and waits until the leader has moved something.
  func awaitStream(_ exchange: ExchangePointer) -> Int32 {
    let outlet = exchange.outlet
    Access.leaveLoop(exchange)
    let id = exchange.id
    var more = clientKeepsPace(outlet, -1, at: System.now()) ? Worker.keepsPermitSeconds : nil
    let before = outlet.waiting
    while let seconds = more {
      inbox.post(.wantsOutput(exchange))
      _ = exchange.lock.wait(until: Monitor.deadline(seconds: seconds))
      // Another thread of the app may have ended it meanwhile: the record is someone else's then.
      guard exchange.id == id else { return NSGI_GONE.rawValue }
      if outlet.waiting < before || exchange.isOver || outlet.isLost { break }
      offerPermit(exchange)
      more = secondsMore(outlet, -1, at: System.now())
    }
    regainPermit(exchange)
    if more != nil, !exchange.isOver, !outlet.isLost { return NSGI_OK.rawValue }
    lost(exchange)
    return more != nil ? NSGI_GONE.rawValue : NSGI_TIMEOUT.rawValue
  }

  /// As `setInterest`: who waits to write is looked at before the loop waits; what is there to read was fed.
  func setStreamInterest(_ record: ConnectionPointer, _ interest: Interest) {
    record.interest = interest
    if interest.contains(.write) { waits(record) }
  }
}
