import CNSGI
import Host

/// Drives a started application through everything that servers and clients do to it, step by step.
/// `ExerciseHost` reports its errors; its answers are reported here. Runs on the main thread of the child.
struct Exercise {
  let app: CheckedApp
  let reporter: CheckReporter
  /// Seconds for one step; the parent ends the child after that.
  let limit: Double
  /// The path of the requests.
  let path: String
  private let host = ExerciseHost.shared

  /// Why the exercise ends early.
  enum Halt: Error {
    /// An exchange never ended: the application cannot be unloaded.
    case unfinished
    /// The application cannot be loaded again.
    case refused(LoadError)
    case system(SystemError)
  }

  init(_ app: CheckedApp, _ reporter: CheckReporter, limit: Double, path: String) {
    (self.app, self.reporter, self.limit, self.path) = (app, reporter, limit, path)
    host.patience = UInt64(limit / 2 * 1e9)
  }

  /// All steps; the application is started before them and, unless one throws, stopped afterwards.
  func run() throws(Halt) {
    app.thread(entering: true)
    try requests()
    try clients()
    if app.promises(NSGI_THREADSAFE) {
      try step("four threads at once") { () throws(Halt) in try parallel() }
    }
    try step("load and unload, 50 times") { () throws(Halt) in try lives() }
    try step("quiet afterwards") { () throws(Halt) in
      System.pause(microseconds: 50_000)
      return nil
    }
  }

  private func step(_ name: String, _ body: () throws(Halt) -> String?) throws(Halt) {
    host.step = name
    System.endAfter(seconds: UInt32(limit) + 10)
    reporter.send(.entering(.step(name)))
    let outcome = try body()
    reporter.send(.outcome(step: name, outcome ?? "done"))
  }

  /// When a step that repeats something stops repeating: an application may be slow, which is not an error.
  private var budget: UInt64 { System.now() + UInt64(limit / 4 * 1e9) }

  // MARK: Requests

  private func requests() throws(Halt) {
    try request("plain GET", with { _ in })
    try request("HEAD", with { $0.method = "HEAD" })
    let body = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let form = [
      ("host", "check.example"), ("content-type", "application/octet-stream"), ("content-length", "5000"),
    ]
    func post(_ change: (inout ExerciseScenario) -> Void) -> ExerciseScenario {
      with {
        ($0.method, $0.body, $0.fields) = ("POST", body, form)
        change(&$0)
      }
    }
    try request(
      "POST in one-byte pieces",
      post { ($0.mostPerRead, $0.trailers) = (1, [("x-check", "a trailer")]) })
    try request("body that breaks off", post { $0.client = .leavesAfterReading(1000) })
    try request(
      "200 header fields",
      with { scenario in
        for number in 1...198 {
          scenario.fields.append(("x-field-\(number)", String(repeating: "v", count: number)))
        }
      })
    try request("path that nobody has", with { $0.path = "/no/such/\u{e4}/path" })
    if app.promises(NSGI_NONBLOCKING), app.promises(NSGI_MAY_ASYNC) {
      try request("host that is never ready at once", post { $0.makesWait = true })
    }
  }

  private func with(_ change: (inout ExerciseScenario) -> Void) -> ExerciseScenario {
    var scenario = ExerciseScenario()
    scenario.path = path
    change(&scenario)
    return scenario
  }

  private func request(_ name: String, _ scenario: ExerciseScenario) throws(Halt) {
    try step(name) { () throws(Halt) in try serve(scenario) }
  }

  private func clients() throws(Halt) {
    try request("client that is gone at once", with { $0.client = .isGone })
    try step("cancel storm") { () throws(Halt) in
      let end = budget
      for _ in 0..<20 where System.now() < end {
        for client in [ExerciseScenario.Client.isGone, .leavesDuringFirstCall, .leavesAfterReturn] {
          _ = try serve(with { $0.client = client }, cancels: true)
        }
      }
      return nil
    }
  }

  // MARK: One exchange

  /// Runs one exchange from beginning to end; returns its result.
  @discardableResult
  private func serve(_ scenario: ExerciseScenario, cancels: Bool = false) throws(Halt) -> String {
    let exchange: ExerciseExchange
    do { exchange = try host.open(scenario) } catch { throw .system(error) }
    let canceller = cancels && scenario.client != .leavesAfterReturn ? cancelFromBeside(exchange) : nil
    let result = call(exchange)
    ForkedCopy.end(result)
    let mayAsync = app.promises(NSGI_MAY_ASYNC)
    if exchange.returned(result, mayAsync: mayAsync) {
      if scenario.client == .leavesAfterReturn { cancel(exchange) }
      // Some answers go on as long as somebody listens.
      if !exchange.waitForEnd(seconds: min(1, limit / 4)) {
        cancel(exchange)
        guard exchange.waitForEnd(seconds: limit / 2) else {
          let time = CheckReport.seconds(limit / 2)
          host.violation("NSGI_ASYNC, and no finish() within \(time) of the client's leaving")
          throw .unfinished
        }
      }
    }
    canceller?.wait()
    exchange.close()
    return exchange.summary
  }

  private func call(_ exchange: ExerciseExchange) -> Int32 {
    switch app.form {
    case .plain(let application): ExercisePlain.call(application, exchange)
    case .full: app.table.call(app.state, exchange.request.view)
    }
  }

  private func cancel(_ exchange: ExerciseExchange) {
    guard exchange.beginCancel(afterFirstCall: false) else { return }
    app.table.cancel?(app.state, exchange.request.view)
    ForkedCopy.end()
    exchange.endCancel()
  }

  /// A thread that cancels while call() runs: at its beginning, or in its first call of the host.
  private func cancelFromBeside(_ exchange: ExerciseExchange) -> Completion? {
    guard let function = app.table.cancel else { return nil }
    let completion = Completion()
    nonisolated(unsafe) let state = app.state
    let waits = exchange.scenario.client == .leavesDuringFirstCall
    let started = System.startThread {
      if exchange.beginCancel(afterFirstCall: waits) {
        function(state, exchange.request.view)
        ForkedCopy.end()
        exchange.endCancel()
      }
      completion.done()
    }
    return started ? completion : nil
  }

  // MARK: Threads

  private func parallel() throws(Halt) -> String? {
    let threads = (0..<4).map { _ in Outcome() }
    let end = budget
    for outcome in threads {
      let started = System.startThread {
        app.thread(entering: true)
        do throws(Halt) {
          for _ in 0..<25 where System.now() < end { try serve(with { _ in }) }
        } catch { outcome.halt = error }
        app.thread(entering: false)
        outcome.completion.done()
      }
      if !started { outcome.completion.done() }
    }
    for outcome in threads { outcome.completion.wait() }
    for outcome in threads { if let halt = outcome.halt { throw halt } }
    return nil
  }

  /// The result of a thread; read when it is done.
  private final class Outcome: @unchecked Sendable {
    let completion = Completion()
    var halt: Halt?
  }

  // MARK: Lives

  /// Stops and starts the application, once with its saved state; tests a promise to be unloadable.
  private func lives() throws(Halt) -> String? {
    if let result = app.saveIntoNothing(), result >= 0 {
      host.violation("save() returned \(Generation.resultName(result)) although its sink failed")
    }
    var saved = app.save()
    let end = budget
    var count = 0
    stop()
    while count < 50, System.now() < end {
      if app.isUnloadable { try reopen() }
      do { try app.start(from: saved) } catch { throw .refused(error) }
      saved = nil
      app.thread(entering: true)
      if count == 0 { try serve(with { _ in }) }
      stop()
      count += 1
    }
    return "\(count) of 50"
  }

  private func stop() {
    app.drain()
    app.thread(entering: false)
    app.unload()
  }

  private func reopen() throws(Halt) {
    let left = app.close()
    reporter.send(.fact(.unloaded, left ? "1" : "0"))
    if !left { host.violation("NSGI_UNLOADABLE, and dlclose leaves the library in memory") }
    do { try app.reopen() } catch { throw .refused(error) }
  }
}
