// The one switch over all request readers.
import Support
import Testing
import Wire

@Suite struct CodecTests {
  private func read(_ gateway: Gateway, _ bytes: [UInt8]) throws(CodecError) -> [String] {
    var codec = Codec(gateway, limits: .fixtures)
    var head = RequestHead(capacity: 32)
    var lines: [String] = []
    var offset = 0
    while true {
      let event = try codec.next(bytes.span.bytes, &offset, &head)
      switch event {
      case .body: lines.append("body")
      default: lines.append("\(event)")
      }
      if event == .end || event == .needMore { return lines }
    }
  }

  private let variables = [("CONTENT_LENGTH", "2"), ("SCGI", "1")]

  @Test func everyProtocolThroughTheOneSwitch() throws {
    let scgi = Array("24:CONTENT_LENGTH\u{0}2\u{0}SCGI\u{0}1\u{0},ok".utf8)
    let cases: [(Gateway, [UInt8])] = [
      (.http1, Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok".utf8)), (.scgi, scgi),
      (.uwsgi, UWSGIClientRequest(variables: variables, body: [1, 2]).bytes),
      (.fastcgi, FastCGIClientRequest(params: variables, body: [1, 2]).bytes),
    ]
    for (gateway, bytes) in cases {
      #expect(Codec(gateway, limits: .fixtures).gateway == gateway)
      #expect(Codec(gateway, limits: .fixtures).isIdle)
      #expect(try read(gateway, bytes) == ["head", "body", "end"], "\(gateway)")
    }
    #expect(try read(.cgi, []) == ["head", "end"])
  }

  @Test(arguments: [Gateway.scgi, .uwsgi, .fastcgi]) func httpIsAnsweredInHTTP(_ gateway: Gateway) {
    let error = #expect(throws: CodecError.self) { try read(gateway, Array("GET / HTTP/1.1\r\n\r\n".utf8)) }
    #expect(error?.spoken == .http1)
    #expect(error?.status == 400)
    let name = gateway == .scgi ? "SCGI" : gateway == .uwsgi ? "uwsgi" : "FastCGI"
    #expect(error?.description.contains("this socket speaks \(name)") == true)
  }

  @Test func scgiOnAUWSGISocketIsAnsweredInSCGI() {
    let error = #expect(throws: CodecError.self) { try read(.uwsgi, Array("24:CONTENT_LENGTH\0".utf8)) }
    #expect(error?.spoken == .scgi)
    #expect(error?.status == 400)
    #expect(error?.description == "this socket speaks uwsgi, the front end spoke SCGI")
  }

  @Test func otherErrorsAreAnsweredInKind() {
    let error = #expect(throws: CodecError.self) { try read(.uwsgi, [22, 1, 0, 0, 65]) }
    #expect(error == .uwsgi(.modifierRefused(22)))
    #expect(error?.spoken == nil)
    #expect(error?.status == 403)
  }

  @Test func bodyBytesThatMayGoPastTheReader() throws {
    let head = FastCGIClientRequest(params: [("CONTENT_LENGTH", "5")]).bytes.dropLast(8)
    let starts: [(Gateway, [UInt8])] = [
      (.http1, Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n".utf8)),
      (.scgi, Array("24:CONTENT_LENGTH\u{0}5\u{0}SCGI\u{0}1\u{0},".utf8)),
      (.uwsgi, UWSGIClientRequest(variables: [("CONTENT_LENGTH", "5")]).bytes),
      (.fastcgi, Array(head + fastCGIRecord(type: 5, [1, 2, 3, 4, 5]).prefix(8))),
    ]
    for (gateway, bytes) in starts {
      var codec = Codec(gateway, limits: .fixtures)
      var head = RequestHead(capacity: 32)
      var offset = 0
      #expect(codec.bodyLeft == 0)
      #expect(try codec.next(bytes.span.bytes, &offset, &head) == .head)
      #expect(try codec.next(bytes.span.bytes, &offset, &head) == .needMore)
      #expect(codec.bodyLeft == 5, "\(gateway)")
      #expect(!codec.isIdle)
      codec.bypassed(4)
      #expect(codec.bodyLeft == 1, "\(gateway)")
    }
  }

  @Test func connectionsThatCarryMore() throws {
    let request = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    var codec = Codec(.http1, limits: .fixtures)
    var head = RequestHead(capacity: 32)
    var offset = 0
    for _ in 0..<3 {
      #expect(try codec.next((request + request + request).span.bytes, &offset, &head) == .head)
      #expect(try codec.next((request + request + request).span.bytes, &offset, &head) == .end)
      codec.reset()
      #expect(codec.isIdle)
    }
    #expect(codec.requestID == 0)
    var fastcgi = Codec(.fastcgi, limits: .fixtures)
    let bytes = FastCGIClientRequest(params: []).bytes
    offset = 0
    #expect(try fastcgi.next(bytes.span.bytes, &offset, &head) == .head)
    #expect(fastcgi.requestID == 1)
    #expect(try fastcgi.next(bytes.span.bytes, &offset, &head) == .end)
    fastcgi.reset()
    #expect(fastcgi.isIdle)
  }
}
