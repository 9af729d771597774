// Asynchronous handlers: they wait for the host without a thread, end when the client goes, and finish
// once.
import CNSGI
import NSGI
import Synchronization
import Testing

/// An app whose answer a test gives.
private struct Scripted: AsyncApp {
  typealias Answer = @Sendable (AsyncRequest) async throws -> Response
  static let answer = Mutex<Answer>({ _ in .text("unset") })
  static let drains = Atomic<Int>(0)

  private let refusal: String?

  init(_ boot: Boot) { refusal = boot.options["refuse"] }

  func respond(to request: AsyncRequest) async throws -> Response {
    try await Self.answer.withLock { $0 }(request)
  }

  func probe() throws { if let refusal { throw Refused(description: refusal) } }

  func save(to sink: StateSink) throws {
    try sink.write("one ")
    try sink.write([0x32])
  }

  func drain() { Self.drains.add(1, ordering: .relaxed) }
}

private struct Refused: Error, CustomStringConvertible { let description: String }

@Suite(.serialized) struct AsyncKitTests {
  private typealias Host = AsyncFakeHost
  private let table: UnsafePointer<nsgi_app>
  private let state: UnsafeMutableRawPointer?

  init() throws {
    Host.reset()
    table = try #require(Scripted.entry(Host.table))
    state = try Self.load(table)
  }

  private static func load(
    _ table: UnsafePointer<nsgi_app>, options: [String] = []
  ) throws -> UnsafeMutableRawPointer? {
    let loaded = FakeHost.load(table, options: options, host: Host.table)
    try #require(loaded.result == NSGI_OK.rawValue)
    return loaded.state
  }

  /// Calls the app with this answer.
  @discardableResult
  private func call(_ answer: @escaping Scripted.Answer) -> nsgi_id {
    Scripted.answer.withLock { $0 = answer }
    return Host.call(table, state)
  }

  private func finished(_ result: nsgi_result) async throws {
    try await Host.until("finish") { !$0.results.isEmpty }
    #expect(Host.state.withLock { $0.results } == [result.rawValue])
  }

  @Test func promisesWhatAsynchronyNeeds() {
    let flags = NSGI_THREADSAFE.rawValue | NSGI_NONBLOCKING.rawValue | NSGI_STREAMS_IN.rawValue
    #expect(table.pointee.head.flags == flags | NSGI_MAY_ASYNC.rawValue)
  }

  @Test func answerAndErrors() async throws {
    call { request in
      #expect(request.path == "/x")
      #expect(request.parameter("a") == "1")
      #expect(request.contentLength == nil)
      return .text("later", status: 202)
    }
    try await finished(NSGI_OK)
    #expect(Host.state.withLock { $0.status } == 202)
    #expect(Host.state.withLock { $0.sent } == Array("later".utf8))

    Host.reset()
    call { _ in throw Abort(404) }
    try await finished(NSGI_OK)
    #expect(Host.state.withLock { $0.status } == 404)

    Host.reset()
    call { _ in throw Refused(description: "broken") }
    try await finished(NSGI_FAIL)
    #expect(Host.state.withLock { $0.log } == ["4 broken, answering GET /x"])
  }

  @Test func bodyIsAwaited() async throws {
    Host.reset { $0.body = [[1, 2], []] }
    call { request in .bytes(try await request.collect()) }
    try await Host.until("on_ready") { $0.awaited & Int32(NSGI_READY_BODY.rawValue) != 0 }
    // Called in vain: it asks again.
    Host.fire { _ in }
    try await Host.until("on_ready again") { $0.awaited != 0 }
    Host.fire { $0.body = [[3]] }
    try await finished(NSGI_OK)
    #expect(Host.state.withLock { $0.sent } == [1, 2, 3])
  }

  @Test func bodyAboveTheLimit() async throws {
    Host.reset { $0.body = [[1, 2, 3], [4, 5, 6]] }
    call { request in .bytes(try await request.collect(upTo: 5)) }
    try await finished(NSGI_OK)
    #expect(Host.state.withLock { $0.status } == 413)
  }

  @Test func writerWaitsForSpace() async throws {
    Host.reset { $0.isFull = true }
    call { request in
      let out = try request.start(201)
      try await out.write("one ")
      try await out.flush()
      try await out.write([UInt8](repeating: 7, count: 100_000))
      return .streamed(out)
    }
    try await Host.until("on_ready") { $0.awaited & Int32(NSGI_READY_SPACE.rawValue) != 0 }
    #expect(Host.state.withLock { $0.sent.isEmpty && $0.results.isEmpty })
    Host.fire { $0.isFull = false }
    try await finished(NSGI_OK)
    #expect(Host.state.withLock { $0.sent.count } == 100_004)
  }

  @Test func readingAndWritingAtOnce() async throws {
    Host.reset { ($0.body, $0.isFull) = ([[1], []], true) }
    call { request in
      let out = try request.start()
      async let body = request.collect()
      try await out.write("x")
      try await out.write(body)
      return .streamed(out)
    }
    let both = Int32((NSGI_READY_BODY.rawValue | NSGI_READY_SPACE.rawValue))
    try await Host.until("both are awaited") { $0.awaited & both == both }
    Host.fire { $0.isFull = false }
    try await Host.until("the body alone is awaited") { $0.awaited & both == Int32(NSGI_READY_BODY.rawValue) }
    Host.fire { $0.body = [[2]] }
    try await finished(NSGI_OK)
    #expect(Host.state.withLock { $0.sent } == [0x78, 1, 2])
  }

  @Test func interimResponseWaitsForSpaceAndTrailersEndTheBody() async throws {
    Host.reset { $0.isFull = true }
    call { request in
      try await request.interim(headers: ["Link": "</a.css>"])
      #expect(request.trailers.fields.isEmpty)
      let out = try request.start()
      try await out.write("x")
      try await out.end(trailers: ["X-Sum": "1", "X-Other": "2"])
      return .streamed(out)
    }
    try await Host.until("on_ready") { $0.awaited & Int32(NSGI_READY_SPACE.rawValue) != 0 }
    #expect(Host.state.withLock { $0.interims.isEmpty })
    Host.fire { $0.isFull = false }
    try await finished(NSGI_OK)
    #expect(Host.state.withLock { $0.interims } == [103] && Host.state.withLock { $0.trailers } == 2)
    #expect(Host.state.withLock { $0.sent } == [UInt8(ascii: "x")])
  }

  @Test func aClientThatLeavesEndsWhatWaits() async throws {
    Host.reset { $0.body = [[]] }
    let reads = call { request in .bytes(try await request.collect()) }
    try await Host.until("on_ready") { $0.awaited != 0 }
    Host.cancel(table, state, reads)
    try await finished(NSGI_GONE)

    Host.reset()
    let kept = Kept()
    let sleeps = call { _ in
      kept.flag.store(true, ordering: .releasing)
      try await Task.sleep(for: .seconds(1000))
      return .text("slept")
    }
    try await Host.until("the handler's beginning") { _ in kept.flag.load(ordering: .acquiring) }
    Host.cancel(table, state, sleeps)
    try await finished(NSGI_GONE)
    #expect(Host.state.withLock { $0.log.isEmpty })
    // One that is over already is nobody's.
    Host.cancel(table, state, reads)
  }

  @Test func lateUseIsAnError() async throws {
    let kept = Kept()
    call { request in
      kept.request.withLock { $0 = request }
      return .text("x")
    }
    try await finished(NSGI_OK)
    let request = try #require(kept.request.withLock { $0 })
    #expect(request.path == "/x")
    #expect(request.header("host") == nil)
    #expect(throws: HostError.gone) { try request.start() }
    await #expect(throws: HostError.gone) { try await request.collect() }
  }

  @Test func turnsOfLife() throws {
    #expect(table.pointee.probe(state) == NSGI_OK.rawValue)
    let unfit = try Self.load(table, options: ["refuse", "no database"])
    #expect(table.pointee.probe(unfit) == NSGI_FAIL.rawValue)
    #expect(Host.state.withLock { $0.log } == ["4 no database, in probe"])

    var saved: [UInt8] = []
    let result = withUnsafeMutablePointer(to: &saved) { pointer in
      table.pointee.save(
        state,
        { argument, bytes, count in
          argument!.assumingMemoryBound(to: [UInt8].self).pointee += UnsafeRawBufferPointer(
            start: bytes, count: count)
          return NSGI_OK.rawValue
        }, pointer)
    }
    #expect(result == NSGI_OK.rawValue)
    #expect(saved == Array("one 2".utf8))
    #expect(table.pointee.save(state, { _, _, _ in NSGI_IO.rawValue }, nil) == NSGI_IO.rawValue)

    let before = Scripted.drains.load(ordering: .relaxed)
    table.pointee.drain(state)
    #expect(Scripted.drains.load(ordering: .relaxed) == before + 1)
    table.pointee.unload(unfit)
  }
}

private final class Kept: Sendable {
  let request = Mutex<AsyncRequest?>(nil)
  let flag = Atomic<Bool>(false)
}
