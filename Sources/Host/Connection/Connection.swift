import Glibc
import Wire

/// One accepted socket, its input and its codec. Lives in a slab, belongs to the leader alone; what its
/// exchange may look at from beside the loop does not change while the exchange lives: socket, peer, listener
/// and protocol. The way out is a record of its own.
///
/// An idle kept connection owns this record and nothing else: blocks and exchange go back to their pools.
struct Connection: ~Copyable {
  /// What the connection is doing; decides which timeout runs.
  enum State: UInt8 {
    /// The record is free.
    case closed
    /// Between requests. May become readingHead, lingering, closed.
    case idle
    /// A request has begun, its head is incomplete. May become readingBody, calling, lingering.
    case readingHead
    /// The head is there, the body is coming in. May become calling, lingering.
    case readingBody
    /// An application has the request, or it waits in that one's queue. May become writing, idle,
    /// skipping, lingering.
    case calling
    /// FastCGI: the answer came before the end of its request, the rest of which is read over. May become
    /// idle, lingering, closed.
    case skipping
    /// The last answer is complete and waits for the socket. May become lingering, closed.
    case writing
    /// The answer is sent, our side is shut; what still comes in is read and dropped, so that no reset
    /// overtakes the answer. Becomes closed.
    case lingering
  }

  /// What the ring does for a connection.
  enum OnRing: UInt8 {
    /// Nothing.
    case no
    /// It receives. May become leaving, no.
    case receiving
    /// It was told to receive no more, and what it has received meanwhile may still come. Becomes no.
    case leaving
  }

  /// What the deadline of a connection is for.
  enum Timeout: UInt8 { case none, head, body, write, keepAlive, quiet, linger, request, stuck }

  let slot: UInt32
  /// Counts the lives of the record; part of the epoll token.
  var generation: UInt32 = 0
  var fd: Int32 = -1
  var state = State.closed
  /// Index of the listener it came from.
  var listener: UInt16 = 0
  var gateway = Gateway.http1
  /// What it waits for; empty while nobody watches it.
  var interest: Interest = []
  /// epoll watches it.
  var isRegistered = false
  /// Whether the ring receives for it.
  var onRing = OnRing.no
  /// It has needed more than to wait for input: epoll watches it for the rest of its life.
  var prefersReactor = false
  /// It stands in the list of what the ring has brought.
  var hasNews = false
  /// The ring has received the end of its input.
  var hasEnded = false
  /// It stands in the list of those whose answers leave with the next wait.
  var isOutgoing = false
  /// The peer has ended its sending side; what it sent before is still answered.
  var peerEnded = false
  /// It stands in the worker's list of connections with bytes to parse and no event to come.
  var isPostponed = false
  /// The request that was answered was the peer's last, and all of it was read: more is not expected.
  var expectsNoMore = false
  /// Lingering: bytes that are still read over, and until when (monotonic nanoseconds).
  var lingerBytes = 0
  var lingersUntil: UInt64 = 0
  /// Bytes below which the kernel does not tell of input.
  var lowWater: Int32 = 1
  /// When the time of its request is over that waits for a call, or is beside the loop, in monotonic
  /// nanoseconds; 0: no time is set.
  var deadline: UInt64 = 0
  /// How fast the body comes that is waited for.
  var pace = Pace()
  /// Which deadline runs.
  var timeout = Timeout.none
  /// What must be read before the first request; usually nothing.
  var preface: Preface = []
  /// CGI: the answer is a whole HTTP response (nph- scripts).
  var isNonParsed = false
  /// The exchange's call goes on beside the loop, or the exchange is asynchronous: the outlet is guarded by
  /// the exchange's lock, all else stays the leader's.
  var isDetached = false
  /// The request's body comes while its app runs.
  var streamsBody = false
  /// Close once the output is sent.
  var closesAfterOutput = false
  var codec: Codec
  var input = ByteBuffer()
  /// The input block with the head in it, once the connection has moved on to another.
  var headBlock = ByteBuffer()
  /// What is to be sent. (Taken into a local where something of it is passed as inout: with the Thread
  /// Sanitizer the compiler of Swift 6.3 breaks on the whole path.)
  let outlet: OutletPointer
  var exchange: UnsafeMutablePointer<Exchange>?
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

  /// Somebody tells when what it waits for is so.
  @inline(__always)
  var isWatched: Bool { isRegistered || onRing != .no }
  /// Something of an answer is not sent yet.
  @inline(__always)
  var hasOutput: Bool { outlet.pointee.hasOutput }
  /// It closes once the output is sent. (One whose peer is gone is read to its end first: complete requests
  /// may have come before.)
  @inline(__always)
  var isClosing: Bool { closesAfterOutput }

  var token: Token { Token(.connection, slot: slot, generation: generation) }
}
