import Support
import Testing

@testable import Wire

/// What is counted against a client of HTTP/2, and what is not. No time passes here: stocks are not filled.
@Suite struct HTTP2FloodTests {
  /// GET, http, `/`, and an authority of one letter.
  private static let request: [UInt8] = [0x82, 0x86, 0x84, 0x41, 0x01, 0x78]
  /// x: y
  private static let trailers: [UInt8] = [0, 1, 0x78, 1, 0x79]
  private static let stock = HTTP2Limits(head: .fixtures).idleFrames.burst

  private func frame(_ type: UInt8, _ flags: UInt8, _ id: UInt32, _ payload: [UInt8]) -> [UInt8] {
    HTTP2Bytes.frame(type, flags, id, payload)
  }

  /// HEADERS of a request that `ends`, or goes on.
  private func head(_ id: UInt32, ends: Bool = true) -> [UInt8] {
    frame(HTTP2Type.headers, ends ? 5 : 4, id, Self.request)
  }

  private func window(_ id: UInt32, _ more: UInt32) -> [UInt8] {
    frame(HTTP2Type.windowUpdate, 0, id, HTTP2Bytes.number(more))
  }

  /// A session whose client has greeted, its streams having a window of so many bytes.
  private func session(window: UInt32 = 65535) throws -> HTTP2Session {
    var session = HTTP2Session(limits: HTTP2Transcript.limits)
    let settings = frame(HTTP2Type.settings, 0, 0, [0, 4] + HTTP2Bytes.number(window))
    try feed(&session, HTTP2Bytes.preface + settings)
    return session
  }

  /// Gives whole frames; heads are taken, and what the session has to say leaves.
  private func feed(_ session: inout HTTP2Session, _ bytes: [UInt8]) throws {
    var out = ByteBuffer()
    try feed(&session, bytes, &out)
    session.outputLeft(0, of: 0)
  }

  private func feed(_ session: inout HTTP2Session, _ bytes: [UInt8], _ out: inout ByteBuffer) throws {
    try bytes.withUnsafeBytes { bytes in
      var offset = 0
      while true {
        switch try session.next(bytes, &offset, into: &out) {
        case .needMore: return
        case .request:
          var head = RequestHead(capacity: 64)
          _ = try session.takeHead(&head)
        case .data, .ended, .over, .window, .goAway: break
        }
      }
    }
  }

  /// How many times it goes well, up to a bound; then it has to be a flood of this kind.
  private func count(_ kind: HTTP2Flood, most: Int, _ body: (Int) throws -> Void) -> Int {
    for index in 0..<most {
      do { try body(index) } catch {
        guard case .flood(kind)? = error as? HTTP2Error else {
          Issue.record("\(error) instead of a flood of \(kind)")
          return -1
        }
        return index
      }
    }
    return most
  }

  /// Frames of a body.
  private func body(_ id: UInt32, _ count: Int) -> ByteBuffer {
    var out = ByteBuffer()
    var left = count
    while left > 0 {
      let size = HTTP2ResponseWriter.dataHead(left, id: id, into: &out)
      [UInt8](repeating: 0x61, count: size).withUnsafeBytes { out.append($0) }
      left -= size
    }
    return out
  }

  @Test("GOAWAY again and again is a flood")
  func goAway() throws {
    var session = try session()
    let frame = frame(HTTP2Type.goAway, 0, 0, [UInt8](repeating: 0, count: 8))
    let taken = count(.idleFrames, most: 2 * Self.stock) { _ in try feed(&session, frame) }
    #expect(taken == Self.stock)
  }

  @Test(
    "blocks and short DATA of a stream that was reset are a flood; long DATA is not", arguments: [1, 512])
  func behindReset(bytes: Int) throws {
    var session = try session()
    var out = ByteBuffer()
    try feed(&session, head(1, ends: false))
    session.reset(1, .cancel, into: &out)
    let data = frame(HTTP2Type.data, 0, 1, [UInt8](repeating: 0x61, count: bytes))
    let taken = count(.idleFrames, most: 2 * Self.stock) { _ in try feed(&session, data) }
    #expect(taken == (bytes == 1 ? Self.stock : 2 * Self.stock))
    guard bytes > 1 else { return }
    let block = frame(HTTP2Type.headers, 4, 1, Self.trailers)
    let blocks = count(.idleFrames, most: 2 * Self.stock) { _ in try feed(&session, block) }
    #expect(blocks == Self.stock)
  }

  @Test("trailers of a stream that was reset here are passed over, whatever has ended since")
  func lateTrailers() throws {
    var session = try session()
    var out = ByteBuffer()
    try feed(&session, head(1, ends: false))
    session.reset(1, .cancel, into: &out)
    // Far more than are remembered of those that the client has reset.
    for id in stride(from: UInt32(3), to: 603, by: 2) {
      try feed(&session, head(id) + frame(HTTP2Type.reset, 0, id, HTTP2Bytes.number(8)))
    }
    let trailers = { (id: UInt32) in frame(HTTP2Type.headers, 5, id, Self.trailers) }
    try feed(&session, trailers(1) + head(603))
    let isServed = session.has(603)
    #expect(isServed)
    // Any other that ended so long ago is no stream any more.
    var fault: HTTP2Error?
    do { try feed(&session, trailers(3)) } catch { fault = error as? HTTP2Error }
    #expect(fault == .streamNotNew)
  }

  @Test("requests without room take nothing of what a client may reset")
  func turnedAway() throws {
    var session = try session()
    let resets = HTTP2Transcript.limits.resets.burst
    var id: UInt32 = 1
    let turned = count(.resets, most: 3 * resets) { _ in
      var out = ByteBuffer()
      try feed(&session, head(id))
      try session.turnAway(id, into: &out)
      let bytes = Array(out.bytes)
      #expect(bytes == frame(HTTP2Type.reset, 0, id, HTTP2Bytes.number(HTTP2Code.refusedStream.rawValue)))
      id += 2
    }
    #expect(turned == 3 * resets)
    // All of these are still the client's.
    let reset = count(.resets, most: 3 * resets) { _ in
      try feed(&session, head(id) + frame(HTTP2Type.reset, 0, id, HTTP2Bytes.number(8)))
      id += 2
    }
    #expect(reset == resets)
  }

  @Test("answers to requests without room wait for their client up to a bound")
  func turnedAwayUnheard() throws {
    var session = try session()
    let most = HTTP2Transcript.limits.replies
    var out = ByteBuffer()
    var id: UInt32 = 1
    let turned = count(.replies, most: 3 * most) { _ in
      try feed(&session, head(id), &out)
      try session.turnAway(id, into: &out)
      id += 2
    }
    #expect(turned == most)
  }

  @Test("answers that leave count no more, though something is always behind them")
  func answersLeave() throws {
    var session = try session()
    let most = HTTP2Transcript.limits.replies
    var out = ByteBuffer()
    var (id, written): (UInt32, Int64) = (1, 1)
    func refuse(_ session: inout HTTP2Session) throws {
      try feed(&session, head(id), &out)
      try session.turnAway(id, into: &out)
      (id, written) = (id + 2, written + 13)
    }
    for _ in 0..<3 * most {
      try refuse(&session)
      // The last answer never leaves at once, nor the byte before it.
      session.outputLeft(written - 14, of: written)
    }
    let more = count(.replies, most: 3 * most) { _ in try refuse(&session) }
    #expect(more < most && more >= most - 4)
  }

  @Test("windows of a byte pay for nothing, and bring a byte each")
  func windowsOfAByte() throws {
    var session = try session(window: 0)
    try feed(&session, head(1))
    var frames = body(1, 3000)
    var out = ByteBuffer()
    let opened = count(.idleFrames, most: 2900) { _ in
      try feed(&session, window(1, 1))
      let moved = session.move(1, &frames, most: .max, into: &out)
      #expect(moved == .blocked)
    }
    // A byte and its header each; 512 of them have paid for one more.
    let (content, all) = (Int(session.contentMoved), out.count)
    #expect(content == opened && all == 10 * opened)
    #expect(Self.stock...(Self.stock + opened / 512) ~= opened, "\(opened)")
  }

  @Test("a client that opens two windows for each KiB goes on")
  func windowsOfAKiB() throws {
    var session = try session(window: 1024)
    try feed(&session, head(1))
    var frames = body(1, 5 << 20)
    var out = ByteBuffer()
    let opened = count(.idleFrames, most: 5000) { _ in
      _ = session.move(1, &frames, most: .max, into: &out)
      try feed(&session, window(0, 1024) + window(1, 1024))
    }
    #expect(opened == 5000)
  }

  @Test("a client that answers each short frame of an application goes on")
  func shortFrames() throws {
    var session = try session()
    try feed(&session, head(1))
    var out = ByteBuffer()
    let answered = count(.idleFrames, most: 5000) { _ in
      var frames = body(1, 3)
      let moved = session.move(1, &frames, most: .max, into: &out)
      #expect(moved == .all)
      try feed(&session, window(0, 3) + window(1, 3))
    }
    #expect(answered == 5000)
  }
}
