// A host for asynchronous requests: scripted answers, notes of what the app did, on_ready at the test's
// word.
import CNSGI
import Synchronization
import Testing

/// What the app under test did, and what it is told; functions of C carry no context, hence one for all.
enum AsyncFakeHost {
  struct State {
    // What the app is told.
    /// Pieces of the body as they come in; an empty one means that there is none yet.
    var body: [[UInt8]] = []
    /// The client has not taken what was sent.
    var isFull = false

    // What it did.
    var status: Int32?
    var interims: [Int32] = []
    /// How many fields trailers() was given; nil: it was not called.
    var trailers: Int?
    var sent: [UInt8] = []
    var log: [String] = []
    var results: [Int32] = []
    /// What it waits for with on_ready.
    var awaited: Int32 = 0
    var ready: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
    var argument: UInt = 0
    var isOver = false
  }

  static let state = Mutex(State())
  private static let lastID = Atomic<nsgi_id>(1000)

  static func reset(_ change: (inout State) -> Void = { _ in }) {
    state.withLock {
      $0 = State()
      change(&$0)
    }
  }

  /// Says that what the app waits for is so.
  static func fire(_ change: (inout State) -> Void) {
    let (ready, argument) = state.withLock { state in
      change(&state)
      state.awaited = 0
      defer { state.ready = nil }
      return (state.ready, state.argument)
    }
    ready?(UnsafeMutableRawPointer(bitPattern: argument))
  }

  /// Waits until the notes are as expected.
  static func until(_ what: Comment, _ isSo: (State) -> Bool) async throws {
    // The threads of the cooperative pool are few, and other tests hold them for seconds.
    let end = ContinuousClock.now + .seconds(300)
    while !state.withLock({ isSo($0) }) {
      try #require(ContinuousClock.now < end, what)
      try await Task.sleep(for: .milliseconds(1))
    }
  }

  nonisolated(unsafe) static let table: UnsafeMutablePointer<nsgi_host> = {
    let table = UnsafeMutablePointer<nsgi_host>.allocate(capacity: 1)
    table.initialize(to: FakeHost.table.pointee)
    table.pointee.log = { _, level, text in
      AsyncFakeHost.state.withLock { $0.log.append("\(level) \(FakeHost.copy(text))") }
    }
    table.pointee.fields = { _, n in
      n?.pointee = 0
      return nil
    }
    table.pointee.read = { _, buffer, capacity in AsyncFakeHost.read(buffer, capacity) }
    table.pointee.respond = { _, status, _, _, bytes, length in
      let sent = Array(UnsafeRawBufferPointer(start: bytes, count: length))
      AsyncFakeHost.state.withLock { ($0.status, $0.sent) = (status, sent) }
      return NSGI_OK.rawValue
    }
    table.pointee.start = { _, status, _, _ in
      AsyncFakeHost.state.withLock { $0.status = status }
      return NSGI_OK.rawValue
    }
    table.pointee.write = { _, bytes, n in
      let piece = Array(UnsafeRawBufferPointer(start: bytes, count: n))
      return AsyncFakeHost.state.withLock { state in
        if state.isFull { return NSGI_AGAIN.rawValue }
        state.sent += piece
        return NSGI_OK.rawValue
      }
    }
    table.pointee.flush = { _ in NSGI_AGAIN.rawValue }
    table.pointee.interim = { _, status, _, _ in
      AsyncFakeHost.state.withLock { state in
        if state.isFull { return NSGI_AGAIN.rawValue }
        state.interims.append(status)
        return NSGI_OK.rawValue
      }
    }
    table.pointee.trailers = { _, _, n in
      AsyncFakeHost.state.withLock { $0.trailers = n }
      return NSGI_OK.rawValue
    }
    table.pointee.request_trailers = { _, n in
      n?.pointee = 0
      return nil
    }
    table.pointee.on_ready = { _, what, ready, argument in
      let number = UInt(bitPattern: argument)
      AsyncFakeHost.state.withLock { ($0.awaited, $0.ready, $0.argument) = (what, ready, number) }
      return NSGI_OK.rawValue
    }
    table.pointee.finish = { _, result in
      AsyncFakeHost.state.withLock { $0.results.append(result) }
      return NSGI_OK.rawValue
    }
    return table
  }()

  private static func read(_ buffer: UnsafeMutableRawPointer?, _ capacity: Int) -> Int64 {
    state.withLock { state in
      guard let piece = state.body.first else { return 0 }
      if piece.isEmpty { return Int64(NSGI_AGAIN.rawValue) }
      state.body.removeFirst()
      UnsafeMutableRawBufferPointer(start: buffer, count: capacity).copyBytes(from: piece)
      return Int64(piece.count)
    }
  }

  /// One request to a loaded app; returns its number.
  static func call(_ table: UnsafePointer<nsgi_app>, _ app: UnsafeMutableRawPointer?) -> nsgi_id {
    var view = nsgi_request()
    let id = lastID.add(1, ordering: .relaxed).newValue
    (view.size, view.id, view.content_length) = (UInt32(MemoryLayout<nsgi_request>.size), id, -1)
    (view.method, view.path_info, view.query) = (
      FakeHost.string("GET"), FakeHost.string("/x"), FakeHost.string("a=1")
    )
    for text in [\nsgi_request.script_name, \.protocol, \.scheme, \.remote_addr, \.content_type] {
      view[keyPath: text] = FakeHost.string("")
    }
    #expect(table.pointee.call(app, &view) == NSGI_ASYNC.rawValue)
    return id
  }

  /// The client of this request has left.
  static func cancel(_ table: UnsafePointer<nsgi_app>, _ app: UnsafeMutableRawPointer?, _ id: nsgi_id) {
    var view = nsgi_request()
    view.id = id
    table.pointee.cancel(app, &view)
  }
}
