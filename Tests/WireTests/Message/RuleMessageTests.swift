import Testing
import Wire

/// What rules do to messages: fields that are taken out, targets that are rewritten, texts that are encoded.
@Suite struct RuleMessageTests {
  private func bytes<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows
    -> Result
  {
    try Array(text.utf8).withUnsafeBytes(body)
  }

  static let removals: [([(String, String)], String, String)] = [
    ([("A", "1"), ("B", "2"), ("a", "3")], "A", "B: 2\r\n"), ([("AB", "1"), ("A", "2")], "a", "AB: 1\r\n"),
    ([("A", "1")], "B", "A: 1\r\n"), ([("A", "")], "A", ""), ([], "A", ""),
    ([("A", "B: c")], "B", "A: B: c\r\n"),
  ]

  @Test("a field is taken out wherever it stands", arguments: removals.indices) func removes(_ row: Int)
    throws
  {
    let (fields, name, rest) = Self.removals[row]
    var head = ResponseHead(limit: 1000)
    try head.begin(status: 200)
    for (name, value) in fields {
      try bytes(name) { name in try bytes(value) { try head.add(name: name, value: $0) } }
    }
    bytes(name) { head.remove($0) }
    let left = String(decoding: head.fields.bytes, as: UTF8.self)
    #expect(left == rest)
  }

  @Test("X-Sendfile stays what it is when its neighbours go, and goes itself") func sendfile() throws {
    for (removed, path) in [("a", "/f"), ("x-sendfile", nil), ("z", "/f")] as [(String, String?)] {
      var head = ResponseHead(limit: 1000)
      try head.begin(status: 200)
      for (name, value) in [("A", "1"), ("X-Sendfile", "/f"), ("Z", "2")] {
        try bytes(name) { name in try bytes(value) { try head.add(name: name, value: $0) } }
      }
      bytes(removed) { head.remove($0) }
      var taken: String?
      if let value = head.takeSendfile() { taken = String(decoding: value.bytes, as: UTF8.self) }
      #expect(taken == path, "\(removed)")
    }
  }

  static let base64: [(String, String?)] = [
    ("", ""), ("Zg==", "f"), ("Zg", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"),
    ("/+8=", nil),
    ("Z", nil), ("Zm9v====", nil), ("Zm 9v", nil), ("Zm9v!", nil), ("=Zm9v", nil), ("ZTpm", "e:f"),
  ]

  @Test("Base64 as RFC 4648 has it", arguments: base64.indices) func decodes(_ row: Int) {
    let (text, wanted) = Self.base64[row]
    let decoded = bytes(text) { Base64.decode($0) }
    if text == "/+8=" {
      #expect(decoded == [0xff, 0xef])
    } else {
      #expect(decoded.map { String(decoding: $0, as: UTF8.self) } == wanted, "\(text)")
    }
  }

  @Test("what a reference cannot hold is escaped, and nothing else") func encodes() {
    var encoded = ByteBuffer()
    var path = ByteBuffer()
    var value = ByteBuffer()
    for byte in Array("a%20 ?&=/\r\n\u{e9}\"<\\".utf8) {
      encoded.append(encoded: byte)
      path.append(decoded: byte)
      value.append(parameter: byte)
    }
    let texts = [
      String(decoding: encoded.bytes, as: UTF8.self), String(decoding: path.bytes, as: UTF8.self),
      String(decoding: value.bytes, as: UTF8.self),
    ]
    #expect(texts[0] == "a%20%20?&=/%0D%0A%C3%A9%22%3C%5C")
    #expect(texts[1] == "a%2520%20%3F&=/%0D%0A%C3%A9%22%3C%5C")
    #expect(texts[2] == "a%2520%20%3F%26%3D/%0D%0A%C3%A9%22%3C%5C")
  }

  @Test("a value of a form is decoded") func form() {
    var out = ByteBuffer()
    bytes("a+b%20c%2z%") { PercentDecoding.decode(form: $0, into: &out) }
    let text = String(decoding: out.bytes, as: UTF8.self)
    #expect(text == "a b c%2z%")
  }

  @Test("a rewritten target is a path and a query in front of the one before") func rewrites() throws {
    for (target, query, path, after) in [
      ("/a", "", "/a", ""), ("/a%20b?c=d", "", "/a b", "c=d"), ("/a?c", "e=f", "/a", "c&e=f"),
      ("a?", "e", "/a", "e"), ("", "", "/", ""),
    ] {
      var meta = MetaVariables()
      var arena = Arena(size: 1024)
      let text = bytes(target) { Text(arena.copy($0), $0.count) }
      meta.query = bytes(query) { Text(arena.copy($0), $0.count) }
      try Normalizer.rewrite(text, &meta, &arena)
      #expect(String(decoding: meta.pathInfo.bytes, as: UTF8.self) == path, "\(target)")
      #expect(String(decoding: meta.query.bytes, as: UTF8.self) == after, "\(target)")
    }
    var meta = MetaVariables()
    var arena = Arena(size: 1024)
    let bad = bytes("/%zz") { Text(arena.copy($0), $0.count) }
    #expect(throws: NormalizeError.malformedEscape) { try Normalizer.rewrite(bad, &meta, &arena) }
  }
}
