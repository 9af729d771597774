import Support
import Testing
import Wire

/// Frames of a server.
@Suite struct WebSocketWriterTests {
  private func frame(_ opcode: WebSocketOpcode, isCompressed: Bool = false, _ payload: [UInt8]) -> [UInt8] {
    var out = ByteBuffer()
    payload.withUnsafeBytes { WebSocketWriter.write(opcode, isCompressed: isCompressed, $0, into: &out) }
    return Array(out.bytes)
  }

  /// RFC 6455 §5.7.
  @Test func writesTheExamples() {
    #expect(frame(.text, Array("Hello".utf8)) == [0x81, 0x05] + Array("Hello".utf8))
    #expect(frame(.ping, Array("Hello".utf8)) == [0x89, 0x05] + Array("Hello".utf8))
    let short = [UInt8](repeating: 7, count: 256)
    #expect(frame(.binary, short) == [0x82, 0x7e, 0x01, 0x00] + short)
    let long = [UInt8](repeating: 7, count: 65536)
    #expect(frame(.binary, long) == [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0] + long)
    #expect(frame(.text, isCompressed: true, [1]) == [0xc1, 1, 1])
  }

  @Test(arguments: [0, 1, 125, 126, 127, 65535, 65536, 70000])
  func comesBackFromTheReader(_ count: Int) {
    let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
    var masked = frame(.binary, payload)
    // As a client sends it: with a mask of 0.
    masked[1] |= 0x80
    masked.insert(contentsOf: [0, 0, 0, 0], at: masked.count - count)
    let found = WebSocketTranscript(masked)
    #expect(found.messages == [payload])
  }

  @Test func closesWithCodeAndReason() {
    func close(_ code: UInt16, _ reason: String) -> [UInt8] {
      var out = ByteBuffer()
      Array(reason.utf8).withUnsafeBytes { WebSocketWriter.close(code, $0, into: &out) }
      return Array(out.bytes)
    }
    #expect(close(1000, "bye") == [0x88, 5, 0x03, 0xe8] + Array("bye".utf8))
    #expect(close(1005, "not sent") == [0x88, 0])
    // 41 characters of three bytes are the 123 that there is room for.
    let long = close(1001, String(repeating: "€", count: 60))
    #expect(long.count == 2 + 125 && long[1] == 125)
    let cut = close(1001, "ab" + String(repeating: "€", count: 60))
    #expect(cut[1] == 2 + 2 + 40 * 3)
  }
}
