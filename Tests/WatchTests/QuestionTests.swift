import Testing

@testable import Watch

@Suite struct QuestionTests {
  @Test(
    "what is asked",
    arguments: [
      ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", Question.path("/", isHead: false)),
      ("HEAD /metrics?x=1 HTTP/1.0\n\n", .path("/metrics", isHead: true)),
      ("GET / HTTP/1.1\r\nHost: x\r\n", .incomplete), ("", .incomplete), ("\r\n", .incomplete),
      ("POST / HTTP/1.1\r\n\r\n", .refused(405)), ("GET /\r\n\r\n", .refused(400)),
      ("GET http://x/ HTTP/1.1\r\n\r\n", .refused(400)), ("GET  / HTTP/1.1\r\n\r\n", .refused(400)),
      ("\u{16}\u{3}\u{1}\n\n", .refused(400)), ("GET / HTTP/2\r\n\r\n", .refused(400)),
      (String(repeating: "a", count: 9000), .refused(431)),
    ])
  func questions(text: String, question: Question) {
    #expect(Question(Array(text.utf8)) == question)
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
