import Config
import Control
import Posix

/// Everything that is known about the server, for those who display it.
extension Master {
  /// The current state.
  func snapshot() -> Snapshot {
    let list = workers.values.sorted { ($0.seat, $0.id) < ($1.seat, $1.id) }
    // One copy of each page serves everything that is read from it.
    let seen = list.map { (worker: $0, board: $0.board) }
    var result = Snapshot()
    (result.version, result.pid) = ("\(Program.version)", Int(System.ownPID))
    (result.isLeaving, result.hasClosed) = (releases.isLeaving, releases.hasClosed && !hasHandedOver)
    (result.phase, result.change) = (releases.state.word, releases.changeText ?? "")
    result.now = Int(System.seconds())
    result.started = result.now - Int((System.now() &- began) / 1_000_000_000)
    result.respawns = respawns
    result.droppedLines = seen.reduce(droppedLines) { $0 + $1.board[.droppedLines].count }
    result.certificateEnd = seen.map { $0.board[.certificateEnd].count }.filter { $0 > 0 }.min() ?? 0
    (result.uid, result.gid, result.directory) = System.surroundings
    result.sockets = sockets.map {
      let queue = System.listenQueue($0.descriptor)
      return .init(
        gateway: $0.gateway.rawValue, address: $0.address, queue: queue?.waiting ?? -1,
        queueBound: queue?.bound ?? -1)
    }
    result.apps = apps(seen)
    result.own = statistics.own(and: seen.map(\.board))
    for (worker, board) in seen { add(worker, board, to: &result) }
    result.shorten()
    addLoad(seen, to: &result)
    result.zygotes = zygoteList.map { zygote in
      .init(
        pid: Int(zygote.child?.pid ?? 0), state: zygote.state.word,
        generations: zygote.release.builds.map { UInt64($0.generation) },
        resident: zygote.child.map { System.memory(of: $0.pid).resident } ?? 0)
    }
    result.counts = statistics.counts
    result.crashes = crashes.map { .init(at: Int($0.at), text: $0.sentence) }
    result.changes = statistics.changes
    result.compared = releases.comparison?.compared ?? []
    return result
  }

  private func apps(_ seen: [(worker: WorkerHandle, board: Scoreboard)]) -> [Snapshot.App] {
    (releases.current?.builds ?? []).map { build in
      let boards = seen.compactMap { worker, board in
        worker.release.builds.firstIndex { $0.mount == build.mount }.map { (board: board, place: $0) }
      }
      return Snapshot.App(
        mount: build.mount.isEmpty ? "/" : build.mount, name: build.name, generation: build.generation,
        version: build.version, source: build.source, tally: statistics.tally(build.mount, and: boards))
    }
  }

  /// Adds what the workers are doing, and could do.
  private func addLoad(_ seen: [(worker: WorkerHandle, board: Scoreboard)], to result: inout Snapshot) {
    let now = System.now()
    let ages = seen.lazy.flatMap(\.board.entries).map { now > $0.began ? (now - $0.began) / 1000 : 0 }
    result.clock = Int(now / 1_000_000)
    result.busy = Int(clamping: result.total.microseconds &+ ages.reduce(0, &+))
    let serving = seen.lazy.map(\.worker).filter { self.phase(of: $0) == .serving }
    result.capacity = serving.reduce(0) { $0 &+ self.capacity(of: $1.release) }
  }

  /// The most calls that a worker makes at once, as its builds have reported when loaded. An event loop has
  /// no such bound: it counts with as many as it would have threads.
  private func capacity(of release: Release) -> Int {
    let calls = release.builds.map { releases.build($0.mount, $0.generation)?.calls ?? $0.calls }
    return calls.map { $0 > 0 ? $0 : release.settings.limits.threads }.max() ?? 1
  }

  private func add(_ worker: WorkerHandle, _ board: Scoreboard, to result: inout Snapshot) {
    let (now, entries) = (System.now(), board.entries)
    var entry = Snapshot.Worker()
    (entry.place, entry.pid, entry.state) = (worker.seat + 1, Int(worker.pid), state(of: worker))
    entry.generations = generations(of: worker).map { UInt64($0) }
    (entry.underWay, entry.connections) = (entries.count, board[.connections].count)
    (entry.webSockets, entry.droppedMessages) = (board[.webSockets].count, board[.droppedMessages].count)
    entry.handshakes = board[.handshakes].count
    (entry.virtual, entry.resident) = System.memory(of: worker.pid)
    entry.started = result.now - Int((now &- worker.began) / 1_000_000_000)
    entry.respawns = statistics.respawns(worker.seat)
    for place in 0...Scoreboard.own { entry.tally += board.tally(place) }
    entry.late = Int(clamping: statistics.late(worker.seat) &+ entry.tally.late)
    result.workers.append(entry)
    result.omitted += max(0, entries.count - Master.shownRequests)
    for request in entries.prefix(Master.shownRequests) {
      let nanoseconds = now > request.began ? now - request.began : 0
      result.serving.append(
        Snapshot.Serving(
          worker: entry.place, milliseconds: Int(nanoseconds / 1_000_000), line: request.line,
          stack: board.stack(of: request) ?? ""))
    }
  }

  /// Running requests that are shown for each worker, oldest first.
  private static let shownRequests = 16
}

extension Master {
  /// A snapshot as an answer: one record per line, or the same as JSON.
  func records(_ snapshot: Snapshot) -> Reply {
    let records = snapshot.records
    let json = records.map { record in
      JSON.object([("kind", .string(record.kind))] + record.fields.map { ($0.name, .string($0.value)) })
    }
    return .answer(lines: records.map(\.line), .array(json))
  }
}
