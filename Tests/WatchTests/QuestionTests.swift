import Testing

@testable import Watch

@Suite struct QuestionTests {
  @Test(
    "what is asked",
    arguments: [
      ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", Question.path("/", isHead: false)),
      ("HEAD /metrics?x=1 HTTP/1.0\n\n", .path("/metrics", isHead: true)),
      ("GET / HTTP/1.1\r\nHost: x\r\n", .incomplete), ("", .incomplete), ("\r\n", .incomplete),
      ("POST / HTTP/1.1\r\nHost: [::1]:9100\r\n\r\n", .refused(405)), ("GET /\r\n\r\n", .refused(400)),
      ("GET  / HTTP/1.1\r\n\r\n", .refused(400)), ("GET / HTTP/2\r\n\r\n", .refused(400)),
      ("\u{16}\u{3}\u{1}\n\n", .refused(400)), (String(repeating: "a", count: 9000), .refused(431)),
      (
        "GET / HTTP/1.1\r\nHost: ::1\r\nX: " + String(repeating: "a", count: 9000) + "\r\n\r\n", .refused(431)
      ),
      ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nno field\r\n\r\n", .refused(400)),
      ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n X: y\r\n\r\n", .refused(400)),
      ("GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n", .refused(400)),
      // Its absolute form, which names the server in place of Host (RFC 9112 §3.2.2).
      ("GET http://127.0.0.1:9100/metrics?a HTTP/1.1\r\nHost: x\r\n\r\n", .path("/metrics", isHead: false)),
      ("GET HTTP://localhost HTTP/1.1\r\nHost: localhost\r\n\r\n", .path("/", isHead: false)),
      ("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", .refused(403)),
      ("GET http:// HTTP/1.1\r\nHost: localhost\r\n\r\n", .refused(400)),
      ("GET x/ HTTP/1.1\r\nHost: localhost\r\n\r\n", .refused(400)),
    ])
  func questions(text: String, question: Question) {
    #expect(Question(Array(text.utf8)) == question)
  }

  @Test(
    "names by which the server is asked",
    arguments: [
      ("127.0.0.1", true), ("127.0.0.1:9100", true), ("10.1.2.3:80", true), ("[::1]:9100", true),
      ("[::1]", true),
      ("localhost", true), ("LocalHost:9100", true), ("status.example.org", true),
      ("STATUS.example.org:1", true),
      ("evil.example", false), ("localhost.evil.example", false), ("127.0.0.1.evil.example", false),
      ("127.1", false), ("", false), ("localhost:", true), ("localhost:x", false), ("[::1", false),
      ("[127.0.0.1]", false), ("::1", false), ("user@localhost", false), ("localhost, evil.example", false),
    ])
  func names(host: String, isOurs: Bool) {
    let question = Question(
      Array("GET /metrics HTTP/1.1\r\nHost: \(host)\r\n\r\n".utf8), names: ["Status.example.org"])
    #expect(question == (isOurs ? .path("/metrics", isHead: false) : .refused(403)))
  }

  @Test("an HTTP/1.1 has one Host")
  func hosts() {
    #expect(Question(Array("GET / HTTP/1.1\r\n\r\n".utf8)) == .refused(400))
    let two = "GET / HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\n\r\n"
    #expect(Question(Array(two.utf8)) == .refused(400))
  }

  @Test(
    "a page of another site gets nothing",
    arguments: [
      ("Origin: http://localhost:9101", true), ("Origin: http://LOCALHOST:9101", true),
      ("Origin: http://evil.example", false), ("Origin: null", false),
      ("Origin: http://localhost:3000", false),
      ("Sec-Fetch-Site: same-origin", true), ("Sec-Fetch-Site: none", true),
      ("Sec-Fetch-Site: cross-site", false),
    ])
  func pages(field: String, isAnswered: Bool) {
    let question = Question(Array("GET / HTTP/1.1\r\nHost: localhost:9101\r\n\(field)\r\n\r\n".utf8))
    #expect(question == (isAnswered ? .path("/", isHead: false) : .refused(403)))
  }

  @Test("an answer is one whole response, without its body for HEAD")
  func answers() {
    let answer = Answer(body: "abc\n")
    let text = String(decoding: answer.bytes(isHead: false), as: UTF8.self)
    let head = String(decoding: answer.bytes(isHead: true), as: UTF8.self)
    #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.hasSuffix("\r\n\r\nabc\n"))
    #expect(text.contains("\r\nContent-Length: 4\r\n") && text == head + "abc\n")
    #expect(!text.replacing("\r\n", with: "").dropLast().contains("\n"))
  }
}
