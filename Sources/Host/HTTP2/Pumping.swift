import CNSGI
import Config
import Glibc
import Wire

/// HTTP/2 on the way out: frames of streams move to the carrier's output as far as windows allow, the urgent
/// ones first, then each in its turn; the carrier sends them like any connection. An app beside the loop only
/// writes to its stream's outlet and says so; the leader moves.
extension Worker {
  /// The most bytes that wait in a carrier's output before streams have to wait.
  private static let mostAhead = 4 * BlockPool.blockBytes
  /// Bytes that a stream moves in its turn.
  private static let turnBytes = BlockPool.blockBytes
  /// Bytes of a file that are read at once.
  private static let fileBytes = 32 * 1024

  /// Has the carrier looked after before the loop waits.
  func enlist(_ multiplexer: MultiplexerPointer) {
    guard !multiplexer.pointee.isEnlisted, let carrier = multiplexer.pointee.carrier else { return }
    multiplexer.pointee.isEnlisted = true
    rounds.carriers.append(carrier.token)
  }

  /// Sends what streams have to say.
  @inline(never)
  func sendCarriers() {
    var index = 0
    // Carriers that have had their share: they stay in the list, and the loop does not wait.
    var served: [Token] = []
    // A writer that is told of room may write more.
    while index < rounds.carriers.count {
      let token = rounds.carriers[index]
      index += 1
      let carrier = connections.record(token.slot)
      guard carrier.token == token, let multiplexer = carrier.multiplexer, !served.contains(token) else {
        continue
      }
      multiplexer.pointee.isEnlisted = false
      if sendFrames(multiplexer, carrier) == .hadItsShare { served.append(token) }
    }
    rounds.carriers.removeAll(keepingCapacity: true)
    rounds.carriers.append(contentsOf: served)
  }

  /// How far the sending of a carrier's frames has come.
  private enum Sending {
    /// The socket, windows or applications hold up the rest, or nothing is left.
    case rests
    /// More could leave, once others have had their turn.
    case hadItsShare
  }

  /// Sends what the socket takes; but to a client that reads as fast as the loop writes, no more than a share
  /// before others have their turn.
  private func sendFrames(_ multiplexer: MultiplexerPointer, _ carrier: ConnectionPointer) -> Sending {
    let token = carrier.token
    var share = limits.fileBytesPerTurn
    noteLeft(multiplexer, carrier)
    while !carrier.isClosing {
      let hasMoved = pump(multiplexer, carrier)
      guard carrier.token == token, carrier.hasOutput, !carrier.outlet.isBlocked else { break }
      share -= Int64(carrier.outlet.output.count)
      flush(carrier)
      guard carrier.token == token, carrier.multiplexer == multiplexer else { return .rests }
      noteLeft(multiplexer, carrier)
      if carrier.outlet.isBlocked || carrier.outlet.isLost || !hasMoved { break }
      if share <= 0 {
        multiplexer.pointee.isEnlisted = true
        return .hadItsShare
      }
    }
    guard carrier.token == token, carrier.multiplexer == multiplexer else { return .rests }
    settle(multiplexer, carrier)
    return .rests
  }

  /// Tells the session how much of what it has written the socket has taken.
  private func noteLeft(_ multiplexer: MultiplexerPointer, _ carrier: ConnectionPointer) {
    let outlet = carrier.outlet
    multiplexer.pointee.session.outputLeft(outlet.sent, of: outlet.sent + outlet.waiting)
  }

  /// Moves frames of the streams that wait; true if another look may move more.
  private func pump(_ multiplexer: MultiplexerPointer, _ carrier: ConnectionPointer) -> Bool {
    var hasMoved = false
    while true {
      guard let next = nextInTurn(multiplexer) else { return hasMoved }
      guard carrier.outlet.output.count < Worker.mostAhead else { return true }
      let stream = multiplexer.pointee.streams[next.place]
      multiplexer.pointee.turn = next.turn
      multiplexer.pointee.streams[next.place].waits = false
      if moveBeside(stream.record) == .more {
        if let place = multiplexer.pointee.place(of: stream.id) {
          multiplexer.pointee.streams[place].waits = true
        }
      }
      hasMoved = true
    }
  }

  /// Which of the streams that wait is the next (RFC 9218 §10), and at which the turn after it begins. Of
  /// equal urgency, each has its turn; in those of answers that their client wants whole, it is the first
  /// of these that moves, so that they leave in the order of their requests.
  private func nextInTurn(_ multiplexer: MultiplexerPointer) -> (place: Int, turn: Int)? {
    var best: (place: Int, urgency: UInt8, isWhole: Bool)?
    var turn = 0
    let count = multiplexer.pointee.streams.count
    for step in 0..<count {
      let place = (multiplexer.pointee.turn &+ step) % count
      guard multiplexer.pointee.streams[place].waits else { continue }
      let (urgency, isWhole) = multiplexer.pointee.session.rank(multiplexer.pointee.streams[place].id)
      if let found = best, urgency >= found.urgency {
        let isEarlier = isWhole && found.isWhole && urgency == found.urgency && place < found.place
        if isEarlier { best = (place, urgency, isWhole) }
      } else {
        best = (place, urgency, isWhole)
        turn = place &+ 1
      }
    }
    return best.map { ($0.place, turn) }
  }

  /// Its answer has something to send, and waits for its turn or for a window.
  func waits(_ record: ConnectionPointer) {
    guard let multiplexer = record.multiplexer,
      let place = multiplexer.pointee.place(of: record.streamID)
    else { return }
    multiplexer.pointee.streams[place].waits = true
    enlist(multiplexer)
  }

  /// An answer over HTTP/2 could go on, were it not for more urgent ones, or for the socket, which belongs to
  /// the carrier.
  func awaitsTurn(_ connection: ConnectionPointer) -> Bool {
    guard let multiplexer = connection.multiplexer, connection.isStream,
      let place = multiplexer.pointee.place(of: connection.streamID)
    else { return false }
    return multiplexer.pointee.streams[place].waits
  }

  /// Windows have grown: looks again at streams that wait for one.
  func windowsOpened(_ multiplexer: MultiplexerPointer, _ id: UInt32) {
    for place in multiplexer.pointee.streams.indices {
      let stream = multiplexer.pointee.streams[place]
      guard id == 0 || stream.id == id else { continue }
      let isWaiting = stream.record.outlet.isBlocked || stream.record.interest.contains(.write)
      guard isWaiting else { continue }
      multiplexer.pointee.streams[place].waits = true
      if stream.record.outlet.pointee.lacksWindow { windowOpened(stream.record) }
    }
    enlist(multiplexer)
  }

  /// A stream waits for a window, possibly that of the connection, which others use up before it: these go
  /// first, and its client is not to blame.
  func othersGo(_ record: ConnectionPointer) -> Bool {
    guard let multiplexer = record.multiplexer,
      let place = multiplexer.pointee.place(of: record.streamID)
    else { return false }
    let moved = multiplexer.pointee.session.contentMoved
    defer { multiplexer.pointee.streams[place].seen = moved }
    return multiplexer.pointee.session.hasWindow(record.streamID)
      && multiplexer.pointee.streams[place].seen != moved
  }

  /// A thread that waits for its stream must no longer blame the client for a window.
  private func windowOpened(_ record: ConnectionPointer) {
    let exchange = record.exchange
    exchange?.lock.lock()
    record.outlet.pointee.lacksWindow = false
    exchange?.lock.unlock()
  }

  /// Takes a stream's turn, whoever owns its outlet.
  private func moveBeside(_ record: ConnectionPointer) -> HTTP2Session.Moved {
    if let socket = record.socket {
      // It says itself whether it waits.
      flushSocket(record, socket)
      return .all
    }
    guard record.isDetached, let exchange = record.exchange else { return moveAttached(record) }
    exchange.lock.lock()
    let outlet = record.outlet
    let (moved, hasMoved) = move(record)
    let isEmpty = !outlet.hasOutput
    outlet.pointee.lacksWindow = moved == .blocked && !othersGo(record)
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

  /// As `flush`: moves what the windows allow now; the rest follows when they allow more.
  @discardableResult
  func flushStream(_ record: ConnectionPointer) -> HTTP2Session.Moved {
    let outlet = record.outlet
    guard outlet.hasOutput else { return .all }
    let moved: HTTP2Session.Moved = isAhead(record) ? .more : move(record).moved
    switch moved {
    case .all:
      outlet.next(.drained)
      outlet.settle()
      blocks.empty(&outlet.output)
    case .over:
      outlet.lose()
      record.exchange?.next(.unsendable)
    case .more, .blocked:
      guard moved == .more || clientKeepsPace(outlet, record.fd, at: now) else {
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

  /// So much waits for the carrier's socket that a stream has to wait.
  func isAhead(_ record: ConnectionPointer) -> Bool {
    (record.multiplexer?.pointee.carrier?.outlet.output.count ?? 0) >= Worker.mostAhead
  }

  /// Owner of the outlet, and leader: moves frames to the carrier's output. Returns what became of them, and
  /// whether any has moved. Their content counts towards the client's pace: frame headers do not.
  func move(_ record: ConnectionPointer) -> (moved: HTTP2Session.Moved, hasMoved: Bool) {
    guard let multiplexer = record.multiplexer, let carrier = multiplexer.pointee.carrier else {
      return (.over, false)
    }
    enlist(multiplexer)
    let out = carrier.outlet
    blocks.fill(&out.output)
    let (before, content) = (out.output.count, multiplexer.pointee.session.contentMoved)
    let moved = move(record, multiplexer, out, before)
    record.outlet.sent &+= multiplexer.pointee.session.contentMoved - content
    return (moved, out.output.count > before)
  }

  private func move(
    _ record: ConnectionPointer, _ multiplexer: MultiplexerPointer, _ out: OutletPointer, _ before: Int
  ) -> HTTP2Session.Moved {
    let (outlet, id) = (record.outlet, record.streamID)
    while true {
      let most = Worker.turnBytes - (out.output.count - before)
      var moved = HTTP2Session.Moved.all
      if !outlet.pointee.front.isEmpty {
        moved = multiplexer.pointee.session.move(id, &outlet.pointee.front, most: most, into: &out.output)
      } else if outlet.file.isSpool, outlet.file.left > 0 {
        if !readFrame(outlet) { return .over }
      } else if !outlet.output.isEmpty, outlet.isTunnel {
        moved = multiplexer.pointee.session.moveTunnel(id, &outlet.output, most: most, into: &out.output)
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

  /// Reads the next frame from the spool; false when it cannot be read.
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

  /// Reads the next piece of a file that is the body; false if the file has become shorter than its head
  /// promised.
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

  /// As `pushOutBeside`: on the loop it moves at once, otherwise the leader is told.
  func pushOutStream(_ exchange: ExchangePointer) {
    if exchange.isDetached {
      inbox.post(.wantsOutput(exchange))
    } else {
      pushOutNow(exchange)
    }
  }

  /// Moves it now, for an app on the loop.
  func pushOutNow(_ exchange: ExchangePointer) {
    flushStream(exchange.connection)
    guard let carrier = exchange.connection.multiplexer?.pointee.carrier else { return }
    if !carrier.outlet.isBlocked, carrier.hasOutput { flush(carrier) }
  }

  /// As `awaitSocket`: leaves the loop to another thread, and waits until the leader has moved something. As
  /// with `outputIsLate`, the client is not to blame for what more urgent streams hold up.
  func awaitStream(_ exchange: ExchangePointer) -> Int32 {
    let outlet = exchange.outlet
    Access.leaveLoop(exchange)
    let id = exchange.id
    let isSlow = outlet.pointee.lacksWindow && !clientKeepsPace(outlet, -1, at: System.now())
    var more = isSlow ? nil : Worker.keepsPermitSeconds
    let before = outlet.waiting
    while let seconds = more {
      inbox.post(.wantsOutput(exchange))
      _ = exchange.lock.wait(until: Monitor.deadline(seconds: seconds))
      // Another thread of the app may have ended it meanwhile: the record then belongs to someone else.
      guard exchange.id == id else { return NSGI_GONE.rawValue }
      if outlet.waiting < before || exchange.isOver || outlet.isLost { break }
      offerPermit(exchange)
      more = outlet.pointee.lacksWindow ? secondsMore(outlet, -1, at: System.now()) : rest(outlet)
    }
    regainPermit(exchange)
    if more != nil, !exchange.isOver, !outlet.isLost { return NSGI_OK.rawValue }
    lost(exchange)
    return more != nil ? NSGI_GONE.rawValue : NSGI_TIMEOUT.rawValue
  }

  /// As `setInterest`: a stream that waits to write is looked at before the loop waits; input is already fed.
  func setStreamInterest(_ record: ConnectionPointer, _ interest: Interest) {
    record.interest = interest
    if interest.contains(.write) { waits(record) }
  }
}
