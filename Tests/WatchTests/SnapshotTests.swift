import Control
import Testing

@testable import Watch

/// A server in the middle of its life, with names that nobody should trust.
func exampleSnapshot() -> Snapshot {
  var snapshot = Snapshot()
  (snapshot.version, snapshot.pid, snapshot.phase) = ("0.1.0", 100, "serving")
  (snapshot.started, snapshot.now, snapshot.respawns) = (1_000_000, 1_003_725, 2)
  (snapshot.uid, snapshot.gid, snapshot.directory) = (33, 33, "/srv/my app")
  snapshot.sockets = [
    .init(gateway: "http1", address: "127.0.0.1:8080", queue: 3, queueBound: 1024),
    .init(gateway: "scgi", address: "/run/a b.sock"),
  ]
  snapshot.apps = [
    .init(
      mount: "/", name: "shop \"1\"\n\\", generation: 4, version: "2.1", source: "/srv/100%.so",
      tally: tally(200, 40, 150))
  ]
  snapshot.own = tally(404, 2, 20)
  for place in 1...2 {
    var worker = Snapshot.Worker()
    (worker.place, worker.pid, worker.state) = (place, 100 + place, place == 1 ? "serving" : "starting")
    (worker.generations, worker.underWay, worker.connections) = ([4], place - 1, 5)
    (worker.webSockets, worker.droppedMessages) = (3 * place, 11 * place)
    (worker.handshakes, worker.late) = (7 * place, 5 * place)
    (worker.resident, worker.virtual, worker.started) = (14 << 20, 200 << 20, 1_000_000 + place)
    worker.tally = tally(200, UInt64(20 * place), 150)
    snapshot.workers.append(worker)
  }
  snapshot.zygotes = [.init(pid: 90, state: "ready", generations: [4], resident: 30 << 20)]
  snapshot.serving = [
    .init(worker: 2, milliseconds: 1500, line: "GET /slow\u{1b}[31m", stack: "a.py:1\nb.py:2")
  ]
  (snapshot.omitted, snapshot.omittedStacks) = (3, 1)
  (snapshot.clock, snapshot.busy, snapshot.capacity) = (5_000, 9_500_000, 16)
  (snapshot.isLeaving, snapshot.hasClosed) = (true, false)
  snapshot.change = "swap of / is on trial"
  snapshot.counts = ["exits_crash": 2, "swap_done": 1, "phase_rolling": 2, "phase_rolling_us": 1_500_000]
  snapshot.counts["gate_p99"] = 1
  snapshot.compared = [true, false].map {
    .init(
      mount: "/", isNew: $0, requests: 400, failed: $0 ? 4 : 0, half: 4000, most: 51_000, bytes: -4096,
      descriptors: 2)
  }
  snapshot.crashes = [.init(at: 1_003_000, text: "worker 2 died of signal 11")]
  return snapshot
}

/// So many answers of a status, each of so many microseconds.
func tally(_ status: Int, _ count: UInt64, _ microseconds: UInt64) -> Tally {
  var values = [UInt64](repeating: 0, count: Tally.cells)
  values[Tally.Cell.classes + status / 100 - 1] = count
  values[Tally.Cell.gateways] = count
  values[Tally.Cell.sent] = 10 * count
  values[Tally.Cell.microseconds] = count * microseconds
  values[Tally.Cell.buckets + Latency.bucket(microseconds)] = count
  (values[Tally.Cell.files], values[Tally.Cell.late]) = (count / 2, count / 10)
  return Tally(values)
}

@Suite struct SnapshotTests {
  @Test("all of it comes through its lines")
  func roundTrip() {
    let snapshot = exampleSnapshot()
    let lines = snapshot.records.map(\.line)
    #expect(lines.allSatisfy { $0.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f } }, "\(lines)")
    #expect(Snapshot(lines.map { Record(line: $0) }) == snapshot)
    var closed = snapshot
    (closed.isLeaving, closed.hasClosed) = (false, true)
    #expect(Snapshot(closed.records) == closed && closed != snapshot)
  }

  @Test("requests under way have their share of a snapshot, the eldest first", arguments: [40, 600])
  func bounded(workers: Int) {
    var snapshot = Snapshot()
    for worker in 1...workers {
      for place in 0..<16 {
        snapshot.serving.append(
          .init(
            worker: worker, milliseconds: 1000 * place + worker,
            line: "GET /" + String(repeating: "ü", count: 45),
            stack: place < 12 ? "" : String(repeating: "a b\n", count: 1020)))
      }
    }
    let all = snapshot.serving
    snapshot.shorten()
    let lines = snapshot.records.filter { $0.kind == "serving" }.map(\.line)
    #expect(lines.reduce(0) { $0 + $1.utf8.count + 1 } <= Snapshot.servingBytes)
    #expect(snapshot.serving.count + snapshot.omitted == 16 * workers)
    let stacks = snapshot.serving.filter { !$0.stack.isEmpty }
    #expect(stacks.count + snapshot.omittedStacks == 4 * workers && snapshot.omittedStacks > 0)
    // The eldest of all is there, and nobody younger than one that was left out.
    let eldest = all.max { $0.milliseconds < $1.milliseconds }!
    #expect(snapshot.serving.contains { $0.milliseconds == eldest.milliseconds })
    if workers == 40 {
      #expect(snapshot.omitted == 0 && stacks.contains(eldest))
    } else {
      let youngest = snapshot.serving.map(\.milliseconds).min()!
      #expect(all.count { $0.milliseconds >= youngest } == snapshot.serving.count && snapshot.omitted > 0)
    }
    #expect(Snapshot(snapshot.records) == snapshot)
  }

  @Test("what has room is whole")
  func unbounded() {
    var snapshot = exampleSnapshot()
    snapshot.shorten()
    #expect(snapshot == exampleSnapshot())
    snapshot.shorten(to: 0)
    #expect(snapshot.serving.isEmpty && snapshot.omitted == 4 && snapshot.omittedStacks == 2)
  }

  @Test(
    "a line that nobody wrote is read as far as it goes",
    arguments: [
      "", " ", "worker", "worker place", "worker place=x tally=1,,z", "app mount=%", "x=1", "socket =",
    ])
  func oddLines(line: String) {
    let snapshot = Snapshot([Record(line: line)])
    #expect(snapshot.workers.count + snapshot.apps.count + snapshot.sockets.count <= 1)
  }

  @Test("JSON for people and for programs says the same")
  func json() {
    let json = UWSGIStats.json(exampleSnapshot())
    let bare = json.indented.filter { !$0.isNewline }.replacing("  ", with: "")
    #expect(bare.replacing(": ", with: ":") == json.description)
    #expect(json.description.utf8.allSatisfy { $0 >= 0x20 })
  }

  @Test("uWSGI's statistics have the files of a process, and the requests beyond their time of its seat")
  func filesAndLate() {
    let text = UWSGIStats.json(exampleSnapshot()).description
    for place in 1...2 {
      #expect(text.contains("\"harakiri_count\":\(5 * place),"), "\(text)")
      #expect(text.contains("\"static_requests\":\(10 * place),"), "\(text)")
    }
  }

  @Test("uWSGI's statistics have the lines of logs that were dropped")
  func dropped() {
    var snapshot = exampleSnapshot()
    snapshot.droppedLines = 7
    #expect(UWSGIStats.json(snapshot).description.contains("\"dropped_log_lines\":7"))
  }

  @Test("a page that loads nothing from elsewhere")
  func page() {
    let html = StatusPage.html
    #expect(html.hasPrefix("<!DOCTYPE html>") && !html.contains("http://") && !html.contains("https://"))
    #expect(!html.contains("innerHTML") && !html.contains(" src=") && !html.contains("<link"))
  }
}
