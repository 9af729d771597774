import CNSGI
import Wire

/// A request body that comes while its app runs (NSGI_STREAMS_IN): the leader fills it, the app takes
/// from it. Guarded like the exchange it belongs to.
struct BodyStream: ~Copyable {
  /// How the body stands.
  enum State: UInt8 {
    /// Not used: the whole body is in before the call.
    case none
    /// More is to come.
    case coming
    /// All of it has come.
    case whole
    /// It will not come: the client is gone.
    case broken
    /// It did not come in time.
    case late
    /// It could not be stored.
    case failed
  }

  var state = State.none
  private(set) var bytes = ByteBuffer()
  /// The status for a client whose body did not come or could not be stored, if its app fails because of
  /// that.
  var refusal = 0
  /// Bytes that have come so far, taken or not, before they were gathered.
  private(set) var received: Int64 = 0
  /// The app has taken bytes by read().
  private(set) var isRead = false
  /// 100 Continue has been sent, or nobody waits for it.
  var isContinued = false
  /// The leader has stopped receiving because enough is waiting here.
  var isFull = false
  /// body() was called: all of it goes where the bodies of other apps go.
  var isGathered = false

  var isOpen: Bool { state != .none }
  /// No byte of the body can still be on the wire: what follows there is another request. If a body broke or
  /// is late, bytes of it may be: reading on after it would be request smuggling.
  @inline(__always) var isComplete: Bool { state == .none || state == .whole }

  /// Bytes that may wait here before the client has to wait.
  static let bound = 256 * 1024

  mutating func reset() {
    bytes = ByteBuffer()
    (received, refusal) = (0, 0)
    (state, isRead, isContinued, isFull, isGathered) = (.none, false, false, false, false)
  }

  /// Gives up its bytes, which are gathered elsewhere from now on.
  mutating func gather() -> ByteBuffer {
    isGathered = true
    var all = ByteBuffer()
    swap(&all, &bytes)
    return all
  }

  mutating func append(_ piece: UnsafeRawBufferPointer) {
    bytes.append(piece)
    received += Int64(piece.count)
  }

  /// No more of it comes.
  mutating func fail(_ state: State, _ status: Int) {
    guard self.state == .coming else { return }
    (self.state, refusal) = (state, status)
  }

  /// Takes bytes; nil when there are none yet.
  mutating func take(_ buffer: UnsafeMutableRawPointer, _ capacity: Int) -> Int64? {
    if !bytes.isEmpty {
      let count = min(capacity, bytes.count)
      buffer.copyMemory(from: bytes.base!, byteCount: count)
      bytes.consume(count)
      isRead = true
      return Int64(count)
    }
    return switch state {
    case .coming: nil
    case .none, .whole: 0
    case .broken: Int64(NSGI_GONE.rawValue)
    case .late: Int64(NSGI_TIMEOUT.rawValue)
    case .failed: Int64(NSGI_IO.rawValue)
    }
  }

  /// What body() answers for an incomplete body.
  var failure: nsgi_result {
    switch state {
    case .none, .coming, .whole: NSGI_OK
    case .broken: NSGI_GONE
    case .late: NSGI_TIMEOUT
    case .failed: NSGI_IO
    }
  }
}

/// Reading a body that comes while the app runs.
extension Worker {
  /// read() of a streaming app: takes what is there, otherwise what the socket has, otherwise waits beside
  /// the loop.
  func readStream(
    _ exchange: ExchangePointer, _ buffer: UnsafeMutableRawPointer, _ capacity: Int
  ) -> Int64 {
    while true {
      if exchange.stream.isGathered, exchange.stream.state == .whole {
        return readWhole(exchange, buffer, capacity)
      }
      if let count = exchange.stream.take(buffer, capacity) {
        if exchange.stream.isFull, exchange.stream.bytes.isEmpty { askForMore(exchange) }
        return count
      }
      if let failure = awaitBody(exchange) { return Int64(failure) }
    }
  }

  /// body() of a streaming app: waits for all of it.
  func wholeStream(_ exchange: ExchangePointer) -> BodyResult {
    guard !exchange.stream.isRead else { return .failure(NSGI_MISUSE.rawValue) }
    if !exchange.stream.isGathered {
      let sofar = exchange.stream.gather()
      gather(exchange, sofar.bytes)
    }
    while exchange.stream.state == .coming {
      if exchange.stream.isFull { askForMore(exchange) }
      if let failure = awaitBody(exchange) { return .failure(failure) }
    }
    guard exchange.stream.state == .whole else {
      return .failure(exchange.stream.failure.rawValue)
    }
    return wholeBody(exchange)
  }

  /// Stores a piece of a streamed body that was asked for whole: in memory, or in a file if it is long.
  private func gather(_ exchange: ExchangePointer, _ piece: UnsafeRawBufferPointer) {
    guard piece.count > 0 else { return }
    do {
      try exchange.body.append(piece, bound: limits.bodyMemoryBytes, spools)
      try exchange.body.own(bound: limits.bodyMemoryBytes, spools)
    } catch {
      bodyNotStored(error)
      exchange.stream.fail(.failed, bodyStatus(exchange, error))
    }
  }

  /// Waits until something about the body has changed; nil when it is worth another look.
  private func awaitBody(_ exchange: ExchangePointer) -> Int32? {
    let connection = exchange.connection
    if !exchange.isDetached {
      sendContinue(exchange)
      // This thread leads: it can look for itself.
      if pullBody(connection, exchange) { return nil }
      if exchange.neverWaits { return NSGI_AGAIN.rawValue }
      Access.leaveLoop(exchange)
      return nil
    }
    sendContinue(exchange)
    if exchange.neverWaits { return NSGI_AGAIN.rawValue }
    let id = exchange.id
    var isInTime = exchange.lock.wait(until: Monitor.deadline(seconds: Worker.keepsPermitSeconds))
    // News that came just as the time was over is not told again.
    if !isInTime, exchange.id == id, !hasNews(exchange) {
      offerPermit(exchange)
      isInTime = exchange.lock.wait(until: Monitor.deadline(seconds: limits.bodyTimeoutSeconds))
    }
    // Another thread of the app may have ended it meanwhile: the record belongs to someone else then.
    guard exchange.id == id else { return NSGI_GONE.rawValue }
    regainPermit(exchange)
    // Bytes that have come belong to the app, whoever has left since.
    let isWorthALook = exchange.stream.state == .whole || !exchange.stream.bytes.isEmpty
    if isWorthALook { return nil }
    if exchange.state.isAbandoned { return NSGI_GONE.rawValue }
    if isInTime || exchange.stream.state != .coming { return nil }
    exchange.stream.fail(.late, 408)
    return NSGI_TIMEOUT.rawValue
  }

  /// Under the lock: bytes have come that the app has not taken, or no more will.
  private func hasNews(_ exchange: ExchangePointer) -> Bool {
    exchange.stream.state != .coming || !exchange.stream.bytes.isEmpty || exchange.state.isAbandoned
  }

  /// The first read of a body that the client holds back (RFC 9110 §10.1.1).
  private func sendContinue(_ exchange: ExchangePointer) {
    guard !exchange.stream.isContinued else { return }
    exchange.stream.isContinued = true
    guard exchange.head.expectsContinue, exchange.phase == .called else { return }
    fillOutput(exchange)
    let outlet = exchange.outlet
    exchange.encoder.interim(100, into: &outlet.output)
    pushOutBeside(exchange)
  }

  private func askForMore(_ exchange: ExchangePointer) {
    exchange.stream.isFull = false
    if exchange.isDetached { inbox.post(.wantsBody(exchange)) }
  }

  /// Leader, inside the app's read: receives once without waiting; true when something was there.
  private func pullBody(_ connection: ConnectionPointer, _ exchange: ExchangePointer) -> Bool {
    if exchange.outlet.isChoked { return false }
    let before = exchange.stream.bytes.count + Int(exchange.body.length)
    if !connection.input.isEmpty { feed(connection, exchange) }
    let now = exchange.stream.bytes.count + Int(exchange.body.length)
    if now > before || exchange.stream.state != .coming { return true }
    if exchange.outlet.isChoked { return false }
    return receiveStream(connection, exchange)
  }

  /// Leader: receives once and feeds what came; false if there was nothing.
  private func receiveStream(_ connection: ConnectionPointer, _ exchange: ExchangePointer) -> Bool {
    // The head stays where it is; the body comes through a block of its own.
    moveOn(connection, exchange)
    do {
      guard try takeInput(connection) > 0 else {
        exchange.stream.state = .broken
        return true
      }
    } catch {
      if error.wouldBlock {
        connection.acknowledge()
        return false
      }
      exchange.stream.state = .broken
      return true
    }
    feed(connection, exchange)
    guard exchange.stream.state == .coming else { return true }
    if connection.kept > 0 { takeKept(connection) }
    if intake.hasReadAll { connection.acknowledge() }
    return true
  }

  /// Leader: turns input into body bytes. If the peer causes answers meanwhile, it has to take them.
  private func feed(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    let outlet = exchange.outlet
    defer {
      if outlet.replies > 0 { pushReplies(connection, exchange) }
      if outlet.isStream { giveWindow(connection) }
    }
    while exchange.stream.state == .coming {
      if outlet.isChoked {
        pushReplies(connection, exchange)
        if outlet.isChoked { return }
      }
      var offset = 0
      let bytes = connection.input.bytes
      do {
        switch try connection.codec.next(bytes.bytes, &offset, &exchange.head) {
        case .body(let range):
          let piece = range.bytes(in: bytes.baseAddress!)
          if exchange.stream.isGathered {
            gather(exchange, piece)
          } else {
            exchange.stream.append(piece)
          }
        case .trailer(let line): exchange.keepTrailer(line: line.bytes(in: bytes.baseAddress!))
        case .end: exchange.stream.state = .whole
        case .needMore:
          connection.input.consume(offset)
          return
        case .abort: exchange.stream.state = .broken
        case .answer(let answer): self.answer(exchange, answer)
        case .head: break
        }
        connection.input.consume(offset)
      } catch {
        log.warning("\(exchange.requestLine): \(error)")
        exchange.stream.state = .broken
      }
    }
  }

  /// Leader: answers a message that came between the records of a body. The answer goes out between two
  /// records of the response, when the input is consumed.
  private func answer(_ exchange: ExchangePointer, _ answer: ControlAnswer) {
    guard exchange.phase != .gone else { return }
    let outlet = exchange.outlet
    fillOutput(exchange)
    let before = outlet.output.count
    if encode(answer, outlet) { exchange.stream.state = .broken }
    outlet.replies += outlet.output.count - before
  }

  /// Leader: sends such answers.
  private func pushReplies(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    pushOutBeside(exchange)
    if connection.isDetached, exchange.outlet.hasOutput { watchOutput(connection) }
  }

  /// Leader: handles an event of a connection whose body goes to an app beside the loop; what came of it is
  /// in the input already, or is received now.
  func feedBeside(_ connection: ConnectionPointer, _ exchange: ExchangePointer, hasReceived: Bool = false) {
    exchange.lock.lock()
    var isNew = exchange.stream.state == .coming
    if isNew, hasReceived {
      feed(connection, exchange)
      if exchange.stream.state == .coming { connection.acknowledge() }
    } else if isNew {
      isNew = receiveStream(connection, exchange)
    }
    let isDone = exchange.stream.state != .coming
    exchange.stream.isFull = exchange.stream.bytes.count >= BodyStream.bound
    let isReadable = isNew && (isDone || !exchange.stream.isGathered)
    if isDone || exchange.stream.isFull || exchange.outlet.isChoked {
      restStream(connection)
    } else if !bodyKeepsPace(connection, exchange) {
      cutStream(connection, exchange)
    }
    if exchange.stream.state == .broken {
      exchange.next(.bodyBroke)
    }
    if isNew { exchange.lock.broadcast() }
    exchange.lock.unlock()
    if isReadable { becameReady(exchange, NSGI_READY_BODY) }
    if exchange.state.isAbandoned { abandoned(exchange) }
  }

  /// Leader: the client has sent nothing, or too little, for too long.
  func streamIsLate(_ connection: ConnectionPointer) {
    guard let exchange = connection.exchange else { return }
    exchange.lock.lock()
    cutStream(connection, exchange)
    exchange.lock.broadcast()
    exchange.lock.unlock()
    becameReady(exchange, NSGI_READY_BODY)
  }

  /// Leader, under the lock: no more of the body is waited for.
  private func cutStream(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    exchange.stream.fail(.late, 408)
    restStream(connection)
  }

  /// Leader: nothing of the body is waited for, for now; bytes that wait to be sent still are.
  private func restStream(_ connection: ConnectionPointer) {
    setInterest(connection, connection.interest.subtracting(.read))
    setTimeoutBeside(connection, connection.interest.contains(.write) ? .write : .none)
    connection.pace.rests()
  }

  /// Leader: starts receiving for an app that reads beside the loop.
  func resumeStream(_ connection: ConnectionPointer, _ exchange: ExchangePointer) {
    exchange.lock.lock()
    feed(connection, exchange)
    let isComing = exchange.stream.state == .coming
    let isChoked = exchange.outlet.isChoked
    exchange.lock.broadcast()
    exchange.lock.unlock()
    if isChoked {
      restStream(connection)
      return watchOutput(connection)
    }
    if isComing {
      setInterest(connection, connection.interest.union(.read))
      if !bodyKeepsPace(connection, exchange) { streamIsLate(connection) }
    } else {
      becameReady(exchange, NSGI_READY_BODY)
    }
  }
}
