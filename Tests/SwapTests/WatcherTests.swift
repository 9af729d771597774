// The process that shows figures, between people who watch the server and others who would like to.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct WatcherTests {
    private func server(_ options: String...) throws -> SupervisedServer {
      try SupervisedServer(
        Fixture.good, workers: 1,
        ["--metrics", "127.0.0.1:0", "--status-page", "127.0.0.1:0", "--stats", "127.0.0.1:0"] + options)
    }

    private func ask(_ address: Support.Address, _ text: String) throws -> Reply {
      let socket = try RawSocket(address)
      try socket.send(text)
      return try socket.receiveReply()
    }

    @Test("a name that somebody's DNS leads to this machine is not the server's; one that it was given is")
    func rebinding() throws {
      let server = try server("--watch-host", "status.example.org", "--stats-http")
      for (kind, path) in [("metrics", "/metrics"), ("status-page", "/status.json"), ("stats", "/")] {
        let address = try server.watchAddress(kind)
        func status(_ host: String, _ more: String = "") throws -> Int {
          try ask(address, "GET \(path) HTTP/1.1\r\n\(host)\(more)\r\n").status
        }
        #expect(try status("Host: evil.example:\(address.port)\r\n") == 403)
        #expect(try status("") == 400)
        for name in ["127.0.0.1:\(address.port)", "localhost", "[::1]:1", "Status.Example.org"] {
          #expect(try status("Host: \(name)\r\n") == 200, "\(kind) \(name)")
        }
        #expect(try status("Host: localhost\r\n", "Origin: http://evil.example\r\n") == 403)
        #expect(try status("Host: localhost\r\n", "Sec-Fetch-Site: cross-site\r\n") == 403)
        let absolute = "GET http://\(address)\(path) HTTP/1.1\r\nHost: \(address)\r\n\r\n"
        #expect(try ask(address, absolute).status == 200)
        #expect(try ask(address, "GET \(path) HTTP/1.0\r\n\r\n").status == 200)
      }
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("connections on which nobody says anything keep nobody else waiting")
    func silent() throws {
      let server = try server()
      let page = try server.watchAddress("status-page")
      let metrics = try server.watchAddress("metrics")
      for address in [page, metrics] {
        // The others' turn comes before these have had their time.
        let silent = try (0..<100).map { _ in try RawSocket(page) }
        let slow = try RawSocket(page)
        try slow.send("GET / HT")
        let socket = try RawSocket(address)
        try socket.send("GET / HTTP/1.1\r\nHost: \(address)\r\n\r\n")
        let text = String(decoding: try socket.receiveAll(Deadline(seconds: 8)), as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 200 OK"))
        // They are given up, too.
        #expect(try slow.receiveAll().isEmpty)
        for socket in silent { #expect(try socket.receiveAll().isEmpty) }
      }
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("an answer is whole for who reads slowly, and for who has sent more than was asked for")
    func whole() throws {
      let server = try server()
      for (kind, path) in [("metrics", "/metrics"), ("status-page", "/"), ("stats", "")] {
        for surplus in [2, 3000, 40_000] {
          let address = try server.watchAddress(kind)
          let socket = try RawSocket(address, receiveBuffer: 1024)
          if !path.isEmpty { try socket.send("GET \(path) HTTP/1.1\r\nHost: \(address)\r\n\r\n") }
          var all = try socket.receive(16)
          try socket.send([UInt8](repeating: 0x0a, count: surplus))
          while true {
            let some = try socket.receive(512)
            if some.isEmpty { break }
            all += some
          }
          let text = String(decoding: all, as: UTF8.self)
          guard !path.isEmpty else {
            #expect(try JSONSerialization.jsonObject(with: Data(all)) is [String: Any])
            continue
          }
          let halves = text.components(separatedBy: "\r\n\r\n")
          let length = halves[0].components(separatedBy: "Content-Length: ")[1].prefix { $0.isNumber }
          let body = all.count - halves[0].utf8.count - 4
          #expect(Int(length) == body && body > 1000, "\(kind) \(surplus)")
        }
      }
      let refused = try RawSocket(server.watchAddress("metrics"))
      try refused.send(String(repeating: "x", count: 50_000))
      let (bytes, isReset) = try refused.receiveToItsEnd()
      #expect(String(decoding: bytes, as: UTF8.self).hasPrefix("HTTP/1.1 431") && !isReset)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("who watches is answered until the last worker has left, and the address is free at once")
    func leaving() throws {
      let folder = try TemporaryFolder()
      let server = try SupervisedServer(
        FixtureApp.path("pressure"), workers: 1,
        ["--shutdown-delay", "60", "--agent-check", "127.0.0.1:0", "--metrics", "127.0.0.1:0"],
        folder: folder)
      let (agent, metrics) = (try server.watchAddress("agent-check"), try server.watchAddress("metrics"))
      func wait(for line: String) throws {
        try Deadline.usual.wait(for: line, output: { server.log }) {
          String(decoding: try RawSocket(agent).receiveAll(), as: UTF8.self) == line ? () : nil
        }
      }
      let held = try server.server.connect()
      try held.send("GET /up?\(folder.file("gate")) HTTP/1.1\r\nHost: a\r\n\r\n")
      try server.wait(for: "the request") { $0.text.contains("GET ") }
      server.server.process.send(SIGTERM)
      try wait(for: "up drain\n")
      server.server.process.send(SIGTERM)
      try wait(for: "maint\n")
      let figures = try ask(metrics, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
      #expect(figures.status == 200 && figures.text.contains("nsgi_worker_requests_in_progress{"))
      try folder.write("open", to: "gate")
      #expect(try held.receiveReply().status == 200)
      #expect(try server.server.process.wait() == .status(0), "\(server.log)")
      let next = try SupervisedServer(Fixture.good, workers: 1, ["--agent-check", "\(agent)"])
      _ = try next.watchAddress("agent-check")
      let line = String(decoding: try RawSocket(agent).receiveAll(), as: UTF8.self)
      #expect(line == "up ready 100%\n")
      #expect(try next.stop() == .status(0), "\(next.log)")
    }

    @Test("a process that shows figures and dies while the server stops leaves nobody waiting")
    func diesLeaving() throws {
      let folder = try TemporaryFolder()
      let server = try SupervisedServer(
        FixtureApp.path("pressure"), workers: 1, ["--agent-check", "127.0.0.1:0"], folder: folder)
      let agent = try server.watchAddress("agent-check")
      let held = try server.server.connect()
      try held.send("GET /up?\(folder.file("gate")) HTTP/1.1\r\nHost: a\r\n\r\n")
      try server.wait(for: "the request") { $0.text.contains("GET ") }
      server.server.process.send(SIGTERM)
      try Deadline.usual.wait(for: "the stop", output: { server.log }) {
        String(decoding: try RawSocket(agent).receiveAll(), as: UTF8.self) == "maint\n" ? () : nil
      }
      let (_, output) = try ChildProcess.run(
        "/usr/bin/pgrep", ["-P", "\(server.pid)", "-f", "supervised-child watch"])
      kill(try #require(pid_t(output.filter(\.isNumber)), "\(output)"), SIGKILL)
      try Deadline.usual.wait(for: "the end of its socket", output: { server.log }) {
        (try? RawSocket(agent)) == nil ? () : nil
      }
      try folder.write("open", to: "gate")
      #expect(try held.receiveReply().status == 200)
      #expect(try server.server.process.wait() == .status(0), "\(server.log)")
      #expect(!server.log.contains("another is started"), "\(server.log)")
    }
  }
}
