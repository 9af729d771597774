import CNSGI
import Wire

/// What the loop needs of an application for each request, in one plain record at a fixed address: it has no
/// references, so that a call retains nothing. Its counters belong to the leader.
struct AppCalls {
  /// Under way, on the loop or beside it.
  var active = 0
  /// Exchanges that belong to this app, from the end of their head to their own end.
  var exchanges = 0
  /// Of these, the asynchronous ones whose call has returned.
  var asynchronous = 0
  /// Calls that wait for their clients and do not count as under way (CallPermit.swift).
  var absent = 0
  /// The host thread that has called last; see `HostThread`.
  var caller: UInt64 = 0
  /// `threads` for an app that is thread-safe, otherwise 1.
  let limit: Int
  /// NSGI_NONBLOCKING: the app never waits in a host function.
  let neverWaits: Bool
  /// Its calls may be slow, and are taken off the loop then. Those of an app that never waits stay on it, but
  /// for an app with a guest loop, whose code is not its own.
  let isWatched: Bool
  /// NSGI_MAY_ASYNC: call() may answer NSGI_ASYNC.
  let mayAsync: Bool
  /// NSGI_STREAMS_IN: call() comes before the whole body.
  let streamsIn: Bool
  /// The application's place in the configuration.
  let place: Int
  /// Counts the builds of this application from 1.
  let generation: UInt32
  /// The app has to be told about host threads.
  let watchesThreads: Bool
  /// The application it is part of.
  private let owner: Unmanaged<App>
  fileprivate let plain: PlainForm.Callable?
  fileprivate let full: (@convention(c) (UnsafeMutableRawPointer?, UnsafePointer<nsgi_request>?) -> Int32)?
  fileprivate let state: UnsafeMutableRawPointer?
  /// What the plain form gets; here, because a lazy static checks at each call whether it exists.
  fileprivate let environ = PlainForm.environ
  /// Requests in the queue.
  private(set) var waiting = 0
  private var first: ExchangePointer?
  private var last: ExchangePointer?

  /// - Parameter threads: calls under way at once at most, if the app is thread-safe.
  init(_ app: App, threads: Int) {
    owner = .passUnretained(app)
    place = app.place
    let generation = app.generation
    self.generation = generation.number
    limit = generation.isThreadSafe ? threads : 1
    neverWaits = generation.flags & NSGI_NONBLOCKING.rawValue != 0
    isWatched = !neverWaits || GuestLoops.led != nil
    mayAsync = generation.flags & NSGI_MAY_ASYNC.rawValue != 0
    streamsIn = generation.streamsIn
    switch generation.form {
    case .plain(let function): (plain, full, state, watchesThreads) = (function, nil, nil, false)
    case .full(let table):
      (plain, full, state, watchesThreads) = (nil, table.call, generation.state, table.thread != nil)
    }
  }

  /// What the start says about it (`Spread`): its threads at most; 0 for an app whose calls never wait and
  /// may leave their requests to be answered later, like those of ASGI: its own event loop serves them.
  var threads: Int { neverWaits && mayAsync ? 0 : limit }

  /// For log lines, and anything that is not hot.
  var app: App { owner.takeUnretainedValue() }

  /// Exchanges that still have to be called.
  var uncalled: Int { exchanges - active - absent - asynchronous }

  // MARK: The queue

  mutating func append(_ exchange: ExchangePointer) {
    exchange.follower = nil
    if let last { last.follower = exchange } else { first = exchange }
    last = exchange
    waiting += 1
  }

  /// Takes a waiting one out; false if it does not wait.
  mutating func remove(_ exchange: ExchangePointer) -> Bool {
    var before: ExchangePointer?
    var place = first
    while let found = place, found != exchange { (before, place) = (found, found.follower) }
    guard place != nil else { return false }
    if let before { before.follower = exchange.follower } else { first = exchange.follower }
    if last == exchange { last = before }
    waiting -= 1
    return true
  }

  mutating func next() -> ExchangePointer? {
    guard let exchange = first else { return nil }
    first = exchange.follower
    if first == nil { last = nil }
    waiting -= 1
    return exchange
  }
}

extension UnsafeMutablePointer where Pointee == AppCalls {
  /// Calls the app with the exchange; its nsgi_result. (Of the pointer, so that the record is not copied.)
  @inline(__always)
  func call(_ exchange: ExchangePointer) -> Int32 {
    if let plain = pointee.plain { return plain(pointee.environ, PlainForm.startResponse) }
    exchange.pointee.fillRequest()
    return pointee.full!(pointee.state, exchange.request)
  }
}
