// The request log: one line a request that no client can forge, and the kinds that are asked for.
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct AccessLogTests {
    /// The lines of the given requests, each on a connection of its own.
    private func lines(_ requests: [String], log change: (inout LogSettings) -> Void = { _ in }) throws
      -> [String]
    {
      let bench = try WorkerBench(settings: {
        $0.log = LogSettings()
        change(&$0.log)
      })
      let text = try capturingErrors {
        for request in requests {
          let socket = try bench.connect()
          try socket.send(request)
          _ = try socket.receiveAll()
        }
        try bench.stop()
      }
      // Other lines on standard error meanwhile are other tests'.
      return text.split(separator: "\n").map(String.init).filter {
        $0.contains("] \"") && $0.hasSuffix("us") && $0.contains(" - - [")
      }
    }

    private func get(_ path: String, _ fields: String = "") -> String {
      "GET \(path) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(fields)\r\n"
    }

    @Test("the combined format, and the time it took")
    func format() throws {
      let line = try #require(try lines([get("/ok?a=1", "Referer: http://r/\r\nUser-Agent: me/1\r\n")]).first)
      let time = #/\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]/#
      let parts = line.split(separator: time)
      #expect(parts.count == 2, "\(line)")
      #expect(parts.first == "127.0.0.1 - - ")
      #expect(parts.last?.hasPrefix(#" "GET /ok?a=1 HTTP/1.1" 200 2 "http://r/" "me/1" "#) == true)
      #expect(line.contains(#/" \d+us$/#))
    }

    @Test("quotes, backslashes and bytes that are no printable ASCII are escaped")
    func escaping() throws {
      let found = try lines([get("/ok", "User-Agent: a\"b\\c\td\u{e9}\r\nReferer: \" 200 0 \"\r\n")])
      #expect(found.count == 1)
      #expect(found.first?.contains(#""\x22 200 0 \x22" "a\x22b\x5cc\x09d\xc3\xa9""#) == true, "\(found)")
    }

    @Test(
      "what a front end says of the client is escaped: no line is forged",
      arguments: [ListenerProtocol.scgi, .uwsgi, .fastcgi])
    func forgedAddress(gateway: ListenerProtocol) throws {
      let address = "1.2.3.4\" 200 0\n6.6.6.6\u{1b}[2J\u{9b}"
      let bench = try WorkerBench([gateway], settings: { $0.log = LogSettings() })
      let text = try capturingErrors {
        let socket = try bench.connect()
        try socket.send(GatewayRequest.bytes("\(gateway)", "/ok", extra: ["REMOTE_ADDR": address]))
        _ = try socket.receiveAll()
        try bench.stop()
      }
      let lines = text.split(separator: "\n").filter { $0.contains("GET /ok") }
      #expect(lines.count == 1 && !text.contains("\u{1b}") && !text.contains("\n6.6.6.6"), "\(text)")
      let shown = #"1.2.3.4\x22 200 0\x0a6.6.6.6\x1b[2J\xc2\x9b - - ["#
      #expect(lines.first?.hasPrefix(shown) == true, "\(lines)")
    }

    @Test("a line is what a pipe takes in one piece: the longest values are cut, and no escape in two")
    func long() throws {
      let path = "/ok?" + String(repeating: "b", count: 1000)
      for (agent, escape) in [("\"", #"\x22"#), ("é", #"\xc3\xa9"#), ("a", "a")] {
        for filling in ["", "x", "xx", "xxx"] {
          let value = filling + String(repeating: agent, count: 6000)
          let line = try #require(try lines([get(path, "User-Agent: \(value)\r\nReferer: r\r\n")]).first)
          #expect((4000..<4096).contains(line.utf8.count), "\(line.utf8.count)")
          #expect(line.contains("GET \(path) HTTP/1.1\" 200 2 \"r\" \"\(filling)\(escape)"), "\(line)")
          let shown = try #require(line.split(separator: "\"").last { $0.hasSuffix("...") }, "\(line)")
          let rest = shown.dropFirst(filling.count).dropLast(3)
          #expect(rest.replacing(escape, with: "").isEmpty || rest.hasSuffix(#"\xc3"#), "\(line)")
        }
      }
      // Several long ones are all cut, and what is said behind them is there.
      let twice = path + path
      let all = try lines([get(twice + path, "User-Agent: \(twice)\r\nReferer: \(twice)\r\n")])
      #expect(all.count == 1 && all[0].utf8.count < 4096 && all[0].contains(#/\.\.\." \d+us$/#), "\(all)")
      #expect(all[0].contains(#/\.\.\. HTTP/1\.1" 200 2 "/#), "\(all)")
    }

    @Test("a line of an application stays one line")
    func lineOfAnApp() throws {
      let text = try capturingErrors {
        let bytes = Array("one\n2026-01-01T00:00:00Z error: forged\u{1b}[2J\u{85}".utf8) + [0x9b]
        bytes.withUnsafeBytes { Log.shared.app(level: 4, $0) }
      }
      let line = text.split(separator: "\n").filter { $0.contains("forged") }
      #expect(line.count == 1, "\(text)")
      let words = #"error: one\n2026-01-01T00:00:00Z error: forged\x1b[2J\xc2\x85\x9b"#
      #expect(line.first?.hasSuffix(words) == true, "\(text)")
    }

    @Test("a request that was refused is one line, with the client's address")
    func refused() throws {
      for request in [
        "GARBAGE\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nBad : x\r\n\r\n", get("/%zz"),
        "GET / HTTP/9.9\r\n\r\n",
      ] {
        let found = try lines([request])
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("127.0.0.1 - - [") == true, "\(found)")
      }
    }

    @Test("with the log off, the kinds that are asked for by name")
    func kinds() throws {
      let requests = [get("/ok"), get("/nowhere"), get("/fail"), "GARBAGE\r\n\r\n"]
      func statuses(_ change: @escaping (inout LogSettings) -> Void) throws -> [String] {
        try lines(
          requests,
          log: {
            $0.requests = false
            change(&$0)
          }
        ).map { String($0.split(separator: "\"")[2].split(separator: " ")[0]) }
      }
      #expect(try statuses { _ in } == [])
      #expect(try statuses { $0.clientErrors = true } == ["404", "400"])
      #expect(try statuses { $0.serverErrors = true } == ["500"])
      #expect(try statuses { $0.slowMilliseconds = 0 } == ["200", "404", "500", "400"])
      #expect(try statuses { $0.slowMilliseconds = 60_000 } == [])
    }

    @Test("HEAD and an answer without content sent no bytes of a body")
    func bytesSent() throws {
      let head = "HEAD /ok HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
      for request in [head, get("/no-content"), get("/not-modified")] {
        let line = try #require(try lines([request]).first)
        #expect(line.contains(#/" (200|204|304) 0 "/#), "\(line)")
      }
    }
  }
}
