// Lines of requests in every format, under what clients and front ends may send, byte for byte.
import Config
import Control
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct LogFormatTests {
    /// What is hostile to a log: marks of every format, control characters, and a character that turns text.
    private static let evil = "a\"b\\c\te|\u{1b}[2J\n\u{202e}\u{9b}é"
    /// HTTP lets no control character but a tab through.
    private static let field = "a\"b\\c\te|\u{202e}\u{9b}é"
    private static let evilText = #"a\x22b\x5cc\x09e|\x1b[2J\x0a\xe2\x80\xae\xc2\x9b\xc3\xa9"#
    private static let fieldText = #"a\x22b\x5cc\x09e|\xe2\x80\xae\xc2\x9b\xc3\xa9"#
    private static let evilJSON = #"a\"b\\c\te|\u001b[2J\n\u202e\u009bé"#
    private static let fieldJSON = #"a\"b\\c\te|\u202e\u009bé"#

    /// The line of one request, of those that begin with a mark of the test's own.
    private func line(
      _ gateway: String, _ format: String, _ request: [UInt8], change: (inout Settings) -> Void = { _ in }
    ) throws -> String {
      let kinds: [String: ListenerProtocol] = [
        "http": .http1, "scgi": .scgi, "uwsgi": .uwsgi, "fastcgi": .fastcgi,
      ]
      let format = try LogFormat.read(format)
      let bench = try WorkerBench(
        [try #require(kinds[gateway])],
        settings: {
          $0.log = LogSettings()
          $0.log.format = format
          $0.log.namesRequests = $0.log.format?.hasID ?? false
          change(&$0)
        })
      let text = try capturingErrors {
        let socket = try bench.connect()
        try socket.send(request)
        _ = try socket.receiveAll()
        try bench.stop()
      }
      // Other lines on standard error meanwhile are other tests'.
      let lines = text.split(separator: "\n").map(String.init).filter { $0.contains("LINE") }
      #expect(lines.count == 1, "\(text)")
      return try #require(lines.first)
    }

    /// A request whose words are hostile, as far as the protocol carries them.
    private func hostile(_ gateway: String) -> [UInt8] {
      guard gateway != "http" else {
        return Array(
          """
          GET /ok?LINE HTTP/1.1\r\nHost: h\r\nConnection: close\r\nUser-Agent: \(Self.field)\r
          Referer: \(Self.field)\r\nX-Note: \(Self.field)\r\n\r\n
          """.utf8)
      }
      return GatewayRequest.bytes(
        gateway, "/ok?LINE",
        extra: [
          "REMOTE_ADDR": Self.evil, "REMOTE_USER": Self.evil, "REQUEST_URI": "/ok?LINE\(Self.evil)",
          "HTTP_USER_AGENT": Self.evil, "HTTP_REFERER": Self.evil, "HTTP_X_NOTE": Self.evil,
          "HTTP_TRACEPARENT": Self.evil, "HTTP_HOST": Self.evil,
        ])
    }

    private static let every = ["http", "scgi", "uwsgi", "fastcgi"]

    @Test("a format of the operator's own", arguments: every)
    func text(gateway: String) throws {
      let format =
        "%(addr)|%(user)|%(method) %(uri) %(proto)|%(uagent)|%(referer)|%(var.HTTP_X_NOTE)|%(status) %(rsize)"
      let found = try line(gateway, format, hostile(gateway))
      let (evil, field) = (Self.evilText, Self.fieldText)
      #expect(
        found
          == (gateway == "http"
            ? "127.0.0.1|-|GET /ok?LINE HTTP/1.1|\(field)|\(field)|\(field)|200 2"
            : "\(evil)|\(evil)|GET /ok?LINE\(evil) HTTP/1.1|\(evil)|\(evil)|\(evil)|200 2"))
    }

    @Test("a format that begins with a brace is JSON, and stays it", arguments: every)
    func template(gateway: String) throws {
      let format = #"{"agent":"%(uagent)","uri":"%(uri)","user":"%(user)","status":%(status)}"#
      let found = try line(gateway, format, hostile(gateway))
      let (evil, field) = (Self.evilJSON, Self.fieldJSON)
      #expect(
        found
          == (gateway == "http"
            ? #"{"agent":"\#(field)","uri":"/ok?LINE","user":"-","status":200}"#
            : #"{"agent":"\#(evil)","uri":"/ok?LINE\#(evil)","user":"\#(evil)","status":200}"#))
    }

    @Test("the format json can be read by a program, and gives back what was sent", arguments: every)
    func json(gateway: String) throws {
      let found = try line(gateway, "json", hostile(gateway))
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(found.utf8)) as? [String: Any], "\(found)")
      let agent = gateway == "http" ? Self.field : Self.evil
      #expect(object["agent"] as? String == agent && object["referer"] as? String == agent)
      #expect(object["user"] as? String == (gateway == "http" ? "" : Self.evil))
      #expect(object["client"] as? String == (gateway == "http" ? "127.0.0.1" : Self.evil))
      #expect(
        object["status"] as? Int == 200 && object["bytes"] as? Int == 2 && object["app"] as? String == "/")
      #expect(object["worker"] as? Int == 1 && object["pid"] as? Int == Int(getpid()))
      #expect((object["time"] as? String)?.wholeMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/#) != nil)
      #expect((object["id"] as? String)?.wholeMatch(of: #/[0-9a-f]{32}/#) != nil)
      let names = ["method", "uri", "protocol", "microseconds", "traceparent"]
      #expect(names.allSatisfy { object[$0] != nil } && object.count == 16, "\(found)")
    }

    @Test(
      "a long line of the format json stays one that a program can read",
      arguments: ["é", "\"", "\u{1F600}"])
    func longJSON(letter: String) throws {
      for filling in ["", "x", "xx", "xxx"] {
        let value = filling + String(repeating: letter, count: 6000)
        let request = Array(
          "GET /ok?LINE HTTP/1.1\r\nHost: h\r\nConnection: close\r\nUser-Agent: \(value)\r\n\r\n".utf8)
        let found = try line("http", "json", request)
        let object = try #require(
          try JSONSerialization.jsonObject(with: Data(found.utf8)) as? [String: Any], "\(found)")
        #expect((4000..<4096).contains(found.utf8.count) && object.count == 16, "\(found.utf8.count)")
        let agent = try #require(object["agent"] as? String)
        #expect(agent.hasSuffix("...") && value.hasPrefix(agent.dropLast(3)) && agent.count > 500)
        #expect(object["uri"] as? String == "/ok?LINE")
      }
    }

    @Test("the format uwsgi is uWSGI's usual line", arguments: every)
    func uwsgi(gateway: String) throws {
      let found = try line(gateway, "uwsgi", hostile(gateway))
      let (addr, user) = gateway == "http" ? ("127.0.0.1", "") : (Self.evilText, Self.evilText)
      let uri = gateway == "http" ? "/ok?LINE" : "/ok?LINE\(Self.evilText)"
      let shape = found.replacing(#/\d+ vars in \d+ bytes/#) { _ in "V" }
        .replacing(#/[A-Z][a-z]{2} [A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d \d{4}/#) { _ in "T" }
        .replacing(#/in \d+ msecs/#) { _ in "M" }.replacing(#/ \d+ headers in \d+ bytes/#) { _ in " H" }
      #expect(
        shape
          == "[pid: \(getpid())|app: 0|req: 1/1] \(addr) (\(user)) {V} [T] GET \(uri) => generated 2 bytes M "
          + "(HTTP/1.1 200) H (1 switches on core 0)", "\(found)")
    }

    @Test("bytes that are no UTF-8: as \\xNN in text, as U+FFFD in JSON")
    func noUTF8() throws {
      let request =
        Array("GET /ok?LINE HTTP/1.1\r\nHost: h\r\nConnection: close\r\nUser-Agent: ".utf8)
        + [0x61, 0xff, 0xc3, 0x62] + Array("\r\n\r\n".utf8)
      #expect(try line("http", "%(uri) %(uagent)", request) == #"/ok?LINE a\xff\xc3b"#)
      #expect(
        try line("http", #"{"%(uri)":"%(uagent)"}"#, request) == #"{"/ok?LINE":"a\#u{fffd}\#u{fffd}b"}"#)
    }

    @Test("numbers and times are what they say")
    func numbers() throws {
      let format =
        "LINE %(size) %(hsize) %(rsize) %(headers) %(cl) %(received) %(vars) %(pktsize) %(rss) %(rssM) "
        + "%(vsz) %(vszM) %(epoch) %(time) %(tmsecs) %(tmicros) %(micros) %(msecs)"
      let body = Array("four".utf8)
      let found = try line("http", format, GatewayRequest.bytes("http", "/echo", body: body))
      let numbers = found.split(separator: " ").dropFirst().compactMap { Int($0) }
      try #require(numbers.count == 18, "\(found)")
      #expect(numbers[0] == numbers[1] + numbers[2] && numbers[1] > 15 && numbers[2] > 0, "\(found)")
      #expect(numbers[3] >= 1 && numbers[4] == 4 && numbers[5] == 4 && numbers[6] > 10, "\(found)")
      #expect(numbers[7] > 40 && numbers[8] > 1 << 20 && numbers[9] == numbers[8] >> 20, "\(found)")
      #expect(numbers[10] > numbers[8] && numbers[11] == numbers[10] >> 20, "\(found)")
      #expect(numbers[12] >= numbers[13] && numbers[13] == numbers[14] / 1000, "\(found)")
      #expect(numbers[14] == numbers[15] / 1000 && numbers[17] == numbers[16] / 1000, "\(found)")
      let dates = try line(
        "http", "LINE %(ltime)|%(ctime)|%(ftime)|%(iso)|%(secs)", GatewayRequest.bytes("http", "/ok"),
        change: { $0.log.dateFormat = "%Y\"\n" })
      let shape = [
        #"LINE \d\d/[A-Z][a-z]{2}/\d{4}:[\d:]{8} [+-]\d{4}"#,
        #"[A-Z][a-z]{2} [A-Z][a-z]{2} .{2} [\d:]{8} \d{4}"#,
        #"\d{4}\\x22\\x0a"#, #"[\d-]{10}T[\d:.]{12}Z"#, #"\d+\.\d{6}"#,
      ].joined(separator: #"\|"#)
      #expect(try dates.wholeMatch(of: Regex(shape)) != nil, "\(dates)")
    }

    @Test("words of ours, and what there is none of")
    func words() throws {
      let format =
        "LINE %(app) %(gateway) %(scheme) %(path) %(query) %(host) %(wid) %(core) %(metric.requests) "
        + "%(logvar.x) %(var.NOPE) %(traceparent) 100%% %"
      let found = try line("scgi", format, GatewayRequest.bytes("scgi", "/ok?a=1", extra: ["HTTP_HOST": "h"]))
      #expect(found == "LINE / scgi http /ok a=1 h 1 0 1 - - - 100%% %")
      let refused = try line(
        "http", "LINE %(method) %(status) %(uagent) %(app) %(id)", Array("X\r\n\r\n".utf8))
      #expect(refused.wholeMatch(of: #/LINE (-|X) 400 - - [0-9a-f]{32}/#) != nil, "\(refused)")
    }

    @Test("X-Forwarded-For counts for the line alone, and only if that is asked for")
    func forwarded() throws {
      let request = Array(
        "GET /ok?LINE HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Forwarded-For: 6.6.6.6\u{9b}\r\n\r\n".utf8
      )
      let format = "%(uri) %(addr) %(var.REMOTE_ADDR)"
      #expect(try line("http", format, request) == "/ok?LINE 127.0.0.1 127.0.0.1")
      let found = try line("http", format, request) { $0.log.believesForwarded = true }
      #expect(found == #"/ok?LINE 6.6.6.6\xc2\x9b 127.0.0.1"#)
      let combined = try line("http", "combined", request) { $0.log.believesForwarded = true }
      #expect(combined.hasPrefix(#"6.6.6.6\xc2\x9b - - ["#), "\(combined)")
    }

    // MARK: Ids

    private static let idFormat = "LINE %(id) %(var.REQUEST_ID) %(var.HTTP_X_REQUEST_ID)"
    private static var made: Regex<(Substring, Substring, Substring, Substring)> {
      #/LINE ([0-9a-f]{32}) ([0-9a-f]{32}) ([0-9a-f]{32})/#
    }

    private func names(_ field: String, trusted: Bool) throws -> String {
      let request = "GET /ok HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(field)\r\n"
      let proxies = trusted ? [try TrustedProxy(parsing: "127.0.0.1")] : []
      return try line("http", Self.idFormat, Array(request.utf8)) {
        $0.trustedProxies = proxies
      }
    }

    @Test("a request has the id that a trusted proxy gives it")
    func trusted() throws {
      let found = try names("X-Request-ID: Ab-1.2_3:4+5=\r\n", trusted: true)
      #expect(found == "LINE Ab-1.2_3:4+5= Ab-1.2_3:4+5= Ab-1.2_3:4+5=")
    }

    @Test(
      "anybody else's word, and one that is none, is no id",
      arguments: [
        ("X-Request-ID: abc\r\n", false), ("X_Request_ID: abc\r\n", true), ("", true), ("", false),
        ("X-Request-ID: a b\r\n", true), ("X-Request-ID: a\"b\r\n", true), ("X-Request-ID:\r\n", true),
        ("X-Request-ID: \(String(repeating: "a", count: 129))\r\n", true), ("Request-ID: abc\r\n", true),
      ])
    func untrusted(_ row: (field: String, trusted: Bool)) throws {
      let found = try names(row.field, trusted: row.trusted)
      let match = try #require(found.wholeMatch(of: Self.made), "\(found)")
      #expect(match.1 == match.2 && match.2 == match.3)
    }

    @Test("a front end's own variable is an id, a client's header is not", arguments: every.dropFirst())
    func frontEnd(gateway: String) throws {
      let own = GatewayRequest.bytes(
        gateway, "/ok", extra: ["REQUEST_ID": "f-1", "HTTP_X_REQUEST_ID": "client"])
      #expect(try line(gateway, Self.idFormat, own) == "LINE f-1 f-1 f-1")
      let client = GatewayRequest.bytes(gateway, "/ok", extra: ["HTTP_X_REQUEST_ID": "client"])
      #expect(try line(gateway, Self.idFormat, client).wholeMatch(of: Self.made) != nil)
    }

    @Test("requests of one connection have ids of their own")
    func different() throws {
      let request = get("/ok") + "GET /ok HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
      let format = try LogFormat.read("IDLINE %(id)")
      let bench = try WorkerBench(settings: {
        $0.log = LogSettings()
        $0.log.format = format
        $0.log.namesRequests = true
      })
      let text = try capturingErrors {
        let socket = try bench.connect()
        try socket.send(request)
        _ = try socket.receiveAll()
        try bench.stop()
      }
      let lines = text.split(separator: "\n").filter { $0.hasPrefix("IDLINE ") }
      #expect(lines.count == 2 && lines.first != lines.last, "\(text)")
    }

    @Test("the error log names the request")
    func errorLines() throws {
      let proxy = try TrustedProxy(parsing: "127.0.0.1")
      let bench = try WorkerBench(settings: {
        $0.log.namesRequests = true
        $0.trustedProxies = [proxy]
      })
      let text = try capturingErrors {
        let socket = try bench.connect()
        try socket.send(
          "GET /fail HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Request-ID: named-7\r\n\r\n")
        _ = try socket.receiveAll()
        try bench.stop()
      }
      #expect(text.contains("GET /fail [named-7]"), "\(text)")
    }
  }
}
