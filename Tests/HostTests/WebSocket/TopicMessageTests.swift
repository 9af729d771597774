// Messages between workers as bytes: the same however they come, and nothing that no worker says.
import Config
import Support
import Testing

@testable import Host

@Suite struct TopicMessageTests {
  /// What a reader makes of bytes that come in pieces.
  private func read(_ pieces: [[UInt8]]) -> (messages: [String], fault: TopicFault?) {
    var reader = TopicReader()
    var found: [String] = []
    for piece in pieces where !piece.isEmpty {
      reader.reserve(piece.count).copyMemory(from: piece, byteCount: piece.count)
      reader.commit(piece.count)
      do throws(TopicFault) {
        while let message = try reader.next() { found.append(TopicText.of(message)) }
      } catch { return (found, error) }
      reader.rest()
    }
    return (found, nil)
  }

  /// A head with these numbers, and what follows.
  private func bytes(
    payload: UInt32, topic: UInt16, kind: UInt8 = 1, last: UInt8 = 0, _ rest: Int = 0
  ) -> [UInt8] {
    var all: [UInt8] = []
    for place in 0..<4 { all.append(UInt8(truncatingIfNeeded: payload >> UInt32(8 * place))) }
    for place in 0..<2 { all.append(UInt8(truncatingIfNeeded: topic >> UInt16(8 * place))) }
    all += [kind, last]
    return all + [UInt8](repeating: 0x78, count: rest)
  }

  @Test("a message has the bytes that its form says")
  func form() {
    let expected: [UInt8] = [3, 0, 0, 0, 4, 0, 1, 0] + Array("roomabc".utf8)
    #expect(TopicText.bytes("room", "abc") == expected)
    let none = UnsafeRawBufferPointer(start: nil, count: 0)
    let empty = Array("r".utf8).withUnsafeBytes { topic in
      TopicMessage(topic: topic, opcode: .binary, payload: none).bytes
    }
    #expect(empty == [0, 0, 0, 0, 1, 0, 2, 0, 0x72])
  }

  @Test("messages are the same at every cut, and byte by byte")
  func cuts() {
    let texts = ["", "hello", "ü€😀", String(repeating: "long ", count: 60)]
    let all = texts.flatMap { TopicText.bytes("room/7", $0) } + TopicText.bytes("x", "last")
    let expected = texts.map { "text room/7: \($0)" } + ["text x: last"]
    let whole = read([all])
    #expect(whole.messages == expected && whole.fault == nil)
    for cut in 1..<all.count {
      let parts = read([Array(all[..<cut]), Array(all[cut...])])
      #expect(parts.messages == expected && parts.fault == nil, "cut at \(cut)")
    }
    let single = read(all.map { [$0] })
    #expect(single.messages == expected && single.fault == nil)
  }

  @Test("the largest message and the longest topic are read, and nothing beyond")
  func bounds() {
    let (payload, topic) = (UInt32(Limits.topicMessageBytes), UInt16(Limits.topicNameBytes))
    let largest = read([bytes(payload: payload, topic: topic, kind: 2, Int(payload) + Int(topic))])
    #expect(largest.messages.count == 1 && largest.fault == nil)
    #expect(largest.messages.first?.hasSuffix(": \(payload) bytes") == true)
    for count in [payload + 1, 1 << 31, .max] {
      #expect(read([bytes(payload: count, topic: 4)]).fault == .payloadLength(Int(count)))
    }
    for count in [0, topic + 1, .max] {
      #expect(read([bytes(payload: 1, topic: count)]).fault == .topicLength(Int(count)))
    }
  }

  @Test("kinds that are no messages, and a last byte that is not zero")
  func kinds() {
    for kind in [UInt8(0), 3, 7, 8, 9, 10, 255] {
      #expect(read([bytes(payload: 1, topic: 1, kind: kind, 2)]).fault == .kind(kind))
    }
    #expect(read([bytes(payload: 1, topic: 1, last: 1, 2)]).fault == .reserved(1))
  }

  @Test("a text that is not UTF-8 is a fault; the same bytes as a binary message are none")
  func texts() {
    for payload in [[0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xc0, 0x80]] as [[UInt8]] {
      func read(kind: UInt8) -> (messages: [String], fault: TopicFault?) {
        self.read([bytes(payload: UInt32(payload.count), topic: 1, kind: kind, 1) + payload])
      }
      let (text, binary) = (read(kind: 1), read(kind: 2))
      #expect(text.messages.isEmpty && text.fault == .text, "\(payload)")
      #expect(binary.messages.count == 1 && binary.fault == nil, "\(payload)")
    }
  }

  @Test("a fault is found with the head, at whatever cut, and good messages before it count")
  func faults() {
    let good = TopicText.bytes("room", "good")
    let all = good + bytes(payload: .max, topic: 4, 20)
    for cut in 1..<all.count {
      let parts = read([Array(all[..<cut]), Array(all[cut...])])
      #expect(parts.messages == ["text room: good"] && parts.fault == .payloadLength(Int(UInt32.max)))
    }
    // A part of a head says nothing yet.
    for count in 1..<8 {
      let part = read([Array(bytes(payload: .max, topic: 0)[..<count])])
      #expect(part.messages.isEmpty && part.fault == nil, "\(count) bytes of a head")
    }
  }

  @Test("any bytes at all make messages or a fault, and no more of them than there are")
  func noise() {
    var random = SeededRandom(7)
    for _ in 0..<2000 {
      var noise: [UInt8] = []
      for _ in 0..<Int.random(in: 1...64, using: &random) {
        noise.append(UInt8.random(in: 0...255, using: &random))
      }
      // Half of them begin as messages do.
      if Bool.random(using: &random) { noise = TopicText.bytes("t", "x") + noise }
      let whole = read([noise])
      let single = read(noise.map { [$0] })
      #expect(whole.messages == single.messages && whole.fault == single.fault, "\(noise)")
      #expect(whole.messages.count <= noise.count / 9)
    }
  }
}
