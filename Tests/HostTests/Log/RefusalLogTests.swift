// A request that no application sees leaves a line that says why, and no flood of lines.
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct RefusalLogTests {
    /// What is written to the log, without lines for requests, while `requests` are sent to `gateway`.
    private func log(
      _ gateway: ListenerProtocol, _ requests: [[UInt8]], mounts: [String] = [""],
      settings change: (inout Settings) -> Void = { _ in }
    ) throws -> [String] {
      let bench = try WorkerBench([gateway], mounts: mounts, settings: change)
      let text = try capturingErrors {
        for request in requests {
          let socket = try bench.connect()
          _ = try? socket.send(request)
          _ = try? socket.receiveAll()
        }
        try bench.stop()
      }
      return text.split(separator: "\n").map(String.init).filter { $0.contains("refused") }
    }

    private func http(_ fields: String, _ target: String = "/", _ method: String = "GET") -> [UInt8] {
      Array("\(method) \(target) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(fields)\r\n".utf8)
    }

    @Test("too large a head: socket, client, reason and option", arguments: [ListenerProtocol.http1, .auto])
    func largeHead(gateway: ListenerProtocol) throws {
      let cookie = "Cookie: " + String(repeating: "c", count: 70_000) + "\r\n"
      let lines = try log(gateway, [http(cookie)])
      let word = gateway == .auto ? "recognised" : "http"
      #expect(lines.count == 1)
      let line = lines.first ?? ""
      #expect(line.contains("warning: request refused with 431 at \(word) socket 127.0.0.1:"), "\(line)")
      let words = "for 127.0.0.1: request head is above the limit (--buffer-size 65536, --max-vars 256)"
      #expect(line.contains(words), "\(line)")
    }

    @Test("every protocol says what was wrong with its bytes")
    func everyProtocol() throws {
      let uwsgi: [UInt8] = [0, 4, 0, 0, 0xff, 0xff, 0xff, 0xff]
      for (gateway, bytes, words) in [
        (ListenerProtocol.uwsgi, uwsgi, "uwsgi variable"),
        (.uwsgi, [0, 0xff, 0xff, 0] + [UInt8](repeating: 1, count: 100), "uwsgi block of 65535 bytes"),
        (.scgi, Array("12x:".utf8), "SCGI"),
        (.scgi, Array("9999:".utf8), "SCGI header block of 9999 bytes"),
        (.http1, Array("GARBAGE\r\n\r\n".utf8), "refused with 400"),
        (.auto, Array("\u{1}\u{7f}nothing at all".utf8), "these bytes are none of them"),
        (.http1, http("Content-Length: 99999999999\r\n", "/", "POST"), "(--limit-post 1073741824)"),
      ] {
        let lines = try log(gateway, [bytes]) { $0.limits.headBytes = 4096 }
        #expect(lines.count == 1 && lines[0].contains(words), "\(gateway): \(lines)")
        #expect(lines.first?.contains("socket 127.0.0.1:") == true, "\(lines)")
      }
    }

    @Test("what comes too late, or finds no room, is told with the option that says so")
    func otherLimits() throws {
      let cut = Array("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nbody".utf8)
      for (bytes, status, options) in [
        (Array("GET / HTTP/1.1\r\nHost: h\r\n".utf8), "with 408", "(--header-timeout)"),
        (cut, "with 408", "(--body-timeout, --body-min-rate)"),
        (http("Content-Length: 99\r\n", "/", "POST"), "with 413", "(--spool-max 50)"),
      ] {
        let lines = try log(.http1, [bytes]) {
          ($0.limits.headerTimeoutSeconds, $0.limits.bodyTimeoutSeconds) = (0.3, 0.3)
          ($0.limits.bodyMemoryBytes, $0.limits.spoolBytes) = (10, 50)
        }
        let line = lines.first ?? ""
        #expect(lines.count == 1 && line.contains(status) && line.contains(options), "\(lines)")
      }
    }

    @Test("a request that is understood is named, and forges nothing")
    func namesTheRequest() throws {
      let lines = try log(.http1, [http("", "/elsewhere")], mounts: ["/here"])
      #expect(lines.first?.hasSuffix("no application is mounted here: GET /elsewhere") == true, "\(lines)")
      let forged = GatewayRequest.bytes("scgi", "/x", extra: ["REQUEST_METHOD": "G\u{1b}[2J\nforged"])
      for line in try log(.scgi, [forged], mounts: ["/here"]) { #expect(!line.contains("\u{1b}"), "\(line)") }
    }

    @Test("who makes the server refuse a thousand requests fills no log with them")
    func flood() throws {
      let lines = try log(.http1, [[UInt8]](repeating: Array("GARBAGE\r\n\r\n".utf8), count: 300))
      #expect((Limits.refusalLinesAtOnce...100).contains(lines.count), "\(lines.count) lines")
    }

    @Test("a handful at once, then one a second, and what was left out is counted")
    func rate() {
      var log = RefusalLog()
      let second: UInt64 = 1_000_000_000
      func admitted(_ count: Int, at now: UInt64) -> Int { (0..<count).count { _ in log.admits(at: now) } }
      let first = admitted(1000, at: 100 * second)
      #expect(first == Limits.refusalLinesAtOnce && log.held == 1000 - first)
      #expect(log.takeHeld(at: 101 * second) == 0)
      #expect(admitted(1000, at: 101 * second) == 1)
      #expect(log.takeHeld(at: (100 + Limits.refusalCountSeconds) * second) == 1990 - 1 && log.held == 0)
      #expect(log.takeHeld(at: 200 * second) == 0)
      #expect(admitted(1000, at: 1000 * second) == Limits.refusalLinesAtOnce)
    }
  }
}
