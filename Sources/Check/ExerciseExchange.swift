import CNSGI
import Host
import Synchronization
import Wire

/// One exchange of the exercise as the host sees it: lives for ever, so that a late caller is told so.
///
/// Unchecked: mutable parts are guarded by `mutex`.
final class ExerciseExchange: @unchecked Sendable {
  let id: nsgi_id
  let scenario: ExerciseScenario
  let request: ExerciseRequest
  /// The step that it belongs to.
  let step: String
  private unowned let host: ExerciseHost
  private let mutex = Monitor()
  var response: ExerciseResponse
  private(set) var bytesRead = 0
  /// body() has given all of it.
  private(set) var hasGivenBody = false
  private var isGone: Bool
  private var isEnded = false
  private(set) var endResult: Int32 = 0
  private var isCancelling = false
  private var wasCancelled = false
  private var isAwaitingCancel: Bool
  private var turns = 0
  private var loans: [Loan] = []
  private var readiness: Readiness?
  private var readyThread: UInt?
  private let users = Atomic<Int>(0)
  private let begin = System.now()

  /// Bytes that the application has lent.
  private struct Loan {
    let bytes: UnsafeRawBufferPointer
    let checksum: UInt64
    let release: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
    let argument: UnsafeMutableRawPointer?
  }

  /// The event that on_ready() was asked for.
  private struct Readiness {
    let number: Int
    let what: Int32
    let function: @convention(c) (UnsafeMutableRawPointer?) -> Void
    let argument: UnsafeMutableRawPointer?
  }

  init(_ scenario: ExerciseScenario, id: nsgi_id, step: String, host: ExerciseHost) throws(SystemError) {
    (self.scenario, self.id, self.step, self.host) = (scenario, id, step, host)
    request = try ExerciseRequest(scenario, id: id)
    response = ExerciseResponse(isHead: scenario.isHead)
    isGone = scenario.client == .isGone
    isAwaitingCancel = scenario.client == .leavesDuringFirstCall
  }

  private func violation(_ text: String) { host.violation(text, step: step) }

  // MARK: Calls of the application

  /// Makes a call of the host's functions for this exchange; `gone` is the result if it is over.
  func use<Result>(_ call: String, gone: Result, _ body: () -> Result) -> Result {
    leaveDuringFirstCall()
    if users.add(1, ordering: .acquiringAndReleasing).oldValue > 0 {
      violation("\(call) while another thread is in a function for the same request")
    }
    mutex.lock()
    defer {
      // In this order, so that a waiter for the lock, such as a function given to on_ready(), finds nobody
      // inside.
      users.subtract(1, ordering: .acquiringAndReleasing)
      mutex.unlock()
    }
    if isEnded {
      violation("\(call) after the exchange has ended")
      return gone
    }
    if response.written > Self.mostBytes || System.now() - begin > host.patience { isGone = true }
    return isGone ? gone : body()
  }

  /// Bytes after which the client of an endless response has had enough.
  private static let mostBytes: Int64 = 16 << 20

  /// Seconds to wait for code of the application that may need a lock held by the waiting call.
  private static let shortWhile = 0.05

  /// Holds the application's first call until cancel() has returned, for a short while at most.
  private func leaveDuringFirstCall() {
    mutex.lock()
    defer { mutex.unlock() }
    guard isAwaitingCancel, !isEnded else { return }
    isAwaitingCancel = false
    isGone = true
    mutex.broadcast()
    guard host.canCancel else { return }
    let deadline = Monitor.deadline(seconds: Self.shortWhile)
    while !(wasCancelled && !isCancelling), mutex.wait(until: deadline) {}
  }

  func take(_ answer: ExerciseResponse.Answer) -> Int32 {
    if let text = answer.violation { violation(text) }
    return answer.code
  }

  /// Whether this call is one that has to wait.
  private func hasToWait() -> Bool {
    guard scenario.makesWait else { return false }
    turns += 1
    return turns % 2 == 1
  }

  func read(_ buffer: UnsafeMutableRawPointer?, _ capacity: Int) -> Int64 {
    use("read()", gone: Int64(NSGI_GONE.rawValue)) {
      guard capacity >= 0, let buffer else {
        if capacity == 0 { return 0 }
        violation("read() into \(capacity) bytes at NULL")
        return Int64(NSGI_MISUSE.rawValue)
      }
      if hasToWait() { return Int64(NSGI_AGAIN.rawValue) }
      var count = min(capacity, scenario.mostPerRead, request.body.n - bytesRead)
      if case .leavesAfterReading(let most) = scenario.client {
        count = min(count, most - bytesRead)
        if count == 0, capacity > 0 {
          isGone = true
          return Int64(NSGI_GONE.rawValue)
        }
      }
      if count > 0 { buffer.copyMemory(from: request.body.p! + bytesRead, byteCount: count) }
      bytesRead += count
      return Int64(count)
    }
  }

  func wholeBody(_ whole: UnsafeMutablePointer<nsgi_str>?, streams: Bool) -> Int32 {
    use("body()", gone: NSGI_GONE.rawValue) {
      guard let whole else { return take(.misuse("body() without a place for it")) }
      guard !streams || bytesRead == 0 else {
        return take(.misuse("body() after read(), in an application that streams"))
      }
      if case .leavesAfterReading = scenario.client {
        isGone = true
        return NSGI_GONE.rawValue
      }
      whole.pointee = request.body
      hasGivenBody = true
      return NSGI_OK.rawValue
    }
  }

  func respond(
    _ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int, _ body: UnsafeRawPointer?,
    _ length: Int
  ) -> Int32 {
    use("respond()", gone: NSGI_GONE.rawValue) {
      take(response.respond(status: status, fields, count, body, length))
    }
  }

  func start(_ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int) -> Int32 {
    use("start()", gone: NSGI_GONE.rawValue) {
      take(response.begin("start()", status: status, fields, count))
    }
  }

  func announce(_ phrase: nsgi_str) -> Int32 {
    use("reason()", gone: NSGI_GONE.rawValue) { take(response.announce(phrase)) }
  }

  /// start_response: status and reason separately, then field by field.
  func start(
    status: Int32, reason: UnsafeRawBufferPointer, _ headers: UnsafePointer<UnsafePointer<CChar>?>?
  ) -> Int32 {
    use("start_response()", gone: NSGI_GONE.rawValue) {
      let begun = response.begin("start_response()", status: status, reason: reason.isEmpty ? nil : reason)
      guard begun.violation == nil else { return take(begun) }
      var at = 0
      while let headers, let name = headers[at] {
        guard let value = headers[at + 1] else { return take(.misuse("start_response() with a name alone")) }
        let added = response.add("start_response()", name: .init(cString: name), value: .init(cString: value))
        guard added.violation == nil else { return take(added) }
        at += 2
      }
      return NSGI_OK.rawValue
    }
  }

  func write(_ call: String, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int32 {
    let result = use(call, gone: NSGI_GONE.rawValue) {
      hasToWait() ? NSGI_AGAIN.rawValue : take(response.write(call, bytes, count))
    }
    releaseLoans()
    return result
  }

  func sendFile(_ fd: Int32, _ offset: Int64, _ count: Int64) -> Int32 {
    use("sendfile()", gone: NSGI_GONE.rawValue) {
      guard offset >= 0 else { return take(.misuse("sendfile() from the offset \(offset)")) }
      guard let status = try? System.status(fd) else {
        return take(.misuse("sendfile() of a descriptor that is not open"))
      }
      let rest = max(0, Int64(status.st_size) - offset)
      return take(response.send(count < 0 ? rest : min(count, rest)))
    }
  }

  func flush() -> Int32 {
    let result = use("flush()", gone: NSGI_GONE.rawValue) { take(response.flush()) }
    releaseLoans()
    return result
  }

  // MARK: Loans

  func lend(
    _ bytes: UnsafeRawPointer?, _ count: Int, _ release: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?,
    _ argument: UnsafeMutableRawPointer?
  ) -> Int32 {
    releaseLoans()
    var isLent = false
    let result = use("lend()", gone: NSGI_GONE.rawValue) {
      if hasToWait() { return NSGI_AGAIN.rawValue }
      let code = take(response.write("lend()", bytes, count))
      guard code == NSGI_OK.rawValue else { return code }
      let lent = UnsafeRawBufferPointer(start: bytes, count: count)
      let checksum = ExerciseResponse.checksum(lent)
      loans.append(Loan(bytes: lent, checksum: checksum, release: release, argument: argument))
      isLent = true
      return code
    }
    if !isLent { release?(argument) }
    return result
  }

  /// Takes back what was lent: at the next call, and at the end.
  private func releaseLoans() {
    mutex.lock()
    let ended = loans
    loans = []
    mutex.unlock()
    for loan in ended {
      if ExerciseResponse.checksum(loan.bytes) != loan.checksum {
        violation("lent bytes were changed before they were released")
      }
      loan.release?(loan.argument)
    }
  }

  // MARK: Readiness

  func onReady(
    _ what: Int32, _ function: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?,
    _ argument: UnsafeMutableRawPointer?
  ) -> Int32 {
    let result = use("on_ready()", gone: NSGI_GONE.rawValue) { () -> Int32 in
      let known = Int32(NSGI_READY_BODY.rawValue | NSGI_READY_SPACE.rawValue | NSGI_READY_GONE.rawValue)
      guard what & ~known == 0 else { return take(.misuse("on_ready() for \(what), which is nothing")) }
      turns &= ~1
      awaitReadyFunction()
      readiness = nil
      guard what != 0 else { return NSGI_OK.rawValue }
      guard let function else { return take(.misuse("on_ready() without a function")) }
      host.registrations.add(1, ordering: .relaxed)
      let number = host.registrations.load(ordering: .relaxed)
      readiness = Readiness(number: number, what: what, function: function, argument: argument)
      return System.startThread { self.becomeReady(number) } ? NSGI_OK.rawValue : NSGI_NOMEM.rawValue
    }
    return result
  }

  /// The requested condition is true at once, except for the client's leaving.
  private func becomeReady(_ number: Int) {
    mutex.lock()
    while let wanted = readiness, wanted.number == number, !isEnded, !isGone,
      wanted.what == NSGI_READY_GONE.rawValue
    { mutex.wait() }
    guard let wanted = readiness, wanted.number == number, !isEnded else { return mutex.unlock() }
    readiness = nil
    if scenario.makesWait { turns |= 1 }
    readyThread = System.threadID()
    mutex.unlock()
    wanted.function(wanted.argument)
    ForkedCopy.end()
    mutex.lock()
    readyThread = nil
    mutex.broadcast()
    mutex.unlock()
  }

  /// Waits for a function that runs on another thread, for a short while at most. The mutex is held.
  private func awaitReadyFunction() {
    let deadline = Monitor.deadline(seconds: Self.shortWhile)
    while let thread = readyThread, thread != System.threadID(), mutex.wait(until: deadline) {}
  }

  // MARK: The client leaves

  /// Waits until cancel() may be called, then says so: false when the exchange has ended meanwhile.
  func beginCancel(afterFirstCall: Bool) -> Bool {
    mutex.lock()
    defer { mutex.unlock() }
    while afterFirstCall, isAwaitingCancel, !isEnded { mutex.wait() }
    isGone = true
    mutex.broadcast()
    guard !isEnded, !wasCancelled else { return false }
    (wasCancelled, isCancelling) = (true, true)
    return true
  }

  /// cancel() has returned.
  func endCancel() {
    mutex.lock()
    isCancelling = false
    mutex.broadcast()
    mutex.unlock()
  }

  // MARK: The end

  func finish(_ result: Int32, mayAsync: Bool) -> Int32 {
    mutex.lock()
    guard !isEnded else {
      mutex.unlock()
      violation("finish() a second time, or after call() had ended the exchange")
      return NSGI_GONE.rawValue
    }
    guard mayAsync else {
      mutex.unlock()
      violation("finish() without the promise NSGI_MAY_ASYNC")
      return NSGI_MISUSE.rawValue
    }
    awaitReadyFunction()
    mutex.unlock()
    if result > 0 { violation("finish() with \(result): it takes NSGI_OK or a negative result") }
    end(result)
    return NSGI_OK.rawValue
  }

  /// call() has returned; whether the exchange goes on.
  func returned(_ result: Int32, mayAsync: Bool) -> Bool {
    mutex.lock()
    let (wasEnded, isPlain) = (isEnded, host.isPlain)
    mutex.unlock()
    let name = isPlain ? "application()" : "call()"
    if result == NSGI_ASYNC.rawValue, !isPlain {
      if mayAsync { return !wasEnded }
      violation("call() returned NSGI_ASYNC without the promise NSGI_MAY_ASYNC")
    } else if wasEnded {
      violation("finish() was called and call() returned \(Generation.resultName(result)), not NSGI_ASYNC")
    } else if result > 0 || result < NSGI_FAIL.rawValue {
      violation("\(name) returned \(result), which is no nsgi_result")
    }
    if !wasEnded { end(result == NSGI_ASYNC.rawValue ? NSGI_FAIL.rawValue : result) }
    return false
  }

  private func end(_ result: Int32) {
    mutex.lock()
    isEnded = true
    endResult = result
    readiness = nil
    let fault = isGone ? nil : response.fault(atEnd: result)
    mutex.broadcast()
    mutex.unlock()
    if let fault { violation(fault) }
    releaseLoans()
  }

  /// Waits for finish(); false when the time is up.
  func waitForEnd(seconds: Double) -> Bool {
    mutex.lock()
    defer { mutex.unlock() }
    let deadline = Monitor.deadline(seconds: seconds)
    while !isEnded { if !mutex.wait(until: deadline), !isEnded { return false } }
    return true
  }

  /// The host has left the exchange entirely: takes back what was lent.
  func close() {
    mutex.lock()
    while isCancelling || readyThread != nil { mutex.wait() }
    mutex.unlock()
    request.forbid()
  }

  /// Its result.
  var summary: String {
    mutex.lock()
    defer { mutex.unlock() }
    let answer = response.status == 0 ? "no response" : response.summary
    if endResult < 0 { return "\(answer), \(Generation.resultName(endResult))" }
    return isGone && scenario.client == .stays ? "\(answer) until the client left" : answer
  }
}
