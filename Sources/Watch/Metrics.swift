import Control

/// The figures in Prometheus's text format, version 0.0.4. Counters survive the ends of workers and swaps;
/// they begin again with a restart.
struct Metrics {
  private var text = ""

  static let type = "text/plain; version=0.0.4; charset=utf-8"

  /// All families of a server.
  static func text(_ snapshot: Snapshot) -> String {
    var metrics = Metrics()
    metrics.addServer(snapshot)
    metrics.addAnswers(snapshot)
    metrics.addTimes(snapshot)
    metrics.addWorkers(snapshot)
    metrics.addEvents(snapshot)
    return metrics.text
  }

  private mutating func addServer(_ snapshot: Snapshot) {
    family("nsgi_build_info", "gauge", "The server's version.")
    add("nsgi_build_info", [("version", snapshot.version)], 1)
    family("nsgi_start_time_seconds", "gauge", "When the server started, in seconds of the calendar.")
    add("nsgi_start_time_seconds", [], UInt64(max(0, snapshot.started)))
    family("nsgi_listen_queue", "gauge", "Connections that wait to be accepted.")
    for socket in snapshot.sockets where socket.queue >= 0 {
      add("nsgi_listen_queue", [("socket", socket.address)], UInt64(socket.queue))
    }
    family("nsgi_log_lines_dropped_total", "counter", "Lines of logs that nobody took in time.")
    add("nsgi_log_lines_dropped_total", [], UInt64(max(0, snapshot.droppedLines)))
    if snapshot.certificateEnd > 0 {
      family(
        "nsgi_tls_certificate_expiry_seconds", "gauge",
        "When the first of the certificates that are presented ends, in seconds of the calendar.")
      add("nsgi_tls_certificate_expiry_seconds", [], UInt64(max(0, snapshot.certificateEnd)))
    }
    family("nsgi_app_generation", "gauge", "The build of an application that serves, counted from 1.")
    for app in snapshot.apps {
      add("nsgi_app_generation", [("app", app.mount), ("name", app.name)], UInt64(max(0, app.generation)))
    }
  }

  /// The applications' tallies by mount; those of the server itself have the label "".
  private func tallies(_ snapshot: Snapshot) -> [(app: String, tally: Tally)] {
    snapshot.apps.map { ($0.mount, $0.tally) } + [("", snapshot.own)]
  }

  private mutating func addAnswers(_ snapshot: Snapshot) {
    let all = tallies(snapshot)
    family("nsgi_requests_total", "counter", "Requests answered, by application and class of status.")
    for (app, tally) in all {
      for digit in 1...5 {
        add("nsgi_requests_total", [("app", app), ("code", "\(digit)xx")], tally.answers(digit))
      }
    }
    family("nsgi_protocol_requests_total", "counter", "Requests answered, by application and protocol.")
    for (app, tally) in all {
      for (place, name) in Tally.gateways.enumerated() {
        add("nsgi_protocol_requests_total", [("app", app), ("protocol", name)], tally.spoken(place))
      }
    }
    family("nsgi_static_requests_total", "counter", "Requests answered with files.")
    add("nsgi_static_requests_total", [], snapshot.own.files)
    family("nsgi_late_requests_total", "counter", "Requests whose time (--harakiri) was over.")
    for app in snapshot.apps { add("nsgi_late_requests_total", [("app", app.mount)], app.tally.late) }
    family("nsgi_received_bytes_total", "counter", "Bytes of request bodies.")
    for (app, tally) in all { add("nsgi_received_bytes_total", [("app", app)], tally.received) }
    family("nsgi_sent_bytes_total", "counter", "Bytes of response bodies.")
    for (app, tally) in all { add("nsgi_sent_bytes_total", [("app", app)], tally.sent) }
  }

  private mutating func addTimes(_ snapshot: Snapshot) {
    let name = "nsgi_request_duration_seconds"
    family(name, "histogram", "Time from a request's head to its whole answer.")
    for (app, tally) in tallies(snapshot) {
      var below: UInt64 = 0
      for (bound, count) in zip(Latency.bounds, tally.buckets) {
        below &+= count
        add("\(name)_bucket", [("app", app), ("le", Metrics.seconds(bound))], below)
      }
      let count = tally.buckets.reduce(0, &+)
      add("\(name)_bucket", [("app", app), ("le", "+Inf")], count)
      line("\(name)_sum", [("app", app)], Metrics.seconds(tally.microseconds))
      add("\(name)_count", [("app", app)], count)
    }
  }

  private mutating func addWorkers(_ snapshot: Snapshot) {
    family("nsgi_workers", "gauge", "Worker processes by state.")
    for state in ["starting", "serving", "retiring"] {
      let count = snapshot.workers.count { $0.state == state }
      add("nsgi_workers", [("state", state)], UInt64(count))
    }
    let gauges: [(String, String, (Snapshot.Worker) -> Int)] = [
      ("nsgi_worker_requests_in_progress", "Requests under way.", { $0.underWay }),
      ("nsgi_worker_connections", "Open connections.", { $0.connections }),
      ("nsgi_worker_websockets", "Open WebSockets.", { $0.webSockets }),
      ("nsgi_worker_resident_bytes", "Resident memory.", { $0.resident }),
      ("nsgi_worker_start_time_seconds", "When it was started, in seconds of the calendar.", { $0.started }),
    ]
    for (name, help, value) in gauges { add(name, "gauge", help, snapshot.workers, value) }
    add(
      "nsgi_worker_dropped_messages_total", "counter",
      "Messages of topics that another worker took too slowly.", snapshot.workers
    ) { $0.droppedMessages }
    add(
      "nsgi_worker_tls_handshakes_beside_total", "counter",
      "TLS handshakes of which a step was taken beside the loop.", snapshot.workers
    ) { $0.handshakes }
    addZygotes(snapshot)
  }

  /// A family with a number of each worker process.
  private mutating func add(
    _ name: String, _ type: String, _ help: String, _ workers: [Snapshot.Worker],
    _ value: (Snapshot.Worker) -> Int
  ) {
    family(name, type, help)
    for worker in workers {
      let labels = [("worker", "\(worker.place)"), ("pid", "\(worker.pid)")]
      add(name, labels, UInt64(max(0, value(worker))))
    }
  }

  /// Processes that fork workers; no family without `--preload`.
  private mutating func addZygotes(_ snapshot: Snapshot) {
    guard !snapshot.zygotes.isEmpty else { return }
    family("nsgi_zygotes", "gauge", "Processes that have loaded the applications and fork workers.")
    for state in Set(snapshot.zygotes.map(\.state)).sorted() {
      add("nsgi_zygotes", [("state", state)], UInt64(snapshot.zygotes.count { $0.state == state }))
    }
    family("nsgi_zygote_resident_bytes", "gauge", "Resident memory, most of which workers share.")
    for zygote in snapshot.zygotes where zygote.pid > 0 {
      add("nsgi_zygote_resident_bytes", [("pid", "\(zygote.pid)")], UInt64(max(0, zygote.resident)))
    }
  }

  private mutating func addEvents(_ snapshot: Snapshot) {
    let causes = [
      ("left", "told to leave"), ("start", "could not start"), ("crash", "crashed"), ("stuck", "hung"),
    ]
    family("nsgi_worker_exits_total", "counter", "Ends of worker processes by cause.")
    for (cause, _) in causes {
      add("nsgi_worker_exits_total", [("cause", cause)], UInt64(snapshot.counts["exits_\(cause)"] ?? 0))
    }
    family("nsgi_changes_total", "counter", "Changes by kind and how they ended.")
    for change in ["swap", "reload", "rollback", "upgrade"] {
      for end in ["done", "unchanged", "refused"] {
        let count = UInt64(snapshot.counts["\(change)_\(end)"] ?? 0)
        add("nsgi_changes_total", [("change", change), ("outcome", end)], count)
      }
    }
    let name = "nsgi_change_phase_seconds"
    family(name, "summary", "How long the phases of changes took.")
    for phase in ["staging", "replaying", "rolling", "in_place", "handing_over"] {
      let microseconds = UInt64(max(0, snapshot.counts["phase_\(phase)_us"] ?? 0))
      line("\(name)_sum", [("phase", phase)], Metrics.seconds(microseconds))
      add("\(name)_count", [("phase", phase)], UInt64(max(0, snapshot.counts["phase_\(phase)"] ?? 0)))
    }
    family("nsgi_builds_taken_back_total", "counter", "Builds that were taken back on trial.")
    add("nsgi_builds_taken_back_total", [], UInt64(snapshot.counts["taken_back"] ?? 0))
    addComparison(snapshot)
  }

  /// New builds compared with the previous ones (`--swap-gate`); nothing without a gate.
  private mutating func addComparison(_ snapshot: Snapshot) {
    family("nsgi_swap_gate_refusals_total", "counter", "Builds that were refused or taken back by a gate.")
    for figure in ["errors", "p50", "p99", "rss", "fds"] {
      add(
        "nsgi_swap_gate_refusals_total", [("figure", figure)], UInt64(snapshot.counts["gate_\(figure)"] ?? 0))
    }
    guard !snapshot.compared.isEmpty else { return }
    func labels(_ one: Snapshot.Compared) -> [(String, String)] {
      [("app", one.mount), ("build", one.isNew ? "new" : "before")]
    }
    let gauges: [(String, String, (Snapshot.Compared) -> Int)] = [
      ("nsgi_swap_compared_requests", "Requests of both builds in the same time.", { $0.requests }),
      ("nsgi_swap_compared_errors", "Of these, answers with 5xx.", { $0.failed }),
      ("nsgi_swap_compared_growth_bytes", "Memory that a worker gained with 1000 requests.", { $0.bytes }),
      ("nsgi_swap_compared_growth_fds", "Descriptors that it gained with 1000 requests.", { $0.descriptors }),
    ]
    for (name, help, value) in gauges {
      family(name, "gauge", help)
      for one in snapshot.compared { line(name, labels(one), "\(value(one))") }
    }
    let name = "nsgi_swap_compared_duration_seconds"
    family(name, "gauge", "Time that this share of the requests stayed below.")
    for one in snapshot.compared {
      for (share, microseconds) in [("0.5", one.half), ("0.99", one.most)] {
        line(name, labels(one) + [("share", share)], Metrics.seconds(UInt64(max(0, microseconds))))
      }
    }
  }

  // MARK: Lines

  private mutating func family(_ name: String, _ type: String, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  private mutating func add(_ name: String, _ labels: [(String, String)], _ value: UInt64) {
    line(name, labels, "\(value)")
  }

  private mutating func line(_ name: String, _ labels: [(String, String)], _ value: String) {
    let list = labels.map { "\($0.0)=\"\(Metrics.escaped($0.1))\"" }.joined(separator: ",")
    text += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(list)} \(value)\n"
  }

  private static func escaped(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
      switch scalar {
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      case "\n": result += "\\n"
      default: result.unicodeScalars.append(scalar)
      }
    }
  }

  /// Microseconds as seconds, without rounding.
  static func seconds(_ microseconds: UInt64) -> String {
    let rest = String(microseconds % 1_000_000)
    let digits = String(repeating: "0", count: 6 - rest.count) + rest
    let short = digits.reversed().drop { $0 == "0" }.reversed()
    return short.isEmpty ? "\(microseconds / 1_000_000)" : "\(microseconds / 1_000_000).\(String(short))"
  }
}
