import Testing
import Wire

/// What an app may put into a response head, and what never leaves the server.
@Suite struct ResponseHeadTests {
  private func add(_ head: inout ResponseHead, _ name: String, _ value: String) throws {
    try Array(name.utf8).withUnsafeBytes { name in
      try Array(value.utf8).withUnsafeBytes { value in try head.add(name: name, value: value) }
    }
  }

  /// The error that one field gives, with nothing of it kept.
  private func refusal(_ name: String, _ value: String) -> ResponseError? {
    var head = ResponseHead(limit: 1000)
    do {
      try head.begin(status: 200)
      try add(&head, name, value)
    } catch {
      #expect(head.fields.isEmpty, "\(name)")
      return error as? ResponseError
    }
    return nil
  }

  @Test func keepsFieldsAsTheyCome() throws {
    var head = ResponseHead(limit: 1000)
    try head.begin(status: 201)
    try add(&head, "X-a", "1")
    try add(&head, "x-A", "")
    try add(&head, "Set-Cookie", "a=b; \"é\"\t")
    let text = String(decoding: head.fields.bytes, as: UTF8.self)
    #expect(text == "X-a: 1\r\nx-A: \r\nSet-Cookie: a=b; \"é\"\t\r\n")
    #expect(head.status == 201 && head.reason.isEmpty && head.contentLength == -1)
  }

  @Test func statusCodes() throws {
    var head = ResponseHead(limit: 1000)
    for status in [100, 200, 299, 599] {
      try head.begin(status: status)
      #expect(head.status == status)
    }
    for status in [-1, 0, 99, 600, 1000, Int.max] {
      #expect(throws: ResponseError.invalidStatus) { try head.begin(status: status) }
      #expect(head.status == 0)
    }
  }

  @Test(arguments: ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "\u{1b}", "\u{7f}"])
  func controlCharactersInAReason(_ reason: String) {
    var head = ResponseHead(limit: 1000)
    #expect(throws: ResponseError.invalidStatus) {
      try Array(reason.utf8).withUnsafeBytes { try head.begin(status: 200, reason: $0) }
    }
    #expect(head.status == 0 && head.reason.isEmpty)
  }

  @Test(arguments: ["", "a b", "a:", "a\r\nb", "\n", "a\0", "é", "(a)"])
  func namesThatAreNoTokens(_ name: String) {
    #expect(refusal(name, "x") == .invalidName)
  }

  @Test(arguments: ["\r\nSet-Cookie: a=b", "a\n b", "a\r", "\0", "\u{b}", "\u{7f}"])
  func controlCharactersInAValue(_ value: String) {
    #expect(refusal("X", value) == .invalidValue)
  }

  @Test(arguments: [
    "Connection", "keep-alive", "TE", "Trailer", "TRANSFER-ENCODING", "upgrade", "Proxy-Authenticate",
    "Proxy-Authorization", "Status",
  ])
  func fieldsOfTheConnection(_ name: String) {
    #expect(refusal(name, "x") == .reservedName)
  }

  @Test func contentLength() throws {
    var head = ResponseHead(limit: 1000)
    try head.begin(status: 200)
    try add(&head, "content-LENGTH", "12")
    #expect(head.contentLength == 12)
    #expect(head.fields.isEmpty, "the writer writes it")
    try add(&head, "Content-Length", "0012")
    #expect(throws: ResponseError.invalidLength) { try self.add(&head, "Content-Length", "13") }
    #expect(head.contentLength == 12)
    for value in ["", "-1", "1,1", "x", "9223372036854775808"] {
      #expect(refusal("Content-Length", value) == .invalidLength, "\(value)")
    }
  }

  @Test func notesWhatTheServerWouldAdd() throws {
    var head = ResponseHead(limit: 1000)
    try head.begin(status: 302)
    #expect(!head.hasDate && !head.hasServer && !head.hasLocation)
    try add(&head, "DATE", "x")
    try add(&head, "server", "x")
    try add(&head, "Location", "/x")
    #expect(head.hasDate && head.hasServer && head.hasLocation)
    try head.begin(status: 200)
    #expect(!head.hasDate && !head.hasServer && !head.hasLocation && head.fields.isEmpty)
  }

  @Test func limit() throws {
    var head = ResponseHead(limit: 10)
    try head.begin(status: 200)
    try add(&head, "ab", "cdef")
    #expect(head.fields.count == 10)
    #expect(throws: ResponseError.tooLarge) { try self.add(&head, "a", "") }
    try head.begin(status: 200)
    #expect(throws: ResponseError.tooLarge) { try self.add(&head, "ab", "cdefg") }
    #expect(head.fields.isEmpty)
  }
}
