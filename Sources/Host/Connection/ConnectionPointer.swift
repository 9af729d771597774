import Wire

/// A connection in its slab.
typealias ConnectionPointer = UnsafeMutablePointer<Connection>

/// The fields of a record at its fixed address, by the record's pointer alone. (A key path cannot lead
/// through a record that is not copied, so each is written out.)
extension UnsafeMutablePointer where Pointee == Connection {
  @inline(__always) var slot: UInt32 { pointee.slot }
  @inline(__always)
  var generation: UInt32 {
    get { pointee.generation }
    nonmutating set { pointee.generation = newValue }
  }
  @inline(__always)
  var fd: Int32 {
    get { pointee.fd }
    nonmutating set { pointee.fd = newValue }
  }
  @inline(__always) var state: Connection.State { pointee.state }
  @inline(__always) var incoming: Connection.Incoming { pointee.incoming }
  @inline(__always)
  var listener: UInt16 {
    get { pointee.listener }
    nonmutating set { pointee.listener = newValue }
  }
  @inline(__always)
  var gateway: Gateway {
    get { pointee.gateway }
    nonmutating set { pointee.gateway = newValue }
  }
  @inline(__always)
  var interest: Interest {
    get { pointee.interest }
    nonmutating set { pointee.interest = newValue }
  }
  @inline(__always)
  var isRegistered: Bool {
    get { pointee.isRegistered }
    nonmutating set { pointee.isRegistered = newValue }
  }
  @inline(__always)
  var onRing: Connection.OnRing {
    get { pointee.onRing }
    nonmutating set { pointee.onRing = newValue }
  }
  @inline(__always)
  var prefersReactor: Bool {
    get { pointee.prefersReactor }
    nonmutating set { pointee.prefersReactor = newValue }
  }
  @inline(__always)
  var hasNews: Bool {
    get { pointee.hasNews }
    nonmutating set { pointee.hasNews = newValue }
  }
  @inline(__always)
  var isOutgoing: Bool {
    get { pointee.isOutgoing }
    nonmutating set { pointee.isOutgoing = newValue }
  }
  @inline(__always)
  var isPostponed: Bool {
    get { pointee.isPostponed }
    nonmutating set { pointee.isPostponed = newValue }
  }
  @inline(__always)
  var expectsNoMore: Bool {
    get { pointee.expectsNoMore }
    nonmutating set { pointee.expectsNoMore = newValue }
  }
  @inline(__always)
  var keepsInput: Bool {
    get { pointee.keepsInput }
    nonmutating set { pointee.keepsInput = newValue }
  }
  @inline(__always)
  var isSealed: Bool {
    get { pointee.isSealed }
    nonmutating set { pointee.isSealed = newValue }
  }
  @inline(__always)
  var kept: Int {
    get { pointee.kept }
    nonmutating set { pointee.kept = newValue }
  }
  @inline(__always)
  var lingerBytes: Int {
    get { pointee.lingerBytes }
    nonmutating set { pointee.lingerBytes = newValue }
  }
  @inline(__always)
  var lingersUntil: UInt64 {
    get { pointee.lingersUntil }
    nonmutating set { pointee.lingersUntil = newValue }
  }
  @inline(__always)
  var lowWater: Int32 {
    get { pointee.lowWater }
    nonmutating set { pointee.lowWater = newValue }
  }
  @inline(__always)
  var deadline: UInt64 {
    get { pointee.deadline }
    nonmutating set { pointee.deadline = newValue }
  }
  @inline(__always)
  var pace: Pace {
    _read { yield pointee.pace }
    nonmutating _modify { yield &pointee.pace }
  }
  @inline(__always)
  var timeout: Connection.Timeout {
    get { pointee.timeout }
    nonmutating set { pointee.timeout = newValue }
  }
  @inline(__always)
  var preface: Preface {
    get { pointee.preface }
    nonmutating set { pointee.preface = newValue }
  }
  @inline(__always)
  var isNonParsed: Bool {
    get { pointee.isNonParsed }
    nonmutating set { pointee.isNonParsed = newValue }
  }
  @inline(__always)
  var streamsBody: Bool {
    get { pointee.streamsBody }
    nonmutating set { pointee.streamsBody = newValue }
  }
  @inline(__always)
  var closesAfterOutput: Bool {
    get { pointee.closesAfterOutput }
    nonmutating set { pointee.closesAfterOutput = newValue }
  }
  @inline(__always)
  var multiplexer: MultiplexerPointer? {
    get { pointee.multiplexer }
    nonmutating set { pointee.multiplexer = newValue }
  }
  @inline(__always)
  var given: Int {
    get { pointee.given }
    nonmutating set { pointee.given = newValue }
  }
  @inline(__always)
  var codec: Codec {
    _read { yield pointee.codec }
    nonmutating _modify { yield &pointee.codec }
  }
  @inline(__always)
  var input: ByteBuffer {
    _read { yield pointee.input }
    nonmutating _modify { yield &pointee.input }
  }
  @inline(__always)
  var headBlock: ByteBuffer {
    _read { yield pointee.headBlock }
    nonmutating _modify { yield &pointee.headBlock }
  }
  @inline(__always) var outlet: OutletPointer { pointee.outlet }
  @inline(__always)
  var exchange: ExchangePointer? {
    get { pointee.exchange }
    nonmutating set { pointee.exchange = newValue }
  }
  @inline(__always)
  var socket: WebSocketPointer? {
    get { pointee.socket }
    nonmutating set { pointee.socket = newValue }
  }
  @inline(__always)
  var peer: PeerAddress {
    _read { yield pointee.peer }
    nonmutating _modify { yield &pointee.peer }
  }

  // MARK: Derived properties

  /// It will be told when the condition that it waits for holds.
  @inline(__always) var isWatched: Bool { isRegistered || onRing != .no }
  /// Its exchange is off the loop: the outlet is guarded by the exchange's lock, everything else stays the
  /// leader's.
  @inline(__always) var isDetached: Bool { exchange.map { $0.isDetached } ?? false }
  /// Part of an answer is not sent yet.
  @inline(__always) var hasOutput: Bool { outlet.hasOutput }
  /// It closes once the output is sent. (If the peer is gone, its input is read to the end first: complete
  /// requests may have come before.)
  @inline(__always) var isClosing: Bool { closesAfterOutput }
  @inline(__always) var token: Token { pointee.token }

  /// Does what the table says about an event.
  @_transparent func next(_ event: Connection.Event) { pointee.next(event) }
}

/// What a connection can do and tell without its worker.
extension UnsafeMutablePointer where Pointee == Connection {
  /// Something incomplete is there, and nothing more is waiting. A peer may hold back a small rest until it
  /// gets an acknowledgement (Nagle's algorithm, RFC 1122 §4.2.3.4), which the kernel delays for 40 ms
  /// (§4.2.3.2): nginx sends a POST over a kept FastCGI connection like this.
  func acknowledge() { if peer.isInternet, !isStream { System.acknowledge(fd) } }

  /// Bytes from the peer wait to be served. With HTTP/2, an incomplete frame may stay in the input for ever.
  var hasInput: Bool { !isCarrier && !input.isEmpty || !isStream && System.hasInput(fd) }

  /// Bytes received now may be the end of a request: it has to stay in the socket (KeptInput.swift).
  var mayBeLast: Bool {
    switch state {
    case .idle, .readingHead: true
    case .closed, .readingBody, .calling, .skipping, .writing, .lingering, .upgraded:
      1...Int64(BlockPool.blockBytes) ~= codec.bodyLeft
    }
  }

  /// What it waits for while its socket is full: the input of a peer that sends everything before it reads
  /// has to be dropped when the connection closes, or both wait for each other.
  var interestWhenBlocked: Interest {
    isCarrier || closesAfterOutput && incoming != .ended && !outlet.isCut ? [.read, .write] : .write
  }
}
