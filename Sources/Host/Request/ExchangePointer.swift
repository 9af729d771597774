import CNSGI
import Glibc
import Wire

/// An exchange in its slab.
typealias ExchangePointer = UnsafeMutablePointer<Exchange>

/// The fields of a record at its fixed address, by the record's pointer alone. (A key path cannot lead
/// through a record that is not copied, so each is written out.)
extension UnsafeMutablePointer where Pointee == Exchange {
  @inline(__always) var slot: UInt32 { pointee.slot }
  @inline(__always) var owner: Unmanaged<Worker> { pointee.owner }
  @inline(__always) var state: ExchangeWord { _read { yield pointee.state } }
  @inline(__always) var lock: Monitor { _read { yield pointee.lock } }
  @inline(__always)
  var isCounted: Bool {
    get { pointee.isCounted }
    nonmutating set { pointee.isCounted = newValue }
  }
  @inline(__always)
  var permit: CallPermit {
    get { pointee.permit }
    nonmutating set { pointee.permit = newValue }
  }
  @inline(__always)
  var thread: pthread_t {
    get { pointee.thread }
    nonmutating set { pointee.thread = newValue }
  }
  @inline(__always)
  var earlyResult: Int32? {
    get { pointee.earlyResult }
    nonmutating set { pointee.earlyResult = newValue }
  }
  @inline(__always)
  var neverWaits: Bool {
    get { pointee.neverWaits }
    nonmutating set { pointee.neverWaits = newValue }
  }
  @inline(__always)
  var ready: ReadyCall {
    _read { yield pointee.ready }
    nonmutating _modify { yield &pointee.ready }
  }
  @inline(__always)
  var readyRunner: pthread_t? {
    get { pointee.readyRunner }
    nonmutating set { pointee.readyRunner = newValue }
  }
  @inline(__always)
  var stream: BodyStream {
    _read { yield pointee.stream }
    nonmutating _modify { yield &pointee.stream }
  }
  @inline(__always)
  var socket: WebSocketPointer? {
    get { pointee.socket }
    nonmutating set { pointee.socket = newValue }
  }
  @inline(__always)
  var socketCall: SocketCall {
    get { pointee.socketCall }
    nonmutating set { pointee.socketCall = newValue }
  }
  @inline(__always)
  var follower: ExchangePointer? {
    get { pointee.follower }
    nonmutating set { pointee.follower = newValue }
  }
  @inline(__always)
  var connection: ConnectionPointer {
    get { pointee.connection }
    nonmutating set { pointee.connection = newValue }
  }
  @inline(__always)
  var outlet: OutletPointer {
    get { pointee.outlet }
    nonmutating set { pointee.outlet = newValue }
  }
  @inline(__always)
  var head: RequestHead {
    _read { yield pointee.head }
    nonmutating _modify { yield &pointee.head }
  }
  @inline(__always)
  var base: UnsafeMutableRawPointer {
    get { pointee.base }
    nonmutating set { pointee.base = newValue }
  }
  @inline(__always)
  var arena: Arena {
    _read { yield pointee.arena }
    nonmutating _modify { yield &pointee.arena }
  }
  @inline(__always)
  var meta: MetaVariables {
    _read { yield pointee.meta }
    nonmutating _modify { yield &pointee.meta }
  }
  @inline(__always)
  var isNormalized: Bool {
    get { pointee.isNormalized }
    nonmutating set { pointee.isNormalized = newValue }
  }
  @inline(__always) var request: UnsafeMutablePointer<nsgi_request> { pointee.request }
  @inline(__always)
  var body: RequestBody {
    _read { yield pointee.body }
    nonmutating _modify { yield &pointee.body }
  }
  @inline(__always)
  var response: ResponseHead {
    _read { yield pointee.response }
    nonmutating _modify { yield &pointee.response }
  }
  @inline(__always)
  var plan: ResponsePlan {
    _read { yield pointee.plan }
    nonmutating _modify { yield &pointee.plan }
  }
  @inline(__always)
  var held: ByteBuffer {
    _read { yield pointee.held }
    nonmutating _modify { yield &pointee.held }
  }
  @inline(__always)
  var isHeld: Bool {
    get { pointee.isHeld }
    nonmutating set { pointee.isHeld = newValue }
  }
  @inline(__always)
  var written: Int64 {
    get { pointee.written }
    nonmutating set { pointee.written = newValue }
  }
  @inline(__always)
  var isUnderway: Bool {
    get { pointee.isUnderway }
    nonmutating set { pointee.isUnderway = newValue }
  }
  @inline(__always)
  var sendsFile: Bool {
    get { pointee.sendsFile }
    nonmutating set { pointee.sendsFile = newValue }
  }
  @inline(__always)
  var calls: AppCallsPointer? {
    get { pointee.calls }
    nonmutating set { pointee.calls = newValue }
  }
  @inline(__always)
  var lists: EnvironLists {
    _read { yield pointee.lists }
    nonmutating _modify { yield &pointee.lists }
  }
  @inline(__always)
  var routing: Routing? {
    get { pointee.routing }
    nonmutating set { pointee.routing = newValue }
  }
  @inline(__always)
  var began: UInt64 {
    get { pointee.began }
    nonmutating set { pointee.began = newValue }
  }

  // MARK: Derived properties

  @inline(__always) var id: nsgi_id { pointee.id }
  @inline(__always) var worker: Worker { pointee.worker }
  @inline(__always) var phase: ExchangeState.Phase { pointee.state.phase }
  @inline(__always) var isDetached: Bool { pointee.state.isDetached }
  @inline(__always) var isOver: Bool { pointee.state.isOver }
  @inline(__always) var isHead: Bool { pointee.isHead }
  @inline(__always) var bodyReceived: Int64 { pointee.bodyReceived }
  var requestLine: String { pointee.requestLine }

  /// Adds a field behind the body of which the line has come.
  func keepTrailer(line: UnsafeRawBufferPointer) { pointee.keepTrailer(line: line) }
  /// Makes the record ready for the next request.
  @inline(__always) func clear() { pointee.clear() }

  /// The thread that holds it: does what the table says about an event.
  @_transparent
  @discardableResult
  func next(_ event: ExchangeState.Event) -> ExchangeState.Action { pointee.state.next(event) }
  /// Any thread: does what the table says about an event that others race with.
  @_transparent
  func race(_ event: ExchangeState.Event, likely: ExchangeState.Owner) -> ExchangeState.Action {
    pointee.state.race(event, likely: likely)
  }
}
