import Support
import Testing

@testable import Wire

/// How the windows of input grow, and how far; fixtures show a single step (window_grows).
@Suite struct HTTP2WindowTests {
  /// Small ones, of which every bound is reached in a few round trips.
  private static var limits: HTTP2Limits {
    var limits = HTTP2Limits(head: .fixtures)
    (limits.streamWindow, limits.streamWindowAtMost, limits.streamWindowsGrowth) = (1000, 8000, 10_000)
    (limits.connectionWindow, limits.connectionWindowAtMost) = (4000, 16_000)
    return limits
  }

  /// A session and its client, who answers PING a round trip later, and knows as much of windows as it was
  /// told by then.
  private final class Line {
    var session = HTTP2Session(limits: HTTP2WindowTests.limits)
    /// What the client may send: on the connection (0) and on streams.
    private var windows: [UInt32: Int] = [0: 4000]
    /// Measurements that have begun.
    private(set) var pings = 0
    private var owesAnswer = false

    init() throws {
      try hear(HTTP2Bytes.preface + HTTP2Bytes.frame(HTTP2Bytes.settings, 0, 0, []))
    }

    /// Begins a request with these fields.
    func open(_ id: UInt32, _ fields: [(name: String, value: String)] = []) throws {
      // POST, http, `/`, and an authority of one letter.
      let request: [UInt8] = [0x83, 0x86, 0x84, 0x41, 0x01, 0x78]
      windows[id] = 1000
      let block = request + HTTP2Bytes.block(fields)
      try hear(HTTP2Bytes.frame(HTTP2Bytes.headers, HTTP2Bytes.endHeaders, id, block))
    }

    /// Sends what windows allow, up to a bound, and ahead of it or behind it the answer to the last PING.
    func trip(_ ids: [UInt32], most: Int = .max, answersLast: Bool = false) throws {
      let owed = owesAnswer
      if owed, !answersLast { try answer() }
      // What it learns meanwhile is for the next trip.
      let before = windows
      for id in ids {
        var room = min(before[id] ?? 0, before[0] ?? 0, windows[0] ?? 0, most)
        while room >= 500 {
          windows[0]? -= 500
          windows[id]? -= 500
          room -= 500
          try hear(HTTP2Bytes.frame(HTTP2Bytes.data, 0, id, [UInt8](repeating: 0x61, count: 500)))
        }
      }
      if owed, answersLast { try answer() }
    }

    /// Answers a PING, whether one has come or not.
    func answer() throws {
      owesAnswer = false
      try hear(HTTP2Bytes.frame(HTTP2Bytes.ping, HTTP2Bytes.ack, 0, Array("measured".utf8)))
    }

    /// The sizes of the windows of all streams.
    var sizes: [Int] {
      var sizes: [Int] = []
      for place in 0..<session.streams.count { sizes.append(session.streams[place].window) }
      return sizes
    }

    /// Gives frames to the session, whose applications take everything, and heeds what it says.
    private func hear(_ bytes: [UInt8]) throws {
      var out = ByteBuffer()
      var offset = 0
      try bytes.withUnsafeBytes { bytes in
        while true {
          switch try session.next(bytes, &offset, into: &out) {
          case .needMore: return
          case .request:
            var head = RequestHead(capacity: 64)
            _ = try session.takeHead(&head)
          case .data(let id, let range): session.consumed(id, Int(range.count), into: &out)
          case .ended, .over, .window, .goAway: break
          }
        }
      }
      var said = Array(out.bytes)[...]
      while let frame = HTTP2Bytes.take(&said) {
        let isAnswer = frame.flags & HTTP2Bytes.ack != 0
        if frame.type == HTTP2Bytes.windowUpdate {
          windows[frame.id, default: 0] += Int(HTTP2Bytes.number(frame.payload))
        } else if frame.type == HTTP2Bytes.ping, !isAnswer {
          (pings, owesAnswer) = (pings + 1, true)
        }
      }
    }
  }

  @Test("windows that are used up in each round trip grow to their bounds, and then nothing is measured")
  func grow() throws {
    let line = try Line()
    try line.open(1)
    for _ in 0..<20 { try line.trip([1]) }
    let (sizes, connection, pings) = (line.sizes, line.session.connectionWindow, line.pings)
    #expect(sizes == [8000] && connection == 16_000)
    for _ in 0..<10 { try line.trip([1]) }
    let later = line.pings
    #expect(later == pings)
  }

  @Test("the windows of all streams together grow by so much and no more")
  func together() throws {
    let line = try Line()
    for id: UInt32 in [1, 3, 5] { try line.open(id) }
    for _ in 0..<20 { try line.trip([1, 3, 5]) }
    let sizes = line.sizes
    #expect(sizes.reduce(0, +) == 3 * 1000 + 10_000, "\(sizes)")
  }

  @Test("a client that sends less than a third of a window in a round trip has windows enough")
  func slow() throws {
    let line = try Line()
    try line.open(1)
    // Half of the first window, a quarter of the second.
    for _ in 0..<30 { try line.trip([1], most: 500, answersLast: true) }
    let sizes = line.sizes
    #expect(sizes == [2000])
  }

  @Test("a body whose rest fits into its window is not measured", arguments: [1500, 1501])
  func short(length: Int) throws {
    let line = try Line()
    try line.open(1, [(name: "content-length", value: "\(length + 500)")])
    try line.trip([1])
    let pings = line.pings
    #expect(pings == (length == 1500 ? 0 : 1))
  }

  @Test("an answer that no PING has asked for counts as a frame that brings nothing")
  func unasked() throws {
    let line = try Line()
    var fault: HTTP2Error?
    var answers = 0
    while fault == nil, answers < 5000 {
      do { try line.answer() } catch { fault = error as? HTTP2Error }
      answers += 1
    }
    #expect(fault == .flood(.idleFrames))
    #expect(answers == HTTP2WindowTests.limits.idleFrames.burst + 1)
  }
}
