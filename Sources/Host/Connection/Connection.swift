import Glibc
import Wire

/// One accepted socket, its input and its codec. Lives in a slab and belongs to the leader alone; the parts
/// that its exchange may look at from beside the loop do not change while the exchange lives: socket, peer,
/// listener and protocol. The way out is a record of its own.
///
/// An idle kept-alive connection owns nothing but this record: blocks and exchange go back to their pools.
struct Connection: ~Copyable {
  /// What the ring does for a connection.
  enum OnRing: UInt8 {
    /// Nothing.
    case no
    /// It receives. May become leaving, no.
    case receiving
    /// It was told to stop receiving, but bytes that it has received meanwhile may still come. Becomes no.
    case leaving
  }

  /// The purpose of a connection's deadline.
  enum Timeout: UInt8 {
    case none, head, body, write, keepAlive, quiet, linger, reset, request, stuck, socket, socketClose
  }

  let slot: UInt32
  /// Counts the lives of the record; part of the epoll token.
  var generation: UInt32 = 0
  var fd: Int32 = -1
  /// What it is doing, and how far its input is (ConnectionTable.swift).
  private(set) var state = State.closed
  private(set) var incoming = Incoming.open
  /// Index of the listener it came from.
  var listener: UInt16 = 0
  var gateway = Gateway.http1
  /// What it waits for; empty while it is not watched.
  var interest: Interest = []
  /// epoll watches it.
  var isRegistered = false
  /// Whether the ring receives for it.
  var onRing = OnRing.no
  /// It has needed more than waiting for input: epoll watches it for the rest of its life.
  var prefersReactor = false
  /// It is in the list of what the ring has brought.
  var hasNews = false
  /// It is in the list of those whose answers leave with the next wait.
  var isOutgoing = false
  /// It is in the worker's list of connections with bytes to parse and no event to come.
  var isPostponed = false
  /// The answered request was the peer's last, and all of it was read: nothing more is expected.
  var expectsNoMore = false
  /// A unix socket, up to the end of the first request: input that may complete that request stays in the
  /// socket too (KeptInput.swift).
  var keepsInput = false
  /// Its socket carries TLS: the outlet's carrier opens and seals the bytes.
  var isSealed = false
  /// Bytes of the input that are still in the socket.
  var kept = 0
  /// Lingering: bytes that may still be read and dropped, and until when (monotonic nanoseconds).
  var lingerBytes = 0
  var lingersUntil: UInt64 = 0
  /// The kernel does not report input of fewer bytes than this.
  var lowWater: Int32 = 1
  /// When the time is over for its request, which waits for a call or is beside the loop, in monotonic
  /// nanoseconds; 0: no time is set.
  var deadline: UInt64 = 0
  /// The pace of the body that is waited for.
  var pace = Pace()
  /// Which deadline runs.
  var timeout = Timeout.none
  /// What must be read before the first request; usually nothing.
  var preface: Preface = []
  /// CGI: the answer is a whole HTTP response (nph- scripts).
  var isNonParsed = false
  /// The request's body comes while its app runs.
  var streamsBody = false
  /// Close once the output is sent.
  var closesAfterOutput = false
  /// HTTP/2: what carries its streams, or carries it as a stream.
  var multiplexer: MultiplexerPointer?
  /// HTTP/2: bytes of the body that the client knows to have been taken.
  var given = 0
  var codec: Codec
  var input = ByteBuffer()
  /// The input block with the head in it, once the connection has moved on to another.
  var headBlock = ByteBuffer()
  /// Bytes to be sent. (Taken into a local where part of it is passed as inout: with the Thread Sanitizer the
  /// compiler of Swift 6.3 fails on the whole path.)
  let outlet: OutletPointer
  var exchange: UnsafeMutablePointer<Exchange>?
  /// What it has become, if an application has accepted that: no more requests come on it.
  var socket: WebSocketPointer?
  var timer = TimerWheel.Entry()
  var peer = PeerAddress()

  init(slot: UInt32, codec: Codec) {
    self.slot = slot
    self.codec = codec
    outlet = .allocate(capacity: 1)
    outlet.initialize(to: Outlet())
  }

  deinit {
    outlet.deinitialize(count: 1)
    outlet.deallocate()
  }

  @inline(__always)
  var token: Token { Token(.connection, slot: slot, generation: generation) }

  /// Does what the table says about an event; nothing else changes `state` and `incoming`.
  @_transparent
  mutating func next(_ event: Event) { (state, incoming) = (state.after(event), incoming.after(event)) }

  /// Makes the record ready for the next connection, once socket and blocks are given back.
  mutating func clear() {
    next(.closed)
    generation &+= 1
    fd = -1
    (interest, isRegistered, onRing, prefersReactor) = ([], false, .no, false)
    (hasNews, isOutgoing, isPostponed, isSealed) = (false, false, false, false)
    (streamsBody, closesAfterOutput, expectsNoMore) = (false, false, false)
    (deadline, lowWater, preface) = (0, 1, [])
  }

}
