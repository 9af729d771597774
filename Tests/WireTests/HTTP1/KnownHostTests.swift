import Testing

@testable import Wire

/// Every Host of a connection is judged by itself, whatever the one before it was.
@Suite struct KnownHostTests {
  private let limits = HeadLimits(headBytes: 1024, fields: 4, chunkLineBytes: 64, bodyBytes: 0)

  /// Reads a request with this Host; bytes of the name in it.
  private func nameCount(_ host: String, _ reader: inout HTTP1RequestReader) throws -> Int {
    let bytes = Array("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n".utf8)
    var head = RequestHead(capacity: 4)
    var offset = 0
    reader.reset()
    let event = try reader.next(bytes.span.bytes, &offset, &head)
    #expect(event == .head)
    return head.hostNameCount
  }

  @Test("names of any length are known again, with a port and without", arguments: 1...40)
  func known(length: Int) throws {
    var reader = HTTP1RequestReader(limits: limits)
    let name = String((0..<length).map { Character(UnicodeScalar(UInt8(97 + $0 % 26))) })
    for host in [name, name, "\(name):80", "\(name):80", "\(name):", name, "", name] {
      let expected = host.isEmpty ? 0 : length
      let count = try nameCount(host, &reader)
      #expect(count == expected, "\(host)")
    }
  }

  @Test("a byte that no name has is found wherever it stands, behind a good name", arguments: 1...40)
  func changed(length: Int) throws {
    let name = Array(repeating: Character("a"), count: length)
    var reader = HTTP1RequestReader(limits: limits)
    let first = try nameCount(String(name), &reader)
    #expect(first == length)
    for place in 0..<length {
      var (bad, copy) = (name, reader)
      bad[place] = "/"
      #expect(throws: HTTP1Error.hostMalformed) { try nameCount(String(bad), &copy) }
      bad[place] = "b"
      let count = try nameCount(String(bad), &reader)
      #expect(count == length)
    }
  }

  @Test(
    "a port moves with its colon",
    arguments: [
      ("example.org:8080", 11), ("example.orgs:808", 12), ("[2001:db8::1]:80", 13), ("[2001:db8::1:80]", 16),
    ])
  func port(host: String, count: Int) throws {
    var reader = HTTP1RequestReader(limits: limits)
    for (host, count) in [("abcdefghijklmnop", 16), (host, count), (host, count)] {
      let found = try nameCount(host, &reader)
      #expect(found == count, "\(host)")
    }
  }
}
