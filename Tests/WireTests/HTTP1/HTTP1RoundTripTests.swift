import Support
import Testing
import Wire

/// Requests that a client of its own wrote come out of the reader as they went in.
@Suite struct HTTP1RoundTripTests {
  @Test(arguments: 1...150 as ClosedRange<UInt64>)
  func requests(seed: UInt64) {
    var random = SeededRandom(seed)
    var bytes: [UInt8] = []
    var expected: [String] = []
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let request = HTTP1RoundTripTests.request(&random)
      bytes += request.bytes
      expected += HTTP1RoundTripTests.lines(request)
    }
    let pieces = random.pieces(of: bytes.count)
    let found = Transcript(HTTP1RequestReader.self, bytes, .init(pieces: pieces, slides: true))
    #expect(found.lines == expected, "SeededRandom(\(seed))")
    #expect(found.consumed == bytes.count)
  }

  private static func request(_ random: inout SeededRandom) -> HTTP1Request {
    var request = HTTP1Request()
    request.method = ["GET", "POST", "M-SEARCH", "X"].randomElement(using: &random)!
    request.target = "/" + text(&random, "abc/%20?&=;~", 0...40)
    request.version = "HTTP/1.\(Int.random(in: 0...1, using: &random))"
    for _ in 0..<Int.random(in: 0...10, using: &random) {
      request.fields.append((text(&random, "aZ9!#_-", 1...20), text(&random, "a b\tc,;:\"é", 0...60)))
    }
    request.body = (0..<[0, 1, 5, 300].randomElement(using: &random)!).map { _ in random.byte() }
    guard request.version == "HTTP/1.1", Bool.random(using: &random) else { return request }
    request.chunks = (0..<3).map { _ in Int.random(in: 1...200, using: &random) }
    request.chunkExtension = ["", ";a", ";a=\"b\" ;c"].randomElement(using: &random)!
    if Bool.random(using: &random) { request.trailers = [("X-Sum", "1"), ("Content-Length", "7")] }
    return request
  }

  private static func text(
    _ random: inout SeededRandom, _ set: String, _ length: ClosedRange<Int>
  ) -> String {
    String((0..<Int.random(in: length, using: &random)).map { _ in set.randomElement(using: &random)! })
  }

  private static func lines(_ request: HTTP1Request) -> [String] {
    let length = request.body.isEmpty ? "none" : "length=\(request.body.count)"
    let framing = request.chunks.isEmpty ? length : "chunked"
    let persists = request.version == "HTTP/1.1" ? "persists" : "closes"
    var lines = ["head \(request.method) \(request.target) \(request.version) \(framing) \(persists)"]
    for (name, value) in request.sentFields {
      var value = value[...]
      while let first = value.first, " \t".contains(first) { value = value.dropFirst() }
      while let last = value.last, " \t".contains(last) { value = value.dropLast() }
      lines.append("field \(name): \(Escapes.text(value.utf8))")
    }
    if !request.body.isEmpty { lines.append("body \"\(Escapes.text(request.body))\"") }
    // The other one means nothing behind a body.
    if request.trailers.contains(where: { $0.name == "X-Sum" }) { lines.append("trailer X-Sum: 1") }
    return lines + ["end"]
  }
}
