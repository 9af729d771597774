import Glibc
import Wire

/// One accepted socket, its buffers and its codec. Lives in a slab, belongs to the leader alone.
///
/// An idle kept connection owns this record and nothing else: blocks and exchange go back to their pools.
struct Connection: ~Copyable {
  /// What the connection is doing; decides which timeout runs.
  enum State: UInt8 {
    /// The record is free.
    case closed
    /// Between requests. May become readingHead, closed.
    case idle
    /// A request has begun, its head is incomplete. May become readingBody, calling, lingering.
    case readingHead
    /// The head is there, the body is coming in. May become calling, lingering.
    case readingBody
    /// An application has the request, or it waits in that one's queue. May become writing, idle,
    /// lingering.
    case calling
    /// The answer is complete and waits for the socket. May become idle, lingering, closed.
    case writing
    /// The answer is sent, our side is shut; what still comes in is read and dropped, so that no reset
    /// overtakes the answer. Becomes closed.
    case lingering
  }

  /// What the deadline of a connection is for.
  enum Timeout: UInt8 { case none, head, body, write, keepAlive, linger, request }

  let slot: UInt32
  /// Counts the lives of the record; part of the epoll token.
  var generation: UInt32 = 0
  var fd: Int32 = -1
  var state = State.closed
  /// Index of the listener it came from.
  var listener: UInt16 = 0
  var gateway = Gateway.http1
  /// What epoll watches it for; empty while it is not registered.
  var interest: Interest = []
  var isRegistered = false
  /// The peer has ended its sending side; what it sent before is still answered.
  var peerEnded = false
  /// It stands in the worker's list of connections with bytes to parse and no event to come.
  var isPostponed = false
  /// The request that was answered was the peer's last: a close cannot meet bytes on their way.
  var expectsNoMore = false
  /// Which deadline runs.
  var timeout = Timeout.none
  /// What must be read before the first request; usually nothing.
  var preface: Preface = []
  /// CGI: the answer is a whole HTTP response (nph- scripts).
  var isNonParsed = false
  /// The exchange's call goes on beside the loop: output and socket are the call's, all else stays the
  /// leader's.
  var isDetached = false
  /// Close once the output is sent.
  var closesAfterOutput = false
  var codec: Codec
  var input = ByteBuffer()
  var output = ByteBuffer()
  /// A stretch of a file that follows the output.
  var file = FileStretch()
  /// The socket took no more bytes; epoll tells when it does.
  var isBlocked = false
  var exchange: UnsafeMutablePointer<Exchange>?
  var timer = TimerWheel.Entry()
  var peer = PeerAddress()

  init(slot: UInt32, codec: Codec) {
    self.slot = slot
    self.codec = codec
  }

  /// Something of an answer is not sent yet.
  var hasOutput: Bool { !output.isEmpty || file.left > 0 }

  var token: Token { Token(.connection, slot: slot, generation: generation) }
}

/// A part of an open file that waits to be sent.
struct FileStretch {
  private(set) var fd: Int32 = -1
  var offset: Int64 = 0
  /// Bytes to come.
  var left: Int64 = 0

  init() {}

  /// Owns the descriptor from now on.
  init(fd: Int32, offset: Int64, count: Int64) {
    (self.fd, self.offset, left) = (fd, offset, count)
    if count == 0 { close() }
  }

  mutating func close() {
    if fd >= 0 { System.close(fd) }
    (fd, left) = (-1, 0)
  }
}
