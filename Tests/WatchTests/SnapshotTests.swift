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
    (worker.resident, worker.virtual, worker.started) = (14 << 20, 200 << 20, 1_000_000 + place)
    worker.tally = tally(200, UInt64(20 * place), 150)
    snapshot.workers.append(worker)
  }
  snapshot.serving = [
    .init(worker: 2, milliseconds: 1500, line: "GET /slow\u{1b}[31m", stack: "a.py:1\nb.py:2")
  ]
  snapshot.change = "swap of / is on trial"
  snapshot.counts = ["exits_crash": 2, "swap_done": 1, "phase_rolling": 2, "phase_rolling_us": 1_500_000]
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
  return Tally(values)
}

@Suite struct SnapshotTests {
  @Test("all of it comes through its lines")
  func roundTrip() {
    let snapshot = exampleSnapshot()
    let lines = snapshot.records.map(\.line)
    #expect(lines.allSatisfy { $0.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f } }, "\(lines)")
    #expect(Snapshot(lines.map { Record(line: $0) }) == snapshot)
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

  @Test("a page that loads nothing from elsewhere")
  func page() {
    let html = StatusPage.html
    #expect(html.hasPrefix("<!DOCTYPE html>") && !html.contains("http://") && !html.contains("https://"))
    #expect(!html.contains("innerHTML") && !html.contains(" src=") && !html.contains("<link"))
  }
}
