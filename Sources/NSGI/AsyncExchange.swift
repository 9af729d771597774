import CNSGI
import Synchronization

/// One request of an `AsyncApp` on its way: guards the host's functions, which are for one thread at a
/// time, and waits for the host without a thread.
final class AsyncExchange: Sendable {
  /// What can be waited for.
  enum Condition {
    /// Bytes of the body, or its end.
    case body
    /// Room for bytes of the response.
    case space
  }

  private struct State {
    /// finish() has been called: nothing lent is alive any more.
    var isOver = false
    /// The client is gone or the deadline passed.
    var isCancelled = false
    var task: Task<Void, Never>?
    /// Who waits for which condition; the host is asked for all of them at once.
    var waiters: [(condition: Condition, continuation: CheckedContinuation<Void, Never>)] = []
  }

  let id: nsgi_id
  private let table: UInt
  private let state = Mutex(State())

  /// The host's functions; constant, and for any thread.
  var host: HostTable { HostTable(bitPattern: table)! }

  init(_ host: HostTable, _ id: nsgi_id) {
    table = UInt(bitPattern: host)
    self.id = id
  }

  // MARK: Life

  /// Runs a handler in a task of its own, and ends the exchange with what it answers, an nsgi_result.
  func run(_ handler: @escaping @Sendable () async -> Int32) {
    Self.living.add(self)
    // Under the lock: the task cannot end before it is noted here.
    let cancelled = state.withLock { state in
      let task = Task { self.finish(await handler()) }
      state.task = task
      return state.isCancelled ? task : nil
    }
    cancelled?.cancel()
  }

  private func finish(_ result: Int32) {
    Self.living.remove(id)
    state.withLock { state in
      state.isOver = true
      state.task = nil
      _ = host.pointee.finish(id, result)
    }
  }

  /// The client is gone: ends what waits, and tells the handler through its task.
  func cancel() {
    let (task, waiters) = state.withLock { state in
      state.isCancelled = true
      defer { state.waiters = [] }
      return (state.task, state.waiters)
    }
    task?.cancel()
    for waiter in waiters { waiter.continuation.resume() }
  }

  /// Works with the host; nil once the exchange is over, when what it lent is gone.
  func whileAlive<Result>(_ work: () throws -> Result) rethrows -> Result? {
    try state.withLock { state in state.isOver ? nil : try work() }
  }

  // MARK: Waiting

  /// Asks again and again until the host need not wait.
  func retrying<Number: SignedInteger>(_ condition: Condition, _ ask: () -> Number) async throws -> Number {
    while true {
      guard let result = whileAlive(ask) else { throw HostError.gone }
      guard result == Number(NSGI_AGAIN.rawValue) else { return try HostError.check(result) }
      await wait(for: condition)
      if state.withLock({ $0.isCancelled }) { throw HostError.gone }
      try Task.checkCancellation()
    }
  }

  private func wait(for condition: Condition) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isWaiting = state.withLock { state in
          state.waiters.append((condition, continuation))
          return !state.isOver && !state.isCancelled && !Task.isCancelled && listen(&state)
        }
        if !isWaiting { wake() }
      }
    } onCancel: {
      wake()
    }
  }

  /// Asks the host to call when what the waiters want is so; false when it will not.
  private func listen(_ state: inout State) -> Bool {
    var what = NSGI_READY_GONE.rawValue
    for waiter in state.waiters {
      what |= waiter.condition == .body ? NSGI_READY_BODY.rawValue : NSGI_READY_SPACE.rawValue
    }
    // The number, not a reference: the call may come when the exchange is over already.
    let argument = UnsafeMutableRawPointer(bitPattern: UInt(id))
    let result = host.pointee.on_ready(
      id, Int32(bitPattern: what), { AsyncExchange.find(nsgi_id(UInt(bitPattern: $0)))?.wake() }, argument)
    return result == NSGI_OK.rawValue
  }

  /// Lets everyone who waits look again.
  private func wake() {
    let waiters = state.withLock { state in
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.continuation.resume() }
  }

  // MARK: By number

  private static let living = Living()

  /// The exchange of this number, if it is still under way.
  static func find(_ id: nsgi_id) -> AsyncExchange? { living[id] }

  /// Exchanges under way, by number; in several parts, so that threads seldom meet.
  private final class Living: Sendable {
    private let parts = (0..<16).map { _ in Part() }

    private final class Part: Sendable {
      let exchanges = Mutex<[nsgi_id: AsyncExchange]>([:])
    }

    private func part(_ id: nsgi_id) -> Part { parts[Int(truncatingIfNeeded: id ^ id >> 32) & 15] }

    func add(_ exchange: AsyncExchange) {
      part(exchange.id).exchanges.withLock { $0[exchange.id] = exchange }
    }

    func remove(_ id: nsgi_id) { part(id).exchanges.withLock { $0[id] = nil } }

    subscript(id: nsgi_id) -> AsyncExchange? { part(id).exchanges.withLock { $0[id] } }
  }
}
