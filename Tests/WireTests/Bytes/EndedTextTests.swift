// Values get their NUL where they stand: nothing that is still to be read may be overwritten by it.
import Support
import Testing
import Wire

@Suite struct EndedTextTests {
  /// Reads a head, normalises it, and returns REQUEST_URI and what became of the bytes.
  private func read(_ bytes: [UInt8], _ gateway: Gateway) throws -> (uri: String, bytes: [UInt8], used: Int) {
    var bytes = bytes
    var codec = Codec(gateway, limits: .fixtures)
    var head = RequestHead(capacity: HeadLimits.fixtures.fields)
    var arena = Arena(size: 64)
    var offset = 0
    let uri = try bytes.withUnsafeMutableBytes { buffer in
      #expect(try codec.next(UnsafeRawBufferPointer(buffer).bytes, &offset, &head) == .head)
      var meta = MetaVariables()
      let facts = ConnectionFacts(
        gateway: gateway, remoteAddr: Text("192.0.2.1"), localName: Text("localhost"),
        fixesRootScriptName: false)
      try Normalizer.normalize(&head, head.base(buffer.baseAddress!), facts, into: &meta, &arena)
      #expect(meta.requestURI.start?[meta.requestURI.count] == 0)
      return String(decoding: meta.requestURI.bytes, as: UTF8.self)
    }
    return (uri, bytes, offset)
  }

  private let variables = [
    (name: "CONTENT_LENGTH", value: "4"), ("REQUEST_METHOD", "POST"), ("X", ""), ("REQUEST_URI", "/last/one"),
  ]

  @Test func bodyBehindAUWSGIBlockStays() throws {
    let request = UWSGIClientRequest(variables: variables, body: Array("body".utf8)).bytes
    let (uri, bytes, used) = try read(request, .uwsgi)
    #expect(uri == "/last/one")
    #expect(String(decoding: bytes[used...], as: UTF8.self) == "body")
  }

  @Test func nothingBehindAUWSGIBlockIsTouched() throws {
    // The block ends where the memory does, as at the end of a full buffer.
    let request = UWSGIClientRequest(
      variables: [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/last/one")]
    ).bytes
    let guarded = GuardedMemory(capacity: request.count)
    let memory = guarded.place(request[...])
    var codec = Codec(.uwsgi, limits: .fixtures)
    var head = RequestHead(capacity: 32)
    var arena = Arena(size: 64)
    var offset = 0
    #expect(try codec.next(UnsafeRawBufferPointer(memory).bytes, &offset, &head) == .head)
    var meta = MetaVariables()
    let facts = ConnectionFacts(
      gateway: .uwsgi, remoteAddr: .empty, localName: Text("localhost"), fixesRootScriptName: false)
    try Normalizer.normalize(&head, memory.baseAddress!, facts, into: &meta, &arena)
    #expect(String(decoding: meta.requestURI.bytes, as: UTF8.self) == "/last/one")
    withExtendedLifetime(guarded) {}
  }

  @Test(arguments: [1, 7, 65535], [0, 3])
  func recordsBehindFastCGIParamsStay(_ piece: Int, _ padding: Int) throws {
    var request = FastCGIClientRequest(params: variables, body: Array("body".utf8))
    (request.paramsPiece, request.padding) = (piece, padding)
    let (uri, bytes, used) = try read(request.bytes, .fastcgi)
    #expect(uri == "/last/one")
    let stdin = fastCGIRecord(type: 5, Array("body".utf8), padding: padding)
    #expect(Array(bytes[used...]) == stdin + fastCGIRecord(type: 5, padding: padding))
  }

  @Test(
    "whom an absolute target names ends in a copy, wherever Host is asked for",
    arguments: ["", "/admin/x", "?q", "/", "//x", ":81/a", "/a%20b?c"], ["", "other.example", "a:1"])
  func authorityOfATarget(rest: String, host: String) throws {
    var bytes = Array("GET http://h.test\(rest) HTTP/1.1\r\nHost: \(host)\r\n\r\n".utf8)
    let whole = "http://h.test\(rest)"
    var codec = Codec(.http1, limits: .fixtures)
    var head = RequestHead(capacity: 32)
    var arena = Arena(size: 64)
    var offset = 0
    try bytes.withUnsafeMutableBytes { buffer in
      #expect(try codec.next(UnsafeRawBufferPointer(buffer).bytes, &offset, &head) == .head)
      var meta = MetaVariables()
      let facts = ConnectionFacts(
        gateway: .http1, remoteAddr: .empty, localName: Text("localhost"), fixesRootScriptName: false)
      try Normalizer.normalize(&head, buffer.baseAddress!, facts, into: &meta, &arena)
      // All that an environ ends, in any order.
      for place in 0..<head.count {
        let value = head.ended(head[place].value, buffer.baseAddress!, &arena)
        let name = head.endedName(head[place], buffer.baseAddress!, &arena)
        #expect(value.start != nil && name.start != nil)
      }
      func text(_ text: Text) -> String { String(decoding: text.bytes, as: UTF8.self) }
      #expect(text(meta.host) == "h.test" + (rest.hasPrefix(":81") ? ":81" : ""))
      #expect(text(meta.serverName) == "h.test")
      #expect(!text(meta.requestURI).contains("\0") && !text(meta.pathInfo).contains("\0"))
      #expect(meta.requestURI.bytes.first == UInt8(ascii: "/"))
      #expect(whole.hasSuffix(text(meta.requestURI)) || ["", "?q"].contains(rest))
      #expect(
        String(decoding: buffer[4..<(4 + whole.utf8.count)], as: UTF8.self) == whole, "the target is whole")
    }
  }

  @Test func nextHTTPRequestStays() throws {
    let first = "GET http://other.example/last/one HTTP/1.1\r\nHost: other.example\r\n\r\n"
    let (uri, bytes, used) = try read(Array((first + first).utf8), .http1)
    #expect(uri == "/last/one")
    #expect(String(decoding: bytes[used...], as: UTF8.self) == first)
  }
}
