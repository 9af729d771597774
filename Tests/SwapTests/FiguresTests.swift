// What a server says of itself to those who watch it, held against what was really asked of it.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct FiguresTests {
    private static let watched = [
      "--metrics", "127.0.0.1:0", "--stats", "127.0.0.1:0", "--status-page", "127.0.0.1:0",
      // As the tests' own client calls every server.
      "--watch-host", "a",
    ]

    /// Samples by their name with labels.
    private func metrics(_ server: SupervisedServer) throws -> [String: Double] {
      let reply = try RawSocket(server.watchAddress("metrics")).ask("/metrics")
      #expect(reply.status == 200 && reply["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
      var samples: [String: Double] = [:]
      for line in reply.text.split(separator: "\n") where !line.hasPrefix("#") {
        let at = try #require(line.lastIndex(of: " "))
        samples[String(line[..<at])] = Double(line[line.index(after: at)...])
      }
      return samples
    }

    @Test("open connections are told, and streams of HTTP/2 are none of them", arguments: ["epoll", "auto"])
    func connections(io: String) throws {
      let app = try FixtureApp.path("pressure")
      let server = try SupervisedServer(app, workers: 1, Self.watched + ["--io", io])
      func wait(for count: Double) throws {
        _ = try Deadline.usual.wait(for: "\(count) connections", output: { server.log }) {
          let told = try metrics(server).first { $0.key.hasPrefix("nsgi_worker_connections{") }
          return told?.value == count ? true : nil
        }
      }
      try wait(for: 0)
      var idle = try (0..<3).map { _ in try server.server.connect() }
      let client = try HTTP2Client(server.server.connect())
      let held = try (0..<2).map { _ in try client.request("/hold") }
      try wait(for: 4)
      #expect(try server.ctl("status").output.contains(", 4 connections"))
      #expect(try server.get("/release").text == "releasing")
      for id in held { #expect(try client.answer(id).status == 200) }
      try wait(for: 4)
      for socket in idle { socket.close() }
      idle = []
      try wait(for: 1)
      client.socket.close()
      try wait(for: 0)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("counts are exact on every protocol, and go on across deaths and swaps")
    func counts() throws {
      let gateways = ["http", "scgi", "uwsgi", "fastcgi"]
      let server = try SupervisedServer(
        Fixture.good, gateways: gateways, Self.watched + ["--swap-soak", "0"])
      func ask(_ count: Int) throws {
        for gateway in gateways {
          for id in 0..<count {
            _ = try server.server.connect(gateway).exchange(gateway, "/?id=\(id)", body: [1, 2, 3])
          }
        }
      }
      func hold(_ each: Int, refused: Int) throws {
        // A front end has its answer a moment before the loop has counted it.
        let total = Double(each * gateways.count)
        let samples = try Deadline.usual.wait(for: "\(each) of each") {
          let samples = try metrics(server)
          return samples["nsgi_requests_total{app=\"/\",code=\"2xx\"}"] == total ? samples : nil
        }
        for gateway in gateways {
          let name = "nsgi_protocol_requests_total{app=\"/\",protocol=\"\(gateway)\"}"
          #expect(samples[name] == Double(each), "\(name)")
        }
        #expect(samples["nsgi_requests_total{app=\"\",code=\"4xx\"}"] == Double(refused))
        #expect(samples["nsgi_received_bytes_total{app=\"/\"}"] == 3 * total)
        #expect(samples["nsgi_request_duration_seconds_count{app=\"/\"}"] == total)
        #expect(samples["nsgi_request_duration_seconds_bucket{app=\"/\",le=\"+Inf\"}"] == total)
      }
      try ask(5)
      for _ in 0..<3 {
        let socket = try server.server.connect()
        try socket.send("nonsense\r\n\r\n")
        #expect(try socket.receiveReply().status == 400)
      }
      try hold(5, refused: 3)
      let worker = try #require(try server.status().serving.first)
      kill(worker.pid, SIGKILL)
      try server.wait(for: "a successor") { $0.serving.count == 2 && !$0.serving.contains(worker) }
      try hold(5, refused: 3)
      try server.install(Fixture.better)
      #expect(try server.ctl("swap").exit == 0, "\(server.log)")
      try ask(4)
      try hold(9, refused: 3)
      let samples = try metrics(server)
      #expect(samples["nsgi_worker_exits_total{cause=\"crash\"}"] == 1)
      #expect(samples["nsgi_changes_total{change=\"swap\",outcome=\"done\"}"] == 1)
      #expect(samples["nsgi_app_generation{app=\"/\",name=\"ledger\"}"] == 2, "\(samples.keys)")
      #expect(samples["nsgi_workers{state=\"serving\"}"] == 2)
      for phase in ["staging", "rolling"] {
        let name = "nsgi_change_phase_seconds"
        #expect(samples["\(name)_count{phase=\"\(phase)\"}"] == 1, "\(samples)")
        #expect((samples["\(name)_sum{phase=\"\(phase)\"}"] ?? 0) > 0)
        #expect(samples["\(name)_count{phase=\"in_place\"}"] == 0)
      }
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("Prometheus's own parser reads the metrics")
    func parsed() throws {
      let server = try SupervisedServer(Fixture.good, Self.watched)
      _ = try server.get()
      let program = """
        import sys, urllib.request
        from prometheus_client.parser import text_string_to_metric_families as families
        text = urllib.request.urlopen(sys.argv[1]).read().decode()
        found = {family.name: family for family in families(text)}
        assert found["nsgi_requests"].type == "counter", found
        assert found["nsgi_request_duration_seconds"].type == "histogram"
        print(sum(len(family.samples) for family in found.values()))
        """
      let (exit, output) = try ChildProcess.run(
        try Repository.python("python"), ["-c", program, "http://\(server.watchAddress("metrics"))/metrics"])
      #expect(exit == .status(0) && (Int(output.filter(\.isNumber)) ?? 0) > 50, "\(output)")
      #expect(try server.stop() == .status(0))
    }

    @Test("uwsgitop shows the workers")
    func uwsgitop() throws {
      let server = try SupervisedServer(Fixture.good, Self.watched)
      for _ in 0..<7 { _ = try server.get() }
      let (exit, output) = try ChildProcess.run(
        try Repository.python("python"),
        [
          "\(Repository.root)/Tests/Fixtures/watch/terminal.py", "3", "q", try Repository.python("uwsgitop"),
          "\(server.watchAddress("stats"))",
        ])
      #expect(exit == .status(0), "\(output)")
      for worker in try server.status().workers { #expect(output.contains("\(worker.pid)"), "\(output)") }
      #expect(output.contains("nsgi-server"), "\(output)")
      #expect(try server.stop() == .status(0))
    }

    @Test("uWSGI's statistics are JSON, over HTTP if that is wanted", arguments: [false, true])
    func statistics(isHTTP: Bool) throws {
      let server = try SupervisedServer(
        Fixture.good, workers: 1, Self.watched + (isHTTP ? ["--stats-http", "--stats-min"] : []))
      for _ in 0..<7 { _ = try server.get() }
      let json = try Deadline.usual.wait(for: "seven requests") { () -> [String: Any]? in
        let socket = try RawSocket(server.watchAddress("stats"))
        let text = try isHTTP ? socket.ask("/").body : socket.receiveAll()
        let json = try JSONSerialization.jsonObject(with: Data(text)) as? [String: Any]
        let worker = (json?["workers"] as? [[String: Any]])?.first
        return worker?["requests"] as? Int == 7 ? json : nil
      }
      let worker = try #require((json["workers"] as? [[String: Any]])?.first)
      #expect(worker["id"] as? Int == 1 && worker["status"] as? String == "idle")
      #expect(worker["pid"] as? Int == Int(try server.status().workers[0].pid))
      #expect((worker["rss"] as? Int ?? 0) > 1 << 20 && (worker["tx"] as? Int ?? 0) > 0)
      #expect((json["sockets"] as? [[String: Any]])?.first?["proto"] as? String == "http")
      #expect(try server.stop() == .status(0))
    }

    @Test("files, and requests beyond their time, are counted, and the counts outlive the worker")
    func filesAndLate() throws {
      let folder = try TemporaryFolder()
      try folder.write("a note", to: "note.txt")
      let server = try SupervisedServer(
        FixtureApp.path("late"), workers: 1,
        Self.watched + ["--harakiri", "0.5", "--static-map", "/note=DIR/note.txt"], folder: folder)
      func wait(late: Double) throws {
        _ = try Deadline.usual.wait(for: "the counts", output: { server.log }) {
          let samples = try metrics(server)
          let told = samples["nsgi_late_requests_total{app=\"/\"}"]
          return told == late && samples["nsgi_static_requests_total"] == 2 ? true : nil
        }
      }
      func hold(late: Int, files: Int) throws {
        let pid = try #require(try server.status().serving.first).pid
        let worker = try Deadline.usual.wait(for: "the worker's figures") { () -> [String: Any]? in
          let text = try RawSocket(server.watchAddress("stats")).receiveAll()
          let json = try JSONSerialization.jsonObject(with: Data(text)) as? [String: Any]
          let worker = (json?["workers"] as? [[String: Any]])?.first
          return worker?["pid"] as? Int == Int(pid) ? worker : nil
        }
        #expect(worker["harakiri_count"] as? Int == late, "\(worker)")
        let core = (worker["cores"] as? [[String: Any]])?.first
        #expect(core?["static_requests"] as? Int == files, "\(worker)")
      }
      #expect(try server.get("/quick").status == 200)
      for _ in 0..<2 { #expect(try server.get("/note").text == "a note") }
      try wait(late: 0)
      try hold(late: 0, files: 2)
      let pid = try #require(try server.status().serving.first).pid
      #expect(try server.get("/sleep").status == 504)
      try wait(late: 1)
      // It would leave by itself, two seconds later.
      kill(pid, SIGKILL)
      try server.wait(for: "a successor") {
        $0.workers.count == 1 && $0.serving.count == 1 && $0.serving[0].pid != pid
      }
      try wait(late: 1)
      // uWSGI counts what ran too long for the place of a worker, and files for its process.
      try hold(late: 1, files: 0)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("whoever kills or abuses the process that shows figures harms no request")
    func abuse() throws {
      let server = try SupervisedServer(Fixture.good, workers: 1, Self.watched)
      let page = try server.watchAddress("status-page")
      #expect(try RawSocket(page).ask("/").text.hasPrefix("<!DOCTYPE html>"))
      #expect(try RawSocket(page).ask("/nowhere").status == 404)
      for garbage in [
        "\0\0\0\0\n\n", "GET /\r\n\r\n", "text stop\n\n", String(repeating: "x", count: 20_000),
      ] {
        let socket = try RawSocket(page)
        _ = try? socket.send(garbage)
        #expect([400, 431].contains(try socket.receiveReply().status))
      }
      let idle = try (0..<40).map { _ in try RawSocket(page) }
      let json = try RawSocket(page).ask("/status.json")
      let object = try JSONSerialization.jsonObject(with: Data(json.body))
      #expect(json.status == 200 && object is [String: Any])
      idle.forEach { $0.close() }
      let children = try ChildProcess.run(
        "/usr/bin/pgrep", ["-P", "\(server.pid)", "-f", "supervised-child watch"])
      let watcher = try #require(pid_t(children.output.filter(\.isNumber)), "\(children.output)")
      kill(watcher, SIGKILL)
      try server.waitForLog("another is started")
      #expect(try server.answering() == "A 1")
      let reply = try Deadline.usual.wait(for: "the page") {
        try? RawSocket(page).ask("/status.json")
      }
      #expect(reply.status == 200)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("the process that shows figures is followed by another in the middle of a swap, too")
    func followedInSwap() throws {
      let server = try SupervisedServer(Fixture.good, workers: 1, Self.watched + ["--swap-soak", "4"])
      let page = try server.watchAddress("status-page")
      try server.install(Fixture.better)
      let swap = try ChildProcess(Repository.server, ["ctl", "--control-socket", server.control, "swap"])
      try server.wait(for: "the soak") { $0.workers.count == 2 && $0.serving.count == 2 }
      let (_, output) = try ChildProcess.run(
        "/usr/bin/pgrep", ["-P", "\(server.pid)", "-f", "supervised-child watch"])
      kill(try #require(pid_t(output.filter(\.isNumber)), "\(output)"), SIGKILL)
      try server.waitForLog("another is started")
      #expect(try swap.wait() == .status(0), "\(swap.output)")
      let reply = try Deadline.usual.wait(for: "the page") { try? RawSocket(page).ask("/status.json") }
      #expect(reply.status == 200)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a second signal ends the wait for load balancers, and requests are still answered")
    func impatient() throws {
      let server = try SupervisedServer(Fixture.good, workers: 1, ["--shutdown-delay", "60"])
      kill(server.pid, SIGTERM)
      try server.waitForLog("--shutdown-delay")
      #expect(try server.answering() == "A 1")
      kill(server.pid, SIGTERM)
      #expect(try server.server.process.wait() == .status(0), "\(server.log)")
    }

    @Test("an upgrade takes the sockets of those who watch along")
    func upgrade() throws {
      let server = try SupervisedServer(Fixture.good, Self.watched + ["--swap-soak", "0"])
      let metrics = try server.watchAddress("metrics")
      for _ in 0..<7 { _ = try server.get() }
      try server.install(Fixture.better)
      #expect(try server.ctl("swap").exit == 0, "\(server.log)")
      // A request whose head an old worker is reading when the server is handed over: it answers afterwards.
      let late = try server.server.connect()
      try late.send("GET / HTTP/1.1\r\nHost: x\r\n")
      #expect(try server.ctl("upgrade").exit == 0, "\(server.log)")
      let text = try Deadline.usual.wait(for: "metrics of the new server") {
        try? RawSocket(metrics).ask("/metrics").text
      }
      #expect(text.contains("nsgi_workers{state=\"serving\"} 2"))
      let pid = try server.status().pid
      #expect(pid != server.pid)
      // What was counted before counts on, and so does what the old workers still answer.
      let total = "nsgi_requests_total{app=\"/\",code=\"2xx\"}"
      let first = try self.metrics(server)
      #expect(first[total] == 7, "\(server.log)")
      #expect(first["nsgi_changes_total{change=\"swap\",outcome=\"done\"}"] == 1)
      #expect(first["nsgi_change_phase_seconds_count{phase=\"rolling\"}"] == 1)
      try late.send("Connection: close\r\n\r\n")
      #expect(try late.receiveReply().status == 200)
      _ = try server.get()
      _ = try Deadline.usual.wait(for: "nine requests") { try self.metrics(server)[total] == 9 ? true : nil }
      _ = try Deadline.usual.wait(for: "the ends of the old workers") {
        try self.metrics(server)["nsgi_worker_exits_total{cause=\"left\"}"] ?? 0 >= 4 ? true : nil
      }
      #expect(try self.metrics(server)[total] == 9)
      #expect(try server.ctl("stop").exit == 0)
    }

    @Test("server top at a terminal, and for a file")
    func top() throws {
      let server = try SupervisedServer(Fixture.good, Self.watched)
      for _ in 0..<7 { _ = try server.get() }
      let batch = try ChildProcess.run(
        Repository.server, ["top", "--control-socket", server.control, "--batch", "--delay", "0.2"])
      #expect(batch.exit == .status(0), "\(batch.output)")
      for worker in try server.status().workers { #expect(batch.output.contains(" \(worker.pid) ")) }
      #expect(batch.output.components(separatedBy: "nsgi-server").count == 3, "\(batch.output)")
      let (exit, drawn) = try ChildProcess.run(
        try Repository.python("python"),
        [
          "\(Repository.root)/Tests/Fixtures/watch/terminal.py", "2.5", "q", Repository.server, "top",
          "--control-socket", server.control,
        ])
      #expect(exit == .status(0), "\(drawn)")
      #expect(drawn.hasPrefix("\u{1b}[?1049h") && drawn.contains("\u{1b}[?1049l"), "\(drawn)")
      for line in drawn.replacing("\u{1b}[H", with: "\r\n").components(separatedBy: "\r\n") {
        // The terminal has put a return of its own before each line's end.
        let text = line.replacing(/\x1b\[[0-9?;]*[A-Za-z]/, with: "").filter { $0 != "\r" }
        #expect(text.count <= 80, "\(text)")
      }
      for bad in [["--delay", "0"], ["--count", "x"], ["--nonsense"], []] {
        let (exit, output) = try ChildProcess.run(
          Repository.server, ["top", "--control-socket", server.control] + bad)
        #expect(exit == .status(1) && output.hasPrefix("server: top: "), "\(output)")
      }
      #expect(try server.stop() == .status(0))
    }

    @Test("health and readiness, and a stop that load balancers see coming")
    func health() throws {
      let server = try SupervisedServer(
        Fixture.good, gateways: ["http", "scgi"],
        ["--health-path", "/healthz", "--ready-path", "/readyz", "--shutdown-delay", "3"])
      #expect(try server.get("/healthz").status == 200 && server.get("/readyz").status == 200)
      #expect(try server.get("/readyz?x=1").text == "200 OK: ready\n")
      #expect(try server.server.connect("scgi").exchange("scgi", "/healthz").status == 200)
      #expect(try server.get("/healthz/").text.hasPrefix("begin A 1"))
      kill(server.pid, SIGTERM)
      let reply = try Deadline.usual.wait(for: "it says so") {
        let reply = try server.get("/readyz")
        return reply.status == 503 ? reply : nil
      }
      #expect(reply["retry-after"] != nil)
      #expect(try server.answering() == "A 1" && server.get("/healthz").status == 200)
      #expect(try server.server.process.wait() == .status(0), "\(server.log)")
    }

    @Test("what cannot be watched is said at the start")
    func refused() throws {
      let app = ["--app", try Fixture.good, "--http-socket", "127.0.0.1:0"]
      for (options, word) in [
        (["--no-master", "--metrics", ":0"], "leave out --no-master"),
        (["--no-master", "--shutdown-delay", "1"], "leave out --no-master"),
        (["--health-path", "healthz"], "\"healthz\" is not a path as clients ask for it"),
        (["--metrics", "nonsense"], "metrics"),
      ] {
        let (exit, output) = try ServerProcess.run(app + options)
        #expect(exit == .status(1) && output.contains(word), "\(options): \(output)")
      }
      let socket = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
      let (exit, output) = try ServerProcess.run(app + ["--metrics", "\(socket.address)"])
      #expect(exit == .status(1) && output.contains("\(socket.address)"), "\(output)")
    }
  }
}

@Suite struct DashboardTests {
  @Test(
    "the dashboard and the alerts ask for metrics that there are",
    arguments: ["dashboard.json", "alerts.yml"])
  func names(file: String) throws {
    let text = try Repository.text("docs/deploy/grafana/\(file)")
    let source = try Repository.text("Sources/Watch/Metrics.swift")
    let names = Set(text.matches(of: /nsgi_[a-z_]+/).map { String($0.output) })
    #expect(names.count > 5)
    for name in names {
      let family = name.replacing(/_(bucket|sum|count)$/, with: "")
      #expect(source.contains("\"\(family)\""), "\(file): \(name)")
    }
    if file.hasSuffix(".json") {
      let json = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
      #expect((json?["panels"] as? [[String: Any]])?.count == 10)
    }
  }
}
