import Control

/// A page for people: one file that requests only the figures, which it draws once a second.
enum StatusPage {
  /// The page (page.html).
  static var html: String { String(decoding: PackageResources.page_html, as: UTF8.self) }

  /// The data that the page draws. Times are microseconds, `at` and `now` seconds of the calendar.
  static func json(_ snapshot: Snapshot) -> JSON {
    let facts: [(String, JSON)] = [
      ("version", .string(snapshot.version)), ("pid", .int(snapshot.pid)), ("phase", .string(snapshot.phase)),
      ("now", .int(snapshot.now)), ("started", .int(snapshot.started)),
      ("respawns", .int(snapshot.respawns)), ("droppedLines", .int(snapshot.droppedLines)),
      ("change", .string(snapshot.change)), ("bounds", numbers(Latency.bounds)),
      ("omitted", .int(snapshot.omitted)), ("omittedStacks", .int(snapshot.omittedStacks)),
    ]
    return .object(
      facts + [
        ("total", tally(snapshot.total)), ("own", tally(snapshot.own)),
        ("sockets", .array(snapshot.sockets.map(socket))), ("apps", .array(snapshot.apps.map(app))),
        ("workers", .array(snapshot.workers.map(worker))),
        (
          "serving",
          .array(snapshot.serving.sorted { $0.milliseconds > $1.milliseconds }.prefix(20).map(serving))
        ),
        ("crashes", happenings(snapshot.crashes)), ("changes", happenings(snapshot.changes)),
      ])
  }

  private static func numbers(_ values: some Sequence<UInt64>) -> JSON {
    .array(values.map { .int(Int(clamping: $0)) })
  }

  private static func tally(_ tally: Tally) -> JSON {
    .object([
      ("requests", .int(Int(clamping: tally.requests))),
      ("classes", numbers((1...5).map { tally.answers($0) })),
      ("received", .int(Int(clamping: tally.received))), ("sent", .int(Int(clamping: tally.sent))),
      ("microseconds", .int(Int(clamping: tally.microseconds))), ("buckets", numbers(tally.buckets)),
    ])
  }

  private static func socket(_ socket: Snapshot.Socket) -> JSON {
    .object([
      ("protocol", .string(socket.gateway == "http1" ? "http" : socket.gateway)),
      ("address", .string(socket.address)), ("queue", .int(socket.queue)), ("bound", .int(socket.queueBound)),
    ])
  }

  private static func app(_ app: Snapshot.App) -> JSON {
    .object([
      ("mount", .string(app.mount)), ("name", .string(app.name)), ("generation", .int(app.generation)),
      ("version", .string(app.version)), ("source", .string(app.source)), ("tally", tally(app.tally)),
    ])
  }

  private static func worker(_ worker: Snapshot.Worker) -> JSON {
    .object([
      ("place", .int(worker.place)), ("pid", .int(worker.pid)), ("state", .string(worker.state)),
      ("generations", numbers(worker.generations)), ("underWay", .int(worker.underWay)),
      ("connections", .int(worker.connections)), ("resident", .int(worker.resident)),
      ("started", .int(worker.started)), ("respawns", .int(worker.respawns)), ("tally", tally(worker.tally)),
    ])
  }

  private static func serving(_ request: Snapshot.Serving) -> JSON {
    .object([
      ("worker", .int(request.worker)), ("milliseconds", .int(request.milliseconds)),
      ("line", .string(request.line)), ("stack", .string(request.stack)),
    ])
  }

  private static func happenings(_ list: [Snapshot.Happening]) -> JSON {
    .array(list.reversed().map { .object([("at", .int($0.at)), ("text", .string($0.text))]) })
  }
}
