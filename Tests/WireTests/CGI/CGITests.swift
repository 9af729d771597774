// CGI requests out of an environment, and both forms of the answer's head.
import Support
import Testing
import Wire

@Suite struct CGITests {
  /// A reader whose environment is filled in as the host does it.
  private final class Held {
    var reader: CGIRequestReader
    var head: RequestHead

    init(_ environment: [String], limits: HeadLimits = .fixtures) {
      reader = CGIRequestReader(limits: limits)
      head = RequestHead(capacity: limits.fields)
      head.reset(form: .variables)
      for string in environment {
        head.assembled.append(string: string)
        head.assembled.append(0)
      }
    }

    /// The events for a standard input, as short lines.
    func events(_ input: String) throws -> [String] {
      let bytes = Array(input.utf8)
      var lines: [String] = []
      var offset = 0
      while true {
        switch try reader.next(bytes.span.bytes, &offset, &head) {
        case .head: lines.append("head \(head.framing.knownLength ?? -1)")
        case .body(let range):
          lines.append("body " + String(decoding: bytes[Int(range.start)..<range.end], as: UTF8.self))
        case .needMore: return lines + ["more"]
        case .end: return lines + ["end \(offset)"]
        case .trailer, .abort, .answer: Issue.record("no such event in CGI")
        }
      }
    }

    /// The web server has closed standard input.
    func endInput() -> Bool { reader.inputEnded() }

    func text(_ range: ByteRange) -> String {
      String(decoding: range.bytes(in: UnsafeRawPointer(head.assembled.base!)), as: UTF8.self)
    }
  }

  @Test func environmentAndStandardInput() throws {
    let held = Held(["REQUEST_METHOD=POST", "REQUEST_URI=/a?x=1", "CONTENT_LENGTH=5", "EMPTY=", "X=a=b"])
    #expect(try held.events("helloextra") == ["head 5", "body hello", "end 5"])
    #expect(held.head.count == 5)
    #expect(held.head.first(.requestMethod).map { held.text($0.range) } == "POST")
    #expect(held.head.first(.requestURI).map { held.text($0.range) } == "/a?x=1")
    #expect(held.text(held.head[3].name) == "EMPTY")
    #expect(held.head[3].value.isEmpty)
    #expect(held.text(held.head[4].value.range) == "a=b")
  }

  @Test(arguments: [[], ["CONTENT_LENGTH="], ["CONTENT_LENGTH=0"]])
  func noBody(_ environment: [String]) throws {
    #expect(try Held(environment).events("not ours") == ["head 0", "end 0"])
  }

  @Test(
    "a body that came in chunks goes to the end of standard input",
    arguments: [
      ["HTTP_TRANSFER_ENCODING=chunked"], ["CONTENT_LENGTH=", "HTTP_TRANSFER_ENCODING=chunked"],
      ["CONTENT_LENGTH=-1"], ["CONTENT_LENGTH=0", "HTTP_TRANSFER_ENCODING=chunked"],
    ])
  func bodyToTheEnd(_ environment: [String]) throws {
    let held = Held(environment)
    #expect(try held.events("hello") == ["head -1", "body hello", "more"])
    #expect(held.endInput())
    #expect(try held.events("") == ["end 0"])
    #expect(!held.endInput(), "the end is over")
    #expect(!Held(["CONTENT_LENGTH=9"]).endInput(), "promised bytes are missing")
    let long = Held(environment, limits: .fuzzing)
    #expect(throws: CGIError.bodyTooLarge) { try long.events(String(repeating: "x", count: 201)) }
    let full = Held(environment, limits: .fuzzing)
    #expect(try full.events(String(repeating: "x", count: 200)).last == "more")
    #expect(full.endInput())
  }

  @Test func inputThatHasNotCome() throws {
    #expect(try Held(["CONTENT_LENGTH=9"]).events("four") == ["head 9", "body four", "more"])
  }

  @Test func stringsThatAreNoVariablesArePassedOver() throws {
    let held = Held(["no equals sign", "=no name", "", "A=1", "A=2"])
    #expect(try held.events("") == ["head 0", "end 0"])
    #expect(held.head.count == 2)
  }

  @Test func firstOfTwoCountsAsWithGetenv() throws {
    let held = Held(["CONTENT_LENGTH=2", "CONTENT_LENGTH=3"])
    #expect(try held.events("abc") == ["head 2", "body ab", "end 2"])
  }

  @Test(arguments: [
    (["CONTENT_LENGTH=five"], CGIError.contentLengthMalformed, 400),
    (["CONTENT_LENGTH=100001"], .bodyTooLarge, 413),
    ((0..<33).map { "V\($0)=" }, .tooManyVariables, 431),
  ]) func refused(_ environment: [String], _ error: CGIError, _ status: Int) {
    #expect(throws: error) { try Held(environment).events("") }
    #expect(error.status == status)
  }

  @Test func bodyMayGoPastTheReader() throws {
    let held = Held(["CONTENT_LENGTH=4"])
    var offset = 0
    #expect(try held.reader.next([UInt8]().span.bytes, &offset, &held.head) == .head)
    held.reader.bypassed(4)
    #expect(held.reader.state == .ended)
  }

  @Test func parsedHeaderHead() throws {
    var response = try response(302, [("Location", "/elsewhere")])
    let text = writtenText {
      CGIResponseWriter.head(&response, plan(.cgi, status: 302, length: 0), into: &$0)
    }
    #expect(text == "Status: 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
  }

  @Test func nonParsedHeaderHead() throws {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT"
    var response = try response(200, [("Content-Type", "text/plain")])
    let text = nph(&response)
    #expect(
      text == "HTTP/1.1 200 OK\r\nDate: \(date)\r\nServer: nsgi\r\nContent-Type: text/plain\r\n"
        + "Content-Length: 2\r\nConnection: close\r\n\r\n")
  }

  @Test func nonParsedHeaderHeadKeepsTheFieldsOfTheApp() throws {
    var response = try response(200, [("Date", "today"), ("Server", "mine")])
    #expect(
      nph(&response)
        == "HTTP/1.1 200 OK\r\nDate: today\r\nServer: mine\r\nContent-Length: 2\r\nConnection: close\r\n\r\n")
  }

  private func nph(_ response: inout ResponseHead) -> String {
    withServerFields("nsgi") { own in
      writtenText { CGIResponseWriter.nphHead(&response, plan(.cgi, length: 2), own: own, into: &$0) }
    }
  }
}
