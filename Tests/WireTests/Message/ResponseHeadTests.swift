import Testing
import Wire

/// What an app may put into a response head, and what never leaves the server.
@Suite struct ResponseHeadTests {
  /// A response head in the hands of a test.
  private final class Held {
    var head: ResponseHead
    init(limit: Int = 1000) { head = ResponseHead(limit: limit) }
    func begin(_ status: Int) throws { try head.begin(status: status) }
    var fields: String { String(decoding: head.fields.bytes, as: UTF8.self) }
    var notes: [Bool] { [head.hasDate, head.hasServer, head.hasLocation] }
    var status: Int { head.status }
    var contentLength: Int64 { head.contentLength }
  }

  private func add(_ held: Held, _ name: String, _ value: String) throws {
    try Array(name.utf8).withUnsafeBytes { name in
      try Array(value.utf8).withUnsafeBytes { value in try held.head.add(name: name, value: value) }
    }
  }

  /// The error that one field gives, with nothing of it kept.
  private func refusal(_ name: String, _ value: String) -> ResponseError? {
    let head = Held()
    do {
      try head.begin(200)
      try add(head, name, value)
    } catch {
      #expect(head.fields.isEmpty, "\(name)")
      return error as? ResponseError
    }
    return nil
  }

  @Test func keepsFieldsAsTheyCome() throws {
    let head = Held()
    try head.begin(201)
    try add(head, "X-a", "1")
    try add(head, "x-A", "")
    try add(head, "Set-Cookie", "a=b; \"é\"\t")
    #expect(head.fields == "X-a: 1\r\nx-A: \r\nSet-Cookie: a=b; \"é\"\t\r\n")
    #expect(head.status == 201 && head.contentLength == -1)
  }

  @Test func keepsFieldsOfEveryLength() throws {
    let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    for length in 1...letters.count {
      let name = String(decoding: letters.prefix(length), as: UTF8.self)
      let value = String(decoding: letters.suffix(letters.count - length), as: UTF8.self)
      let head = Held()
      try head.begin(200)
      try add(head, name, value)
      #expect(head.fields == "\(name): \(value)\r\n")
    }
  }

  @Test func statusCodes() throws {
    let head = Held()
    for status in [100, 200, 299, 599] {
      try head.begin(status)
      #expect(head.status == status)
    }
    for status in [-1, 0, 99, 600, 1000, Int.max] {
      #expect(throws: ResponseError.invalidStatus) { try head.begin(status) }
      #expect(head.status == 0)
    }
  }

  @Test(arguments: ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "\u{1b}", "\u{7f}"])
  func controlCharactersInAReason(_ reason: String) {
    let head = Held()
    #expect(throws: ResponseError.invalidStatus) {
      try Array(reason.utf8).withUnsafeBytes { try head.head.begin(status: 200, reason: $0) }
    }
    let reason = head.head.reason.count
    #expect(head.status == 0 && reason == 0)
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
    "Proxy-Authorization", "Proxy-Connection", "Status",
  ])
  func fieldsOfTheConnection(_ name: String) {
    #expect(refusal(name, "x") == .reservedName)
  }

  @Test func contentLength() throws {
    let head = Held()
    try head.begin(200)
    try add(head, "content-LENGTH", "12")
    #expect(head.contentLength == 12)
    #expect(head.fields.isEmpty, "the writer writes it")
    try add(head, "Content-Length", "0012")
    #expect(throws: ResponseError.invalidLength) { try self.add(head, "Content-Length", "13") }
    #expect(head.contentLength == 12)
    for value in ["", "-1", "1,1", "x", "9223372036854775808"] {
      #expect(refusal("Content-Length", value) == .invalidLength, "\(value)")
    }
  }

  @Test func notesWhatTheServerWouldAdd() throws {
    let head = Held()
    try head.begin(302)
    #expect(head.notes == [false, false, false])
    try add(head, "DATE", "x")
    try add(head, "server", "x")
    try add(head, "Location", "/x")
    #expect(head.notes == [true, true, true])
    try head.begin(200)
    #expect(head.notes == [false, false, false] && head.fields.isEmpty)
  }

  @Test("X-Sendfile names one file: the other one's name never leaves", arguments: ["/same", "/other"])
  func sendfileTwice(second: String) throws {
    let head = Held()
    try head.begin(200)
    try add(head, "X-Sendfile", "/same")
    #expect(throws: ResponseError.sendfileTwice) { try self.add(head, "x-sendFILE", second) }
    try head.begin(200)
    try add(head, "X-Sendfile", second)
    #expect(head.fields == "X-Sendfile: \(second)\r\n")
  }

  @Test func limit() throws {
    let head = Held(limit: 10)
    try head.begin(200)
    try add(head, "ab", "cdef")
    #expect(head.fields.utf8.count == 10)
    #expect(throws: ResponseError.tooLarge) { try self.add(head, "a", "") }
    try head.begin(200)
    #expect(throws: ResponseError.tooLarge) { try self.add(head, "ab", "cdefg") }
    #expect(head.fields.isEmpty)
  }
}
