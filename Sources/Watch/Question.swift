import Config

/// The question of a client of the watch process over HTTP: the head of a request (RFC 9112 §3). Everything
/// is answered by one response and the end of the connection.
enum Question: Equatable {
  /// The head is incomplete.
  case incomplete
  /// It cannot be answered: the status.
  case refused(Int)
  /// A path to be shown, without its query; `isHead`: without the body.
  case path(String, isHead: Bool)

  /// The most bytes of a head.
  static let bytes = 8192

  /// - Parameter names: by which clients may call the server, besides addresses and `localhost`.
  init(_ input: [UInt8], names: [String] = []) {
    guard let end = Question.end(input) else {
      self = input.count > Question.bytes ? .refused(431) : .incomplete
      return
    }
    guard end <= Question.bytes else {
      self = .refused(431)
      return
    }
    self = QuestionHead(input[..<end]).map { $0.question(names) } ?? .refused(400)
  }

  /// Where the head ends: an empty line.
  private static func end(_ input: [UInt8]) -> Int? {
    let newline = UInt8(ascii: "\n")
    for (index, byte) in input.enumerated() where byte == newline {
      let rest = input[(index + 1)...].prefix(2)
      if rest.first == newline || Array(rest) == [UInt8(ascii: "\r"), newline] { return index + 1 }
    }
    return nil
  }
}

/// An answer of the watch process.
struct Answer {
  var status = 200
  var type = "text/plain; charset=utf-8"
  var body = ""

  /// A refusal, in one sentence.
  static func refusal(_ status: Int) -> Answer {
    let sentences = [
      400: "this is no HTTP request",
      403: "the server has no such name, or a page of another site asks; use its address, or start it with "
        + "--watch-host NAME",
      404: "there is nothing here", 405: "only GET and HEAD are answered",
      431: "the request is too long", 503: "the master shows no figures for now; ask again",
    ]
    return Answer(status: status, body: "\(status): \(sentences[status] ?? "refused")\n")
  }

  /// The response (RFC 9112 §4). It must not be cached, framed or mistaken for another type; a page loads
  /// nothing from elsewhere.
  func bytes(isHead: Bool) -> [UInt8] {
    let phrases = [
      200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
      431: "Request Header Fields Too Large", 503: "Service Unavailable",
    ]
    let head = """
      HTTP/1.1 \(status) \(phrases[status] ?? "Error")
      Content-Type: \(type)
      Content-Length: \(body.utf8.count)
      Connection: close
      Cache-Control: no-store
      X-Content-Type-Options: nosniff
      Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
      connect-src 'self'; img-src data:; frame-ancestors 'none'\(status == 405 ? "\nAllow: GET, HEAD" : "")


      """
    return Array(head.replacingNewlines().utf8) + (isHead ? [] : Array(body.utf8))
  }
}

extension String {
  /// The text with HTTP's line ends.
  fileprivate func replacingNewlines() -> String {
    split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
  }
}
