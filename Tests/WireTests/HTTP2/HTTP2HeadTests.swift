import Support
import Testing

@testable import Wire

/// Heads of answers that take several frames: nothing may come between these (RFC 9113 §6.10).
@Suite struct HTTP2HeadTests {
  /// GET, http, `/`, and an authority of one letter, in HPACK's static table.
  private static let block: [UInt8] = [0x82, 0x86, 0x84, 0x41, 0x01, 0x78]

  /// A session of which streams 1, 3, … have asked.
  private func session(streams: Int) throws -> HTTP2Session {
    var session = HTTP2Session(limits: HTTP2Transcript.limits)
    var bytes = HTTP2Bytes.preface
    var out = ByteBuffer()
    bytes += [0, 0, 0, 4, 0, 0, 0, 0, 0]
    for stream in 0..<streams {
      bytes += [0, 0, UInt8(Self.block.count), 1, 5, 0, 0, 0, UInt8(2 * stream + 1)] + Self.block
    }
    var offset = 0
    try bytes.withUnsafeBytes { bytes in
      while case .request = try session.next(bytes, &offset, into: &out) {
        var head = RequestHead(capacity: 64)
        let fault = try session.takeHead(&head)
        #expect(fault == nil)
      }
    }
    return session
  }

  /// Frames of a head of so many bytes, and of a body of one byte where the head does not end the stream.
  private func answer(_ id: UInt32, _ count: Int, ends: Bool) -> ByteBuffer {
    var out = ByteBuffer()
    var left = count
    while left > 0 {
      let size = min(left, HTTP2Grammar.frameBytes)
      left -= size
      let isFirst = left + size == count
      let flags = (isFirst && ends ? HTTP2Flags.endStream : 0) | (left == 0 ? HTTP2Flags.endHeaders : 0)
      let type = isFirst ? HTTP2Type.headers : HTTP2Type.continuation
      HTTP2Frame(type, flags: flags, id: id, length: size).write(into: &out)
      [UInt8](repeating: 0x80, count: size).withUnsafeBytes { out.append($0) }
    }
    if !ends {
      HTTP2Frame(HTTP2Type.data, flags: HTTP2Flags.endStream, id: id, length: 1).write(into: &out)
      [UInt8(ascii: "x")].withUnsafeBytes { out.append($0) }
    }
    return out
  }

  /// The frames of an output: type, flags, stream.
  private func frames(_ out: borrowing ByteBuffer) -> [HTTP2Frame] {
    var frames: [HTTP2Frame] = []
    var offset = 0
    while offset < out.count {
      let frame = HTTP2Frame(out.bytes.baseAddress! + offset)
      frames.append(frame)
      offset += HTTP2Grammar.headerBytes + frame.length
    }
    return frames
  }

  /// The fields of all frames of an output.
  private func fields(_ out: borrowing ByteBuffer) -> [UInt8] {
    var (fields, offset) = ([UInt8](), HTTP2Grammar.headerBytes)
    for frame in frames(out) {
      fields += out.bytes[offset..<(offset + frame.length)]
      offset += HTTP2Grammar.headerBytes + frame.length
    }
    return fields
  }

  // RFC 9113 §4.3.1: a client that finds nothing of it there ends the connection.
  @Test(
    "a client that has made its table smaller is told once that none is used",
    arguments: [100, 16_383, 16_384, 20_000])
  func tableSize(count: Int) throws {
    var session = try session(streams: 2)
    var out = ByteBuffer()
    let settings = [UInt32(0), 65536].flatMap { size in
      HTTP2Bytes.frame(HTTP2Type.settings, 0, 0, [0, 1] + HTTP2Bytes.number(size))
    }
    var offset = 0
    try settings.withUnsafeBytes { bytes in
      let event = try session.next(bytes, &offset, into: &out)
      #expect(event == .needMore)
    }
    let answers = [[UInt8(0x20)], []].map { $0 + [UInt8](repeating: 0x80, count: count) }
    for (id, expected) in zip([UInt32(1), 3], answers) {
      out.removeAll()
      var answer = answer(id, count, ends: true)
      let moved = session.move(id, &answer, most: 1, into: &out)
      let (heads, found) = (frames(out), fields(out))
      #expect(moved == .all && found == expected)
      #expect(heads.allSatisfy { $0.id == id && $0.length <= HTTP2Grammar.frameBytes })
      #expect(heads.map { $0.has(HTTP2Flags.endHeaders) } == heads.indices.map { $0 == heads.count - 1 })
    }
    let open = session.count
    #expect(open == 0)
  }

  @Test("a head that has begun to leave leaves whole, however little its turn is", arguments: [false, true])
  func whole(ends: Bool) throws {
    var session = try session(streams: 2)
    var out = ByteBuffer()
    var first = answer(1, 50_000, ends: ends)
    var second = answer(3, 20_000, ends: ends)
    var moved = session.move(1, &first, most: 1, into: &out)
    #expect(moved == (ends ? .all : .more))
    moved = session.move(3, &second, most: 1, into: &out)
    #expect(moved == (ends ? .all : .more))
    let heads = frames(out)
    #expect(heads.map { $0.id } == [1, 1, 1, 1, 3, 3])
    #expect(heads.map { $0.has(HTTP2Flags.endHeaders) } == [false, false, false, true, false, true])
    var count = session.count
    #expect(count == (ends ? 0 : 2))
    guard !ends else { return }
    moved = session.move(1, &first, most: 1, into: &out)
    var last = frames(out).last
    #expect(moved == .all)
    #expect(last == HTTP2Frame(HTTP2Type.data, flags: HTTP2Flags.endStream, id: 1, length: 1))
    moved = session.move(3, &second, most: 1, into: &out)
    last = frames(out).last
    #expect(moved == .all)
    #expect(last == HTTP2Frame(HTTP2Type.data, flags: HTTP2Flags.endStream, id: 3, length: 1))
    count = session.count
    #expect(count == 0)
  }

  @Test("its frames may come one by one, as from a file", arguments: [false, true])
  func piecewise(ends: Bool) throws {
    var session = try session(streams: 1)
    let all = answer(1, 40_000, ends: ends)
    var out = ByteBuffer()
    var (offset, most) = (0, 16_384)
    for frame in frames(all) {
      let count = HTTP2Grammar.headerBytes + frame.length
      var one = ByteBuffer()
      one.append(UnsafeRawBufferPointer(rebasing: all.bytes[offset..<(offset + count)]))
      offset += count
      let isHead = frame.type != HTTP2Type.data
      let moved = session.move(1, &one, most: isHead ? most : .max, into: &out)
      #expect(moved == .all)
      // The turn is over; the head is not.
      most = 0
    }
    let (written, open) = (out.count, session.count)
    #expect(written == all.count && open == 0)
  }
}
