import Support
import Testing

@testable import Wire

/// Priorities of RFC 9218: what a client says, and what it means for its streams.
@Suite struct HTTP2PriorityTests {
  @Test(
    "what can be understood holds, whatever stands beside it",
    arguments: [
      ("u=0", 0, false), ("u=7, i", 7, true), ("i", 3, true), ("i=?1\t,u=2", 2, true), ("i=?0", 3, false),
      ("u=2,u=5", 5, false), ("i, i=?0", 3, false), ("u=1;x=2, i;y", 1, true), ("", 3, false),
      ("u=8", 3, false), ("u=-1", 3, false), ("u=01", 3, false), ("U=1", 3, false), ("u = 1", 3, false),
      ("i=1, u=\"4\"", 3, false), ("x=\"u=1\", y=(u=1 i)", 3, false), (",,u=6,,", 6, false),
    ] as [(String, UInt8, Bool)])
  func values(text: String, urgency: UInt8, isIncremental: Bool) {
    let said = Array(text.utf8).withUnsafeBytes { HTTP2Priority($0) }
    #expect(said.urgency == urgency && said.isIncremental == isIncremental)
  }

  /// A session whose client has opened all windows, said this, and asked for streams 1, 3, …, each with these
  /// fields of its priority.
  private func session(_ priorities: [[String]], behind frames: [UInt8] = []) throws -> HTTP2Session {
    var session = HTTP2Session(limits: HTTP2Transcript.limits)
    var bytes = HTTP2Bytes.preface
    bytes += HTTP2Bytes.frame(HTTP2Bytes.settings, 0, 0, [0, 4, 0x40, 0, 0, 0])
    bytes += HTTP2Bytes.frame(HTTP2Bytes.windowUpdate, 0, 0, [0x3f, 0, 0, 0]) + frames
    for (number, values) in priorities.enumerated() {
      // GET, http, `/`, and an authority of one letter.
      let request: [UInt8] = [0x82, 0x86, 0x84, 0x41, 0x01, 0x78]
      let block = request + HTTP2Bytes.block(values.map { (name: "priority", value: $0) })
      bytes += HTTP2Bytes.frame(HTTP2Bytes.headers, 5, UInt32(2 * number + 1), block)
    }
    var out = ByteBuffer()
    var offset = 0
    try bytes.withUnsafeBytes { bytes in
      while true {
        let event = try session.next(bytes, &offset, into: &out)
        if event == .needMore { return }
        guard case .request = event else { continue }
        var head = RequestHead(capacity: 64)
        let fault = try session.takeHead(&head)
        #expect(fault == nil)
      }
    }
    return session
  }

  @Test("several fields are one list; nothing said means shares")
  func fields() throws {
    let session = try session([["u=1", "i"], ["u=5"], []])
    let ranks = [session.rank(1), session.rank(3), session.rank(5)]
    #expect(ranks.map { $0.urgency } == [1, 5, 3])
    #expect(ranks.map { $0.isWhole } == [false, true, false])
  }

  @Test("PRIORITY_UPDATE goes before the field, also ahead of its stream (§7)")
  func update() throws {
    let update = HTTP2Bytes.frame(16, 0, 0, HTTP2Bytes.number(UInt32(1)) + Array("u=0".utf8))
    let session = try session([["u=5, i"], ["u=5, i"]], behind: update)
    let ranks = [session.rank(1), session.rank(3)]
    #expect(ranks.map { $0.urgency } == [0, 5])
    #expect(ranks.map { $0.isWhole } == [true, false])
  }

  @Test("an answer is wanted whole for so long only")
  func long() throws {
    var session = try session([["u=3"]])
    let most = HTTP2Transcript.limits.wholeBytes
    for (count, expected) in [(most - 1, true), (1, false)] {
      var frames = ByteBuffer()
      var out = ByteBuffer()
      var left = count
      while left > 0 {
        let size = HTTP2ResponseWriter.dataHead(left, id: 1, into: &frames)
        [UInt8](repeating: 0x61, count: size).withUnsafeBytes { frames.append($0) }
        left -= size
      }
      let moved = session.move(1, &frames, most: .max, into: &out)
      let isWhole = session.rank(1).isWhole
      #expect(moved == .all && isWhole == expected)
    }
  }
}
