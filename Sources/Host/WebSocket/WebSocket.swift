import CNSGI
import Glibc
import Synchronization
import Wire

/// A WebSocket in its slab.
typealias WebSocketPointer = UnsafeMutablePointer<WebSocket>

/// The handler that a call is for; an exchange that carries such a call has no request of its own.
enum SocketCall: UInt8 {
  /// The call belongs to a request, perhaps the accepting one.
  case none
  case message
  case drain
  case closed
}

/// One WebSocket, from the answer that accepts it to its end. An application knows it only by `id`.
///
/// An idle one owns this record and its connection's, and no block: messages are assembled in a buffer that
/// is freed with them, and each call of a handler takes an exchange, which gives it everything that calls
/// have.
struct WebSocket: ~Copyable {
  enum State: UInt8 {
    /// In the slab.
    case free
    /// Accepted; the answer has not reached the leader, which gives the socket its connection.
    case opening
    /// Messages go both ways.
    case open
    /// Our close frame is written; waiting for the client's.
    case closing
    /// Nothing is sent any more.
    case closed
  }

  let slot: UInt32
  let owner: Unmanaged<Worker>
  /// Like an exchange's number, with a slot that no exchange has. Read by any thread.
  private let number: Atomic<UInt64>
  /// Guards what follows, and the outlet of its connection.
  let lock = Monitor()
  var state = State.free
  /// nil until the leader has given it its connection.
  var connection: ConnectionPointer?
  /// Frames that were sent before that.
  var early = ByteBuffer()
  /// The application gets no message until it says so.
  var isPaused = false
  /// send() has answered NSGI_AGAIN.
  var wantsDrain = false
  /// The leader was asked to look.
  var isAnnounced = false
  /// The peer is gone, as a sender has found.
  var isLost = false
  var topics: [String] = []
  /// The agreed parameters; nil without compression.
  var deflate: WebSocketDeflate?
  /// The compressor of sent messages, with context takeover.
  var deflater: Deflater?

  // For the leader, once the socket has its connection.

  var reader: WebSocketReader
  var calls: AppCallsPointer?
  var handlers = nsgi_ws_handlers()
  var argument: UnsafeMutableRawPointer?
  /// The target of its request, for logs.
  var target = [UInt8]()
  /// A message that did not come in one piece.
  var message = ByteBuffer()
  /// The decompressor of received messages, with context takeover.
  var inflater: Deflater?
  /// The bytes that are lent to the handler.
  var lent = UnsafeRawBufferPointer.none
  var isText = false
  /// There is room again, and the application has to be told.
  var owesDrain = false
  /// Bytes have come since the last check, and a ping has gone out since then.
  var wasHeard = false
  var isPinged = false
  /// Bytes of messages that have come; a client has to keep up a pace while one is incomplete.
  var received: Int64 = 0
  /// Once our close frame is out: until when to wait for the client's (monotonic nanoseconds); 0 before.
  var closesBy: UInt64 = 0
  /// What is wrong with its input, of which nothing more is read; it closes in the next turn.
  var failure: WebSocketError?
  /// It is over with this code, which closed() will be told.
  var endCode: UInt16 = 0
  var endReason = [UInt8]()

  init(slot: UInt32, worker: Worker) {
    self.slot = slot
    owner = .passUnretained(worker)
    number = Atomic(
      (1 << 32) | UInt64(WorkerRegistry.key(worker: worker.number, slot: slot | WebSocket.mark)))
    reader = WebSocketReader(limits: WebSocketLimits(messageBytes: 0, fragments: 0), inflates: false)
  }

  /// The bit of a slot's number that exchanges never have.
  static let mark: UInt32 = 1 << 23

  @inline(__always) var id: nsgi_ws_id { number.load(ordering: .relaxed) }

  /// Under the lock: the record is free, and the app's id no longer reaches it.
  mutating func clear() {
    let next = id &+ (1 << 32)
    number.store(next >> 32 == 0 ? next | (1 << 32) : next, ordering: .relaxed)
    (state, connection) = (.free, nil)
    early = ByteBuffer()
    (isPaused, wantsDrain, isAnnounced, isLost) = (false, false, false, false)
    (topics, deflate, deflater) = ([], nil, nil)
    (calls, argument, target) = (nil, nil, [])
    handlers = nsgi_ws_handlers()
    (inflater, lent) = (nil, UnsafeRawBufferPointer.none)
    message = ByteBuffer()
    (owesDrain, wasHeard, isPinged) = (false, false, false)
    (received, closesBy, failure) = (0, 0, nil)
    (endCode, endReason) = (0, [])
  }
}

extension UnsafeMutablePointer where Pointee == WebSocket {
  @inline(__always) var id: nsgi_ws_id { pointee.id }
  @inline(__always) var worker: Worker { pointee.owner.takeUnretainedValue() }

  /// Any thread: works on the socket under its lock.
  func locked<Answer>(_ body: () -> Answer) -> Answer {
    pointee.lock.lock()
    defer { pointee.lock.unlock() }
    return body()
  }

  /// "GET /chat", for a line of the log.
  var line: String { "GET " + String(decoding: pointee.target, as: UTF8.self) }
}
