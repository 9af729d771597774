import Foundation
import Support
import Testing

@testable import Wire

/// HPACK by itself: the examples of RFC 7541 appendix C, the bounds of the table, the code of every byte.
@Suite struct HPACKTests {
  /// What a decoder makes of blocks, one after another: "name: value" lines.
  static func decode(_ blocks: [[UInt8]]) throws -> [[String]] {
    var decoder = HPACKDecoder()
    var lists: [[String]] = []
    for block in blocks { lists.append(try decode(block, &decoder)) }
    return lists
  }

  static func decode(_ block: [UInt8], _ decoder: inout HPACKDecoder) throws(HPACKError) -> [String] {
    var (position, lines) = (0, [String]())
    var text = ByteBuffer()
    decoder.begin()
    let memory = GuardedMemory(capacity: block.count)
    let bytes = UnsafeRawBufferPointer(memory.place(block[...]))
    while let field = try decoder.next(bytes, &position, into: &text) {
      let base = text.base!
      lines.append(
        String(decoding: field.name.bytes(in: base), as: UTF8.self) + ": "
          + String(decoding: field.value.bytes(in: base), as: UTF8.self))
    }
    return lines
  }

  static func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.filter { !$0.isWhitespace }
    return stride(from: 0, to: digits.count, by: 2).map { offset in
      let start = digits.index(digits.startIndex, offsetBy: offset)
      return UInt8(digits[start..<digits.index(start, offsetBy: 2)], radix: 16)!
    }
  }

  // RFC 7541 C.6: a table of 256 bytes, from which entries go.
  @Test func answersOfTheSpecification() throws {
    let blocks = [
      "3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d"
        + "29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
      "4883 640e ffc1 c0bf",
      "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2"
        + "e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ].map(HPACKTests.bytes)
    let date = "date: Mon, 21 Oct 2013 20:13:21 GMT"
    let location = "location: https://www.example.com"
    let cookie = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
    #expect(
      try HPACKTests.decode(blocks) == [
        [":status: 302", "cache-control: private", date, location],
        [":status: 307", "cache-control: private", date, location],
        [
          ":status: 200", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:22 GMT", location,
          "content-encoding: gzip", cookie,
        ],
      ])
  }

  // RFC 9113 §8.2.1: what clients refuse.
  @Test func whiteSpaceAroundValuesIsLeftOut() throws {
    var out = ByteBuffer()
    let lines = "X-A:  b \t\r\nX-C: \t \r\nX-D: e f\r\n"
    lines.withContiguous { HPACKEncoder.lines($0, into: &out) }
    #expect(try HPACKTests.decode([Array(out.bytes)]) == [["x-a: b", "x-c: ", "x-d: e f"]])
  }

  @Test func ownFieldsAreThoseThatTheAppHasNotGiven() throws {
    let given = [(false, false), (true, false), (false, true), (true, true)]
    let (date, server) = ("date: Sun, 06 Nov 1994 08:49:37 GMT", "server: nsgi")
    let expected = [[date, server], [server], [date], []]
    for ((hasDate, hasServer), fields) in zip(given, expected) {
      var out = ByteBuffer()
      withServerFields("nsgi") {
        HPACKEncoder.own($0, hasDate: hasDate, hasServer: hasServer, into: &out)
      }
      #expect(try HPACKTests.decode([Array(out.bytes)]) == [fields])
    }
  }

  // RFC 7541 §6.2.3, and §6.2.2 for all others.
  @Test func cookiesAreNeverIndexed() {
    for (name, first) in [("Set-Cookie", 0x1f), ("Location", 0x0f)] as [(String, UInt8)] {
      var out = ByteBuffer()
      name.withContiguous { name in "a=b".withContiguous { HPACKEncoder.field(name, $0, into: &out) } }
      #expect(out.bytes.first == first)
    }
  }

  // RFC 7541 C.1.
  @Test func integers() throws {
    for (value, bits, coded) in [(10, 5, [10]), (1337, 5, [31, 154, 10]), (42, 8, [42])]
      as [(Int, Int, [UInt8])]
    {
      var out = ByteBuffer()
      HPACKEncoder.integer(value, bits: bits, 0, into: &out)
      #expect(Array(out.bytes) == coded)
      var position = 0
      #expect(try coded.withUnsafeBytes { try HPACKDecoder.integer($0, &position, bits: bits) } == value)
    }
  }

  @Test func everyByteHasACode() throws {
    let all = (0...255).map { UInt8($0) }
    var texts: [[UInt8]] = [all, [], all.reversed()]
    for byte in all { texts += [[byte], [0x61, byte, byte]] }
    for text in texts {
      var coded = ByteBuffer()
      var decoded = ByteBuffer()
      text.withUnsafeBytes { HPACKHuffman.encode($0, into: &coded) }
      #expect(coded.count == text.withUnsafeBytes { HPACKHuffman.count($0) })
      try HPACKHuffman.decode(coded.bytes, HPACKHuffman.tables, into: &decoded)
      #expect(Array(decoded.bytes) == text)
    }
  }

  @Test func tableHoldsWhatItsSizeAllows() {
    var table = HPACKTable()
    let value = [UInt8](repeating: 0x78, count: 100)
    for number in 0..<1000 {
      let name = Array(String(number).utf8)
      name.withUnsafeBytes { name in value.withUnsafeBytes { table.add(name, $0) } }
      #expect(table.size <= HPACKTable.announced)
      #expect(table[0].map { String(decoding: $0.name, as: UTF8.self) } == String(number))
      let oldest = table.count - 1
      #expect(table[oldest].map { String(decoding: $0.name, as: UTF8.self) } == String(number - oldest))
      #expect(table[oldest].map { Array($0.value) } == value)
      #expect(table[table.count] == nil)
    }
    // One that does not fit empties it (§4.4).
    [UInt8](repeating: 0x79, count: 4096).withUnsafeBytes { table.add($0, $0) }
    #expect(table.count == 0 && table.size == 0)
  }

  /// Against another implementation: PyPI's hpack, with a dynamic table, Huffman code and changes of the
  /// size.
  @Test func anotherEncodersBlocks() throws {
    let lines = try HPACKOracle.run("encode", "300")
    var decoder = HPACKDecoder()
    var isFresh = false
    for line in lines {
      if line == "new" {
        decoder = HPACKDecoder()
        isFresh = true
        continue
      }
      #expect(isFresh)
      let parts = line.split(separator: " ", omittingEmptySubsequences: false)
      let block = HPACKTests.bytes(String(parts[0]))
      let expected = try parts[1...].map { String(decoding: HPACKTests.bytes(String($0)), as: UTF8.self) }
      #expect(try HPACKTests.decode(block, &decoder) == expected)
    }
    #expect(lines.count > 1000)
  }

  @Test func anotherDecoderReadsOurBlocks() throws {
    var random = SeededRandom(7)
    var (text, expected) = ("", [String]())
    for _ in 0..<500 {
      var out = ByteBuffer()
      let status = [200, 204, 206, 304, 400, 404, 500, 201, 302, 599][Int(random.next() % 10)]
      HPACKEncoder.status(status, into: &out)
      var fields = [":status: \(status)"]
      for _ in 0..<Int(random.next() % 8) {
        let name = HPACKTests.names[Int(random.next() % UInt64(HPACKTests.names.count))]
        let value = String(
          decoding: (0..<Int(random.next() % 200)).map { _ in UInt8(0x21 + random.next() % 94) },
          as: UTF8.self)
        name.withContiguous { name in value.withContiguous { HPACKEncoder.field(name, $0, into: &out) } }
        fields.append("\(name.lowercased()): \(value)")
      }
      let length = Int64(random.next() >> 1)
      HPACKEncoder.length(length, into: &out)
      fields.append("content-length: \(length)")
      text += out.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\n"
      expected.append(fields.joined(separator: "\u{1}"))
    }
    let lines = try HPACKOracle.run("decode", input: text)
    let read = lines.map { String(decoding: HPACKTests.bytes($0), as: UTF8.self) }
    #expect(read == expected)
  }

  static let names = [
    "Content-Type", "date", "Server", "X-Made-Up", "set-cookie", "Location", "ETag", "vary", "Cache-Control",
    "last-modified", "Content-Encoding", "WWW-Authenticate", "allow", "Age", "via", "link", "x-y",
    "strict-transport-security", "access-control-allow-origin", "content-disposition", "retry-after",
    "refresh",
    "accept-ranges", "content-range", "content-language", "content-location", "expires",
  ]
}

extension String {
  fileprivate func withContiguous<Answer>(_ body: (UnsafeRawBufferPointer) -> Answer) -> Answer {
    Array(utf8).withUnsafeBytes(body)
  }
}

/// PyPI's hpack at work: Tests/Fixtures/clients/hpack_oracle.py.
private enum HPACKOracle {
  static func run(_ arguments: String..., input: String = "") throws -> [String] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "\(Repository.root)/.build/venv/bin/python")
    process.arguments = ["\(Repository.root)/Tests/Fixtures/clients/hpack_oracle.py"] + arguments
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("hpack-\(UUID().uuidString)")
    try Data(input.utf8).write(to: folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    let output = Pipe()
    process.standardInput = try FileHandle(forReadingFrom: folder)
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
