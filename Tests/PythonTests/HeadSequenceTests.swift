// Heads and bodies of every kind in random order on connections that stay: each answer is compared byte by
// byte with what its own request says, so that nothing of another one can be in it.
import Foundation
import Support
import Synchronization
import Testing

@Suite struct HeadSequenceTests {
  /// Answers in all; a server with a sanitizer is many times slower.
  private static let answers = Repository.isSanitized ? 20_000 : 100_000
  private static let clients = 4
  private static let batch = 50

  @Test("no head or body of an answer reaches into another one")
  func sequences() throws { try Self.compare(Self.answers, []) }

  /// The same with any Python, which `options` name.
  static func compare(_ answers: Int, _ options: [String]) throws {
    let seed = UInt64.random(in: 0...(.max))
    let failures = Mutex<[String]>([])
    try Python.run("sequences", ["--threads", "4"] + options) { (server) throws in
      let address = try server.address("http")
      DispatchQueue.concurrentPerform(iterations: clients) { client in
        do { try ask(address, seed &+ UInt64(client), answers) } catch {
          failures.withLock { $0.append("\(error)") }
        }
      }
    }
    for failure in failures.withLock({ $0 }) { Issue.record("let seed = \(seed) as UInt64: \(failure)") }
  }

  private static func ask(_ address: Address, _ seed: UInt64, _ answers: Int) throws {
    var random = SeededRandom(seed)
    let socket = try RawSocket(address)
    for number in 0..<(answers / clients / batch) {
      let asked = (0..<batch).map { _ in Asked(&random) }
      try socket.send(asked.map(\.request).joined())
      let wanted = asked.reduce(into: [UInt8]()) { $0 += $1.answer }
      let got = try receive(wanted, socket)
      guard got != wanted else { continue }
      let place = zip(got, wanted).prefix { $0 == $1 }.count
      let from = max(0, place - 300)
      func around(_ bytes: [UInt8]) -> String {
        String(decoding: bytes[min(from, bytes.count)..<min(place + 200, bytes.count)], as: UTF8.self)
      }
      let words = asked.map(\.query).joined(separator: " ")
      throw SupportError.malformedReply(
        "batch \(number): \(words)\ngot\n\(around(got))\nwanted\n\(around(wanted))")
    }
  }
}

extension HeadSequenceTests {
  /// As many bytes as are wanted; fewer once some of them differ, since more may never come.
  private static func receive(_ wanted: [UInt8], _ socket: RawSocket) throws -> [UInt8] {
    var got: [UInt8] = []
    while got.count < wanted.count {
      let some = try socket.receive(wanted.count - got.count)
      let isSame = wanted.withUnsafeBytes { memcmp($0.baseAddress! + got.count, some, some.count) == 0 }
      got += some
      if some.isEmpty || !isSame { break }
    }
    return got
  }
}

/// One request to Tests/Fixtures/python/sequences.py, and its answer.
private struct Asked {
  let query: String
  let answer: [UInt8]

  var request: String { "GET /?\(query) HTTP/1.1\r\nHost: x\r\n\r\n" }

  private static let fields = [
    ("Date", "then"), ("Server", "it"), ("Content-Type", "text/plain"), ("X-A", "a"),
    ("Set-Cookie", "session=1"), ("X-B", String(repeating: "b", count: 200)), ("ETag", "\"e\""), ("X-C", ""),
  ]
  private static let statuses = ["200 OK", "200 Fine", "404 Not Found", "503 Service Unavailable"]
  private static let large = [UInt8](repeating: UInt8(ascii: "l"), count: 300_000)
  private static let file = [UInt8](String(repeating: "0123456789", count: 100).utf8)

  init(_ random: inout SeededRandom) {
    let count = Int.random(in: 2...8, using: &random)
    let isFresh = Bool.random(using: &random)
    let length = Int.random(in: 0...2, using: &random)
    let before = max(0, Int.random(in: -3...2, using: &random))
    let number = Int.random(in: 0..<10_000, using: &random)
    var kind = Int.random(in: 0...8, using: &random)
    // Large bodies are as good and slow.
    if kind == 2, number % 40 != 0 { kind = 3 }
    query = "\(count)-\(isFresh ? 1 : 0)-\(length)-\(before)-\(kind)-\(number)"
    var head = "HTTP/1.1 \(Self.statuses[number % 4])\r\n"
    for (index, field) in Self.fields.prefix(count).enumerated() {
      head += "\(field.0): \(field.1)\(isFresh && index >= 2 ? "\(number)" : "")\r\n"
    }
    let blocks = Self.blocks(kind, number)
    let isChunked = length != 1 && [4, 6, 7].contains(kind)
    let total = blocks.reduce(0) { $0 + $1.count }
    head += isChunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: \(total)\r\n\r\n"
    var bytes = [UInt8](head.utf8)
    for block in blocks {
      if isChunked { bytes += Array("\(String(block.count, radix: 16))\r\n".utf8) }
      bytes += block
      if isChunked { bytes += [13, 10] }
    }
    answer = isChunked ? bytes + Array("0\r\n\r\n".utf8) : bytes
  }

  private static func blocks(_ kind: Int, _ number: Int) -> [[UInt8]] {
    let text = [UInt8]("body \(number)".utf8)
    return switch kind {
    case 1: [text + text]
    case 2: [large]
    case 3: [Array(file[(number % 1000)...])]
    case 6: [text, text]
    case 7: [text, [UInt8(ascii: ".")]]
    case 8: []
    default: [text]
    }
  }
}
