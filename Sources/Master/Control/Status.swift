import Control
import Posix

/// What `server ctl status` and `generations` show.
extension Master {
  /// Everything at a glance.
  func status() -> Reply {
    let list = workers.values.sorted { ($0.seat, $0.id) < ($1.seat, $1.id) }
    var lines = [
      "master pid \(System.ownPID), up \((System.now() &- began) / 1_000_000_000) s, \(respawns) respawns"
    ]
    let dropped = list.reduce(droppedLines) { $0 + $1.board[.droppedLines].count }
    if dropped > 0 { lines.append("log: \(dropped) lines were dropped, since nobody took them in time") }
    lines += sockets.map { "socket \($0.gateway.rawValue) \($0.address)" }
    for build in releases.current?.builds ?? [] {
      lines.append("app \(build.mount.isEmpty ? "/" : build.mount) \(build.title) \(build.source)")
    }
    if let text = releases.cheaperText { lines.append(text) }
    lines += zygoteList.map { "\($0.title) \($0.state.word)" }
    lines += list.flatMap(workerLines)
    if let word = releases.changeText { lines.append(word) }
    if let lastOutcome = releases.lastOutcome { lines.append("last change: \(lastOutcome)") }
    lines += crashes.suffix(5).map { "crash: \($0.sentence)" }
    let json = JSON.object([
      ("pid", .int(Int(System.ownPID))), ("phase", .string(releases.state.word)),
      ("uptime", .int(Int((System.now() &- began) / 1_000_000_000))), ("respawns", .int(respawns)),
      ("droppedLogLines", .int(dropped)), ("demand", releases.cheaperText.map { .string($0) } ?? .null),
      (
        "sockets",
        .array(
          sockets.map {
            .object([("protocol", .string($0.gateway.rawValue)), ("address", .string($0.address))])
          })
      ),
      ("apps", .array((releases.current?.builds ?? []).map(buildJSON))),
      ("zygotes", .array(zygoteList.map(zygoteJSON))), ("workers", .array(list.map(workerJSON))),
      ("change", releases.changeText.map { .string($0) } ?? .null),
      ("last", releases.lastOutcome.map { .string($0) } ?? .null),
      (
        "crashes",
        .array(crashes.map { .object([("at", .int(Int($0.at))), ("text", .string($0.sentence))]) })
      ),
    ])
    return .answer(lines: lines, json)
  }

  /// The builds of one application, or of all, oldest first.
  func generations(_ mount: String?) -> Reply {
    let mounts = mount.map { [$0] } ?? (releases.current?.builds.map(\.mount) ?? [])
    let builds = mounts.flatMap { releases.history.builds[$0] ?? [] }
    let lines = builds.map { build in
      var line =
        "\(build.mount.isEmpty ? "/" : build.mount) generation \(build.generation) \(build.status.word)"
      line += " \(build.name)\(build.version.isEmpty ? "" : " \(build.version)")"
      if !build.buildID.isEmpty { line += " build \(build.buildID.prefix(12))" }
      if case .withdrawn(let reason) = build.status { line += " (\(reason))" }
      return line
    }
    return .answer(lines: lines, .array(builds.map(buildJSON)))
  }

  /// How the last changes went, oldest first: those of one application, or all.
  func history(_ mount: String?) -> Reply {
    let records = releases.journal.records.filter { record in
      mount == nil || record.moves.contains { $0.mount == mount }
    }
    let stamped = records.map { ($0, LogLine.stamp($0.at)) }
    return .answer(lines: stamped.flatMap { $0.lines($1) }, .array(stamped.map { $0.json($1) }))
  }

  /// What came of the last replay of one application, or of each.
  func differences(_ mount: String?) -> Reply {
    let reports = releases.replays.values.filter { mount == nil || $0.mount == mount }
      .sorted { $0.mount < $1.mount }
    let stamped = reports.map { ($0, LogLine.stamp($0.at)) }
    let lines = stamped.flatMap { $0.lines($1) }
    return .answer(
      lines: lines.isEmpty ? ["nothing was replayed yet; see --swap-replay"] : lines,
      .array(stamped.map { $0.json($1) }))
  }

  /// The generations that a worker says it runs; until it has said so, those that it was started with.
  func generations(of worker: WorkerHandle) -> [Int] {
    releases.workers[worker.id]?.running?.generations ?? worker.release.builds.map(\.generation)
  }

  func state(of worker: WorkerHandle) -> String { phase(of: worker)?.word ?? "ended" }

  private func workerLines(_ worker: WorkerHandle) -> [String] {
    let generations = generations(of: worker).map { "\($0)" }.joined(separator: ",")
    let board = worker.board
    var lines = [
      "\(worker.title) \(state(of: worker)), generation \(generations), "
        + "\(board[.requests].count) requests, \(board[.connections].count) connections"
        + (board[.webSockets].count > 0 ? ", \(board[.webSockets].count) WebSockets" : "")
        + (board[.droppedMessages].count > 0 ? ", \(board[.droppedMessages].count) messages dropped" : "")
    ]
    for entry in board.entries.prefix(3) {
      lines.append("  \(milliseconds(of: entry)) ms: \(entry.line)")
      lines += (board.stack(of: entry) ?? "").split(separator: "\n").map { "    \($0)" }
    }
    return lines
  }

  /// How long a request has taken so far.
  private func milliseconds(of entry: Scoreboard.Entry) -> Int {
    let now = System.now()
    return now > entry.began ? Int((now - entry.began) / 1_000_000) : 0
  }

  /// The existing ones, oldest first.
  var zygoteList: [Zygote] { zygotes.values.sorted { $0.number < $1.number } }

  private func zygoteJSON(_ zygote: Zygote) -> JSON {
    .object([
      ("pid", zygote.child.map { .int(Int($0.pid)) } ?? .null), ("state", .string(zygote.state.word)),
      ("generations", .array(zygote.release.builds.map { .int($0.generation) })),
    ])
  }

  private func workerJSON(_ worker: WorkerHandle) -> JSON {
    let board = worker.board
    return .object([
      ("place", .int(worker.seat + 1)), ("pid", .int(Int(worker.pid))),
      ("state", .string(state(of: worker))),
      ("generations", .array(generations(of: worker).map { .int($0) })),
      ("requests", .int(board[.requests].count)),
      ("connections", .int(board[.connections].count)),
      ("webSockets", .int(board[.webSockets].count)),
      ("droppedMessages", .int(board[.droppedMessages].count)),
      ("handshakesBeside", .int(board[.handshakes].count)),
      (
        "serving",
        .array(
          board.entries.prefix(16).map {
            .object([
              ("milliseconds", .int(milliseconds(of: $0))), ("request", .string($0.line)),
              ("stack", board.stack(of: $0).map { .string($0) } ?? .null),
            ])
          })
      ),
    ])
  }

  private func buildJSON(_ build: Build) -> JSON {
    var members: [(String, JSON)] = [
      ("mount", .string(build.mount.isEmpty ? "/" : build.mount)), ("name", .string(build.name)),
      ("generation", .int(build.generation)), ("status", .string(build.status.word)),
      ("version", .string(build.version)), ("build", .string(build.buildID)),
      ("source", .string(build.source)),
      ("staged", .int(Int(build.staged))), ("unloadable", .bool(build.isUnloadable)),
    ]
    if case .withdrawn(let reason) = build.status { members.append(("reason", .string(reason))) }
    return .object(members)
  }
}
