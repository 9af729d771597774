// The programs that people watch servers with, against a server: Prometheus with the dashboard's queries and
// the alert rules, promtool, and what uwsgi_exporter reads.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct PrometheusTests {
    /// A Prometheus that scrapes a server twice a second.
    private struct Scraper {
      let process: ChildProcess
      let address: Address
      private let folder: TemporaryFolder

      init(of metrics: Address) throws {
        folder = try TemporaryFolder()
        let rules = "\(Repository.root)/docs/deploy/grafana/alerts.yml"
        try folder.write(
          """
          global: {scrape_interval: 500ms, evaluation_interval: 500ms}
          rule_files: ['\(rules)']
          scrape_configs: [{job_name: nsgi, static_configs: [{targets: ['\(metrics)']}]}]

          """, to: "prometheus.yml")
        process = try ChildProcess(
          "/usr/bin/prometheus",
          [
            "--config.file=\(folder.file("prometheus.yml"))", "--storage.tsdb.path=\(folder.file("data"))",
            "--web.listen-address=127.0.0.1:0",
          ])
        address = try process.waitForOutput("its address") { output in
          let line = output.split(separator: "\n").first { $0.contains("http2=false address=") }
          return line?.components(separatedBy: "address=").last.flatMap { Address($0) }
        }
        _ = try process.waitForOutput("its readiness") {
          $0.contains("Server is ready to receive web requests") ? true : nil
        }
      }

      /// An answer of its API.
      func ask(_ path: String) throws -> [String: Any] {
        let reply = try RawSocket(address).ask("/api/v1/\(path)")
        let json = try JSONSerialization.jsonObject(with: Data(reply.body)) as? [String: Any]
        guard json?["status"] as? String == "success", let data = json?["data"] as? [String: Any] else {
          throw SupportError.malformedReply("\(path): \(reply.text)")
        }
        return data
      }

      /// The series of an expression.
      func query(_ expression: String) throws -> [[String: Any]] {
        let text = try #require(
          expression.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
        return try ask("query?query=\(text)")["result"] as? [[String: Any]] ?? []
      }
    }

    private static func expressions() throws -> [String] {
      let text = try Repository.text("docs/deploy/grafana/dashboard.json")
      let json = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
      let panels = json?["panels"] as? [[String: Any]] ?? []
      return panels.flatMap { $0["targets"] as? [[String: Any]] ?? [] }.compactMap { $0["expr"] as? String }
    }

    @Test("Prometheus scrapes a server, and every query of the dashboard and every alert has an answer")
    func prometheus() throws {
      let server = try SupervisedServer(Fixture.good, ["--metrics", "127.0.0.1:0", "--watch-host", "a"])
      let scraper = try Scraper(of: server.watchAddress("metrics"))
      // A rate needs two scrapes with something between them.
      _ = try Deadline.usual.wait(for: "two scrapes of a busy server") {
        _ = try server.get()
        let rate = try scraper.query("sum(rate(nsgi_requests_total{code=\"2xx\"}[10s])) > 0")
        return rate.isEmpty ? nil : true
      }
      let expressions = try Self.expressions()
      #expect(expressions.count > 15)
      for expression in expressions {
        let series = try scraper.query(expression.replacing("$__rate_interval", with: "10s"))
        #expect(!series.isEmpty, "\(expression)")
      }
      let groups = try scraper.ask("rules")["groups"] as? [[String: Any]] ?? []
      let rules = groups.flatMap { $0["rules"] as? [[String: Any]] ?? [] }
      #expect(rules.count >= 7)
      for rule in rules {
        #expect((rule["lastError"] as? String ?? "").isEmpty, "\(rule)")
        #expect(rule["state"] as? String == "inactive", "\(rule)")
      }
      let targets = try scraper.ask("targets")["activeTargets"] as? [[String: Any]]
      #expect(targets?.first?["health"] as? String == "up")
      #expect(try scraper.process.stop() == .status(0))
      #expect(try server.stop() == .status(0))
    }

    @Test("promtool finds nothing to say about metrics and rules")
    func promtool() throws {
      let server = try SupervisedServer(Fixture.good, ["--metrics", "127.0.0.1:0", "--watch-host", "a"])
      _ = try server.get()
      let folder = try TemporaryFolder()
      try folder.write(try RawSocket(server.watchAddress("metrics")).ask("/metrics").text, to: "metrics")
      let metrics = try ChildProcess.run(
        "/bin/sh", ["-c", "exec promtool check metrics <'\(folder.file("metrics"))'"])
      #expect(metrics.exit == .status(0) && metrics.output.isEmpty, "\(metrics.output)")
      let rules = try ChildProcess.run(
        "/usr/bin/promtool", ["check", "rules", "\(Repository.root)/docs/deploy/grafana/alerts.yml"])
      #expect(rules.exit == .status(0), "\(rules.output)")
      #expect(try server.stop() == .status(0))
    }

    /// What uwsgi_exporter decodes, by the types that it has for it: any other is an error there.
    private static let schema: [String: [String: Kind]] = [
      "": [
        "version": .text, "listen_queue": .number, "listen_queue_errors": .number, "signal_queue": .number,
        "load": .number, "pid": .number, "uid": .number, "gid": .number, "cwd": .text, "sockets": .list,
        "workers": .list,
      ],
      "sockets": [
        "name": .text, "proto": .text, "queue": .number, "max_queue": .number, "shared": .number,
        "can_offload": .number,
      ],
      "workers": [
        "id": .number, "pid": .number, "accepting": .number, "requests": .number, "delta_requests": .number,
        "exceptions": .number, "harakiri_count": .number, "signals": .number, "signal_queue": .number,
        "status": .text, "rss": .number, "vsz": .number, "running_time": .number, "last_spawn": .number,
        "respawn_count": .number, "tx": .number, "avg_rt": .number, "apps": .list, "cores": .list,
      ],
      "apps": [
        "id": .number, "modifier1": .number, "mountpoint": .text, "startup_time": .number,
        "requests": .number,
        "exceptions": .number, "chdir": .text,
      ],
      "cores": [
        "id": .number, "requests": .number, "static_requests": .number, "routed_requests": .number,
        "offloaded_requests": .number, "write_errors": .number, "read_errors": .number, "in_request": .number,
        "vars": .list,
      ],
    ]

    private enum Kind { case text, number, list }

    private func hold(_ object: [String: Any], _ name: String) {
      for (key, kind) in Self.schema[name] ?? [:] {
        let value = object[key]
        switch kind {
        case .text: #expect(value is String, "\(name) \(key)")
        case .number:
          #expect(
            (value as? NSNumber).map { $0.doubleValue == $0.doubleValue.rounded() } == true,
            "\(name) \(key)")
        case .list:
          #expect(value is [Any], "\(name) \(key)")
          for item in value as? [[String: Any]] ?? [] { hold(item, key) }
        }
      }
    }

    @Test("statistics have the fields and types that uwsgi_exporter decodes")
    func exporter() throws {
      let server = try SupervisedServer(
        Fixture.good, gateways: ["http", "uwsgi"],
        ["--stats", "127.0.0.1:0", "--stats-http", "--watch-host", "a"])
      _ = try server.get()
      let body = try RawSocket(server.watchAddress("stats")).ask("/").body
      let json = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
      hold(json, "")
      #expect((json["sockets"] as? [Any])?.count == 2 && (json["workers"] as? [Any])?.count == 2)
      #expect(try server.stop() == .status(0))
    }
  }
}
