import Control

/// What `server top` shows: lines of text, made from two looks at a server.
public struct TopView {
  /// What the workers are sorted by.
  public enum Order: String, CaseIterable, Sendable {
    case worker, requests, latency, memory, busy
  }

  public var order = Order.worker
  /// Sorted the other way round.
  public var isReversed = false
  /// Shows only lines of workers, applications and requests that contain this; empty for all.
  public var filter = ""

  public init() {}

  /// The lines, the first being the title. None is cut here, but tables leave out what a terminal with this
  /// many columns has no room for: first the middle of long names, then the last columns.
  public func lines(
    _ now: Snapshot, since before: Snapshot?, seconds: Double, columns: Int = .max
  ) -> [String] {
    let interval = Interval(now, since: before, seconds: seconds)
    var lines = head(interval)
    lines += [""] + table(workerHeads, workers(interval), columns)
    lines += [""] + table(appHeads, apps(interval), columns)
    let requests = now.serving.sorted { $0.milliseconds > $1.milliseconds }.map(line).filter(isShown)
    if !requests.isEmpty { lines += ["", "UNDER WAY"] + requests }
    if now.omitted > 0, filter.isEmpty { lines.append("and \(now.omitted) more that are not shown") }
    let crashes = now.crashes.suffix(3).map { "crash: \($0.text)" }
    if !crashes.isEmpty { lines += [""] + crashes }
    return lines.map { Printable.text($0) }
  }

  private func head(_ interval: Interval) -> [String] {
    let (now, gain) = (interval.now, interval.total)
    let failures = gain.map { Double($0.answers(5)) / max(interval.seconds, 0.001) }
    var lines = [
      "nsgi-server \(now.version)  pid \(now.pid)  up \(Figures.span(now.now - now.started))  \(now.phase)  "
        + "\(now.respawns) respawns",
      "\(Figures.rate(interval.rate(gain))) requests/s  p50 \(Figures.time(gain?.percentile(0.5)))  "
        + "p99 \(Figures.time(gain?.percentile(0.99)))  5xx \(Figures.rate(failures))/s  "
        + "under way \(now.workers.reduce(0) { $0 + $1.underWay })  "
        + "waiting \(now.sockets.reduce(0) { $0 + max(0, $1.queue) })",
    ]
    if !now.change.isEmpty { lines.append("change under way: \(now.change)") }
    lines += now.zygotes.map(line)
    if now.droppedLines > 0 { lines.append("log: \(now.droppedLines) lines were dropped") }
    return lines
  }

  // MARK: Tables

  private var workerHeads: [String] {
    ["WORKER", "STATE", "PID", "BUILDS", "REQ/S", "P50", "P99", "BUSY", "CONN", "MEMORY", "UP", "RESPAWNS"]
  }

  private func workers(_ interval: Interval) -> [[String]] {
    sorted(interval).map { worker in
      let gain = interval.gain(of: worker)
      return [
        "\(worker.place)", worker.state, "\(worker.pid)",
        worker.generations.map { "\($0)" }.joined(separator: ","), Figures.rate(interval.rate(gain)),
        Figures.time(gain?.percentile(0.5)), Figures.time(gain?.percentile(0.99)), "\(worker.underWay)",
        "\(worker.connections)", Figures.size(worker.resident),
        Figures.span(interval.now.now - worker.started), "\(worker.respawns)",
      ]
    }
  }

  /// The workers in order, largest first, except when sorted by number.
  private func sorted(_ interval: Interval) -> [Snapshot.Worker] {
    let key: (Snapshot.Worker) -> Double =
      switch order {
      case .worker: { -Double($0.place) }
      case .requests: { interval.rate(interval.gain(of: $0)) ?? 0 }
      case .latency: { interval.gain(of: $0)?.percentile(0.99) ?? 0 }
      case .memory: { Double($0.resident) }
      case .busy: { Double($0.underWay) }
      }
    let list = interval.now.workers.enumerated().sorted {
      let (left, right) = (key($0.element), key($1.element))
      return left == right ? $0.offset < $1.offset : left > right
    }.map(\.element)
    return isReversed ? list.reversed() : list
  }

  private var appHeads: [String] {
    ["MOUNT", "NAME", "BUILD", "REQUESTS", "REQ/S", "P50", "P99", "4XX", "5XX", "SENT"]
  }

  private func apps(_ interval: Interval) -> [[String]] {
    let own = Snapshot.App(mount: "(server)", name: "files and refusals", tally: interval.now.own)
    let rows = interval.now.apps.map { ($0, interval.gain(of: $0)) }
    return (rows + [(own, interval.gain(own.tally, interval.before?.own))]).map { app, gain in
      [
        app.mount, app.name, app.generation == 0 ? "" : "\(app.generation)", "\(app.tally.requests)",
        Figures.rate(interval.rate(gain)), Figures.time(gain?.percentile(0.5)),
        Figures.time(gain?.percentile(0.99)), "\(app.tally.answers(4))", "\(app.tally.answers(5))",
        Figures.size(Int(clamping: app.tally.sent)),
      ]
    }
  }

  /// "zygote ready  pid 12  builds 1,1  14 MiB".
  private func line(_ zygote: Snapshot.Zygote) -> String {
    let builds = zygote.generations.map { "\($0)" }.joined(separator: ",")
    return "zygote \(zygote.state)  pid \(zygote.pid == 0 ? "-" : "\(zygote.pid)")  builds \(builds)  "
      + Figures.size(zygote.resident)
  }

  private func line(_ request: Snapshot.Serving) -> String {
    let time = Figures.time(Double(request.milliseconds) * 1000)
    return "\(Self.padded(time, 8, isRight: true))  worker \(request.worker)  \(request.line)"
  }

  private func isShown(_ line: String) -> Bool {
    filter.isEmpty || line.lowercased().utf8.holds(filter.lowercased().utf8)
  }

  /// Columns as wide as their contents; numbers are aligned to the right.
  private func table(_ heads: [String], _ rows: [[String]], _ columns: Int) -> [String] {
    var rows = rows.filter { isShown($0.joined(separator: " ")) }.map { $0.map(Printable.text) }
    var heads = heads
    func measure() -> [Int] {
      heads.indices.map { column in ([heads] + rows).map { $0[column].count }.max() ?? 0 }
    }
    func width() -> Int { measure().reduce(0, +) + 2 * (heads.count - 1) }
    if width() > columns { rows = rows.map { $0.map(Self.shortened) } }
    while width() > columns, heads.count > 2 {
      heads.removeLast()
      rows = rows.map { Array($0.dropLast()) }
    }
    let (all, widths) = ([heads] + rows, measure())
    let isRight = heads.indices.map { column in
      !rows.isEmpty && rows.allSatisfy { row in row[column].first.map { $0.isNumber || $0 == "-" } ?? true }
    }
    return all.map { row in
      let cells = row.enumerated().map { Self.padded($1, widths[$0], isRight: isRight[$0]) }
      let line = cells.joined(separator: "  ")
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
  }

  /// A long name, reduced to its beginning and its end.
  private static func shortened(_ text: String) -> String {
    let most = 24
    return text.count <= most ? text : "\(text.prefix(most / 2))…\(text.suffix(most / 2 - 1))"
  }

  private static func padded(_ text: String, _ width: Int, isRight: Bool) -> String {
    let blanks = String(repeating: " ", count: max(0, width - text.count))
    return isRight ? blanks + text : text + blanks
  }
}

extension Collection where Element == UInt8 {
  /// Whether these contain the other bytes.
  fileprivate func holds(_ other: some Collection<UInt8>) -> Bool {
    indices.contains { self[$0...].starts(with: other) } || other.isEmpty
  }
}
