import CNSGI
import Glibc
import Synchronization
import Wire

/// One request and its response, from first byte to last. Taken from a slab when a request begins and given
/// back, with all its memory, when the answer is encoded; an app knows it by `id` alone.
///
/// It has one owner at a time: the leader; during a call on the loop, the thread that is inside the host; off
/// the loop, the thread that holds `lock` (`ExchangeState.Owner`). Only the atomics are read without.
struct Exchange: ~Copyable {
  let slot: UInt32
  /// The worker that the slab belongs to; used on the hot path without a retain.
  let owner: Unmanaged<Worker>
  var worker: Worker { owner.takeUnretainedValue() }
  /// The app's name for the exchange: 32 bits that count the lives of the record, never 0; 8 bits worker, 24
  /// bits slot. Read by any thread.
  private let number: Atomic<UInt64>
  /// How far it is, who may touch it, and how it ends.
  let state = ExchangeWord()
  /// Guards a detached exchange, its response and its connection's output.
  let lock = Monitor()
  /// An app had it: it is on the scoreboard.
  var isCounted = false
  /// Whether its call counts among those that the app may have at once.
  var permit = CallPermit.held
  /// The thread of its call.
  var thread = pthread_t()
  /// The result that finish() was given before call() had returned.
  var earlyResult: Int32?
  /// NSGI_NONBLOCKING: host functions answer NSGI_AGAIN, the call stays on the loop.
  var neverWaits = false
  /// What on_ready() waits for.
  var ready = ReadyCall()
  /// The thread that runs the function given to on_ready().
  var readyRunner: pthread_t?
  /// The body comes while the app runs (NSGI_STREAMS_IN).
  var stream = BodyStream()
  /// The WebSocket that its response has made of its connection, or that its call belongs to.
  var socket: WebSocketPointer?
  /// The event of that WebSocket that it is called for.
  var socketCall = SocketCall.none
  /// The next in an application's queue.
  var follower: UnsafeMutablePointer<Exchange>?
  /// The leader's; see there what an exchange may look at.
  var connection: UnsafeMutablePointer<Connection>
  /// The connection's way out; changes its owner with the exchange.
  var outlet: OutletPointer
  var head: RequestHead
  /// Where the ranges of `head` count from.
  var base: UnsafeMutableRawPointer
  var arena: Arena
  var meta = MetaVariables()
  /// `meta` describes this request; the lists may be built.
  var isNormalized = false
  /// The view that the full form gets.
  let request: UnsafeMutablePointer<nsgi_request>
  var body = RequestBody()
  var response: ResponseHead
  var plan = ResponsePlan.none
  /// Bytes of the first write, held back until a second one or the end tells the length.
  var held = ByteBuffer()
  var isHeld = false
  /// Body bytes the app has written, sent or not (HEAD).
  var written: Int64 = 0
  /// Something of the response may have been sent before its end.
  var isUnderway = false
  /// The body is a file that the app named with X-Sendfile.
  var sendsFile = false
  /// The app that answers, once the head is normalised: it stays, even if another one takes that app's place.
  var calls: AppCallsPointer?
  /// Lists that were built on first use; in the arena.
  var lists = EnvironLists()
  /// Fields behind its body; nil for none.
  var trailers: UnsafeMutablePointer<RequestTrailers>?
  /// What rules have changed about it; nil for nothing.
  var routing: Routing?
  /// Monotonic nanoseconds when the head was complete.
  var began: UInt64 = 0
  /// The request's id in logs, once somebody has asked for it; in the arena.
  var requestName = Text.absent
  /// Variables that the app has set for the request's line, the last one first; in the arena.
  var logvars: UnsafeMutablePointer<LogVariable>?
  /// Its time is over.
  var isLate = false
  /// Monotonic nanoseconds at which its time is over: as for any request, and as its app has bounded it; 0:
  /// never.
  var deadlines: (usual: UInt64, own: UInt64) = (0, 0)

  init(slot: UInt32, worker: Worker, fields: Int, responseHeadBytes: Int) {
    self.slot = slot
    owner = .passUnretained(worker)
    number = Atomic((1 << 32) | UInt64(WorkerRegistry.key(worker: worker.number, slot: slot)))
    connection = UnsafeMutablePointer(bitPattern: 8)!
    outlet = OutletPointer(bitPattern: 8)!
    base = UnsafeMutableRawPointer(bitPattern: 8)!
    head = RequestHead(capacity: fields)
    arena = Arena(size: Exchange.arenaBytes)
    response = ResponseHead(limit: responseHeadBytes)
    request = .allocate(capacity: 1)
    request.initialize(to: nsgi_request())
    request.pointee.size = UInt32(MemoryLayout<nsgi_request>.size)
  }

  deinit { request.deallocate() }

  /// Bytes of the arena's first block: the environ of a usual request fits.
  static let arenaBytes = 4096

  @inline(__always) var id: nsgi_id { number.load(ordering: .relaxed) }

  @inline(__always) var phase: ExchangeState.Phase { state.phase }
  @inline(__always) var isDetached: Bool { state.isDetached }
  @inline(__always) var isOver: Bool { state.isOver }

  @inline(__always)
  var isHead: Bool { meta.method.count == 4 && Ascii.equals(meta.method.bytes, "HEAD") }

  /// What trailers() is given reaches the client, if its response has a place for it.
  @inline(__always)
  var takesTrailers: Bool { request.pointee.flags & NSGI_TAKES_TRAILERS.rawValue != 0 }

  /// Bytes of the body that have come so far.
  var bodyReceived: Int64 { stream.isOpen && !stream.isGathered ? stream.received : body.length }

  /// From now on nobody reaches the exchange by the id that the app has.
  @inline(__always)
  func retireID() {
    // Skips 0 if an id wraps around after 2^32 lives of one record.
    let next = id &+ (1 << 32)
    number.store(next >> 32 == 0 ? next | (1 << 32) : next, ordering: .relaxed)
  }

  /// Makes the record ready for the next request.
  mutating func clear() {
    state.next(.ended)
    retireID()
    // Keeps anything of this request from being taken for the next one's: its memory is gone.
    meta = MetaVariables()
    plan = .none
    isNormalized = false
    began = 0
    (requestName, logvars, trailers, deadlines) = (.absent, nil, nil, (0, 0))
    arena.reset()
    // For HTTP/2, which assembles its heads: otherwise a peak of requests would keep their memory.
    if head.assembled.block != nil { head.assembled = ByteBuffer() }
    body.reset()
    response.end()
    if isHeld {
      held.removeAll()
      isHeld = false
    }
    (sendsFile, isUnderway, isLate) = (false, false, false)
    (isCounted, earlyResult, neverWaits) = (false, nil, false)
    if ready.what != 0 { ready = ReadyCall() }
    if stream.isOpen { stream.reset() }
    if socket != nil { (socket, socketCall) = (nil, .none) }
    follower = nil
    written = 0
    lists = EnvironLists()
    if routing != nil { routing = nil }
  }

  /// Fills the view that the full form gets; all strings end with NUL and live as long as the exchange.
  @inline(__always)
  func fillRequest() {
    request.pointee.id = id
    request.pointee.method = nsgi_str(meta.method)
    request.pointee.script_name = nsgi_str(meta.scriptName)
    request.pointee.path_info = nsgi_str(meta.pathInfo)
    request.pointee.query = nsgi_str(meta.query)
    request.pointee.protocol = nsgi_str(meta.serverProtocol)
    request.pointee.scheme = nsgi_str(meta.scheme)
    request.pointee.remote_addr = nsgi_str(meta.remoteAddr)
    request.pointee.content_type = nsgi_str(meta.contentType.start == nil ? .empty : meta.contentType)
    request.pointee.content_length = meta.contentLength
    var flags: UInt32 = 0
    if meta.scheme.count == 5 { flags |= NSGI_TLS.rawValue }
    if meta.contentLength != 0 { flags |= NSGI_HAS_BODY.rawValue }
    if meta.contentLength < 0 { flags |= NSGI_LENGTH_UNKNOWN.rawValue }
    if isHead { flags |= NSGI_HEAD_ONLY.rawValue }
    if head.takesInterim {
      flags |= NSGI_TAKES_INTERIM.rawValue
      if head.takesTrailers(in: base) { flags |= NSGI_TAKES_TRAILERS.rawValue }
    }
    request.pointee.flags = flags
  }
}

extension UnsafeMutablePointer where Pointee == Exchange {
  /// The encoder of its answer, in the protocol of its connection.
  @inline(__always)
  var encoder: ResponseEncoder {
    let connection = pointee.connection
    return ResponseEncoder(
      connection.gateway, isNonParsed: connection.isNonParsed,
      minorVersion: pointee.head.minorVersion, requestID: connection.codec.requestID)
  }
}

extension nsgi_str {
  @inline(__always)
  init(_ text: Text) {
    self.init(p: UnsafeRawPointer(text.start)?.assumingMemoryBound(to: CChar.self), n: text.count)
  }

  @inline(__always)
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: p, count: p == nil ? 0 : n) }
}

extension nsgi_pair {
  @inline(__always)
  init(_ name: Text, _ value: Text) { self.init(name: nsgi_str(name), value: nsgi_str(value)) }
}
