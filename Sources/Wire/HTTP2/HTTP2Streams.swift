/// A stream, from its request to its end (RFC 9113 §5.1).
struct HTTP2Stream: Sendable {
  /// Which side has not ended yet. Before that a stream is idle, and after it closed: neither is in the
  /// table. (Nothing is pushed, so none is ever reserved.)
  enum State: UInt8, Sendable, CaseIterable {
    /// Both. Becomes halfClosedRemote, halfClosedLocal, closed.
    case open
    /// The client has ended. Becomes closed.
    case halfClosedRemote
    /// The answer is sent, but more of the request may come. Becomes closed.
    case halfClosedLocal
    case closed

    /// The events of a stream.
    enum Event: CaseIterable {
      /// END_STREAM came from the client.
      case requestEnded
      /// END_STREAM went to the client.
      case answerEnded
      /// RST_STREAM, from either side.
      case reset
    }

    func after(_ event: Event) -> State {
      switch event {
      case .requestEnded:
        switch self {
        case .open: .halfClosedRemote
        case .halfClosedLocal: .closed
        case .halfClosedRemote, .closed: self
        }
      case .answerEnded:
        switch self {
        case .open: .halfClosedLocal
        case .halfClosedRemote: .closed
        case .halfClosedLocal, .closed: self
        }
      case .reset: .closed
      }
    }

    /// More of the request may come.
    var receives: Bool {
      switch self {
      case .open, .halfClosedLocal: true
      case .halfClosedRemote, .closed: false
      }
    }
  }

  let id: UInt32
  private(set) var state: State
  /// Bytes that the client takes; may be below 0 (§6.9.2).
  var sendWindow: Int
  /// Bytes that the client may send.
  var receiveWindow: Int
  /// The same when none have come that were not given back: the size of the window.
  var window: Int
  /// Bytes that have come, but nobody has taken.
  var held = 0
  /// Bytes that were taken, but not yet reported to the client.
  var unsaid = 0
  /// The length that the request has announced; -1 if none.
  var announced: Int64 = -1
  /// Bytes of the body that have come.
  var received: Int64 = 0
  /// The same when the last measurement began.
  var measuredFrom: Int64 = 0
  /// Its request was an extended CONNECT: only DATA comes after the head (§8.5, RFC 8441 §5).
  var isTunnel = false
  /// What its client has said of it (RFC 9218); nil if nothing.
  var priority: HTTP2Priority?
  /// Bytes of its answer that have moved.
  var moved = 0

  init(id: UInt32, ends: Bool, sendWindow: Int, receiveWindow: Int) {
    self.id = id
    state = ends ? .halfClosedRemote : .open
    (self.sendWindow, self.receiveWindow, window) = (sendWindow, receiveWindow, receiveWindow)
  }

  mutating func next(_ event: State.Event) { state = state.after(event) }
}

/// The open streams of a connection, and how the last ones ended.
struct HTTP2Streams: ~Copyable {
  /// How a stream has ended.
  enum Ending: UInt8 {
    /// Both sides have ended.
    case complete
    /// This side has reset it: frames that the client sent before it knew are ignored (§5.4.2).
    case resetHere
    /// The client has reset it.
    case resetThere
  }

  private let streams: UnsafeMutablePointer<HTTP2Stream>
  private let capacity: Int
  private(set) var count = 0
  /// The last ones that ended by themselves or by the client, in a ring.
  private var ended = InlineArray<64, UInt64>(repeating: 0)
  private var endedCount = 0
  /// The last ones that this side has reset, in a ring of their own: a client that does not know yet may
  /// still send, even trailers after a long body, however many others have ended meanwhile (RFC 9113 §5.1).
  private var resetHere = InlineArray<256, UInt32>(repeating: 0)
  private var resetCount = 0

  init(capacity: Int) {
    self.capacity = capacity
    streams = .allocate(capacity: capacity)
  }

  deinit { streams.deallocate() }

  var isFull: Bool { count == capacity }

  subscript(place: Int) -> HTTP2Stream {
    _read { yield streams[place] }
    nonmutating _modify { yield &streams[place] }
  }

  /// The place of a stream; the latest are looked at first.
  @inline(__always)
  func find(_ id: UInt32) -> Int? {
    var place = count &- 1
    while place >= 0 {
      if streams[place].id == id { return place }
      place &-= 1
    }
    return nil
  }

  mutating func add(_ stream: HTTP2Stream) {
    precondition(count < capacity)
    (streams + count).initialize(to: stream)
    count += 1
  }

  /// Removes a stream that is over.
  mutating func remove(_ place: Int, _ ending: Ending) {
    note(streams[place].id, ending)
    count -= 1
    if place < count { streams[place] = streams[count] }
  }

  /// Notes a stream that was over before it was begun.
  mutating func note(_ id: UInt32, _ ending: Ending) {
    if ending == .resetHere {
      resetHere[resetCount & 255] = id
      resetCount &+= 1
      return
    }
    ended[endedCount & 63] = UInt64(id) << 8 | UInt64(ending.rawValue)
    endedCount &+= 1
  }

  /// How a stream has ended, if that was recent.
  func ending(_ id: UInt32) -> Ending? {
    for index in resetHere.indices where resetHere[index] == id && id != 0 { return .resetHere }
    for index in ended.indices where ended[index] >> 8 == UInt64(id) && id != 0 {
      return Ending(rawValue: UInt8(truncatingIfNeeded: ended[index]))
    }
    return nil
  }
}
