import Control

/// The figures in the shape of uWSGI's statistics server, for uwsgitop, uwsgi_exporter and their like.
/// Figures that this server does not count are 0; no variable of a request is shown.
enum UWSGIStats {
  static func json(_ snapshot: Snapshot) -> JSON {
    .object([
      ("version", .string("nsgi-server \(snapshot.version)")),
      ("listen_queue", .int(snapshot.sockets.reduce(0) { $0 + max(0, $1.queue) })),
      ("listen_queue_errors", .int(0)), ("signal_queue", .int(0)),
      ("dropped_log_lines", .int(snapshot.droppedLines)),
      ("load", .int(snapshot.workers.reduce(0) { $0 + $1.underWay })), ("pid", .int(snapshot.pid)),
      ("uid", .int(snapshot.uid)),
      ("gid", .int(snapshot.gid)), ("cwd", .string(snapshot.directory)), ("locks", .array([])),
      ("sockets", .array(snapshot.sockets.map(socket))),
      ("workers", .array(snapshot.workers.map { worker($0, snapshot) })),
    ])
  }

  private static func socket(_ socket: Snapshot.Socket) -> JSON {
    .object([
      ("name", .string(socket.address)),
      ("proto", .string(socket.gateway == "http1" ? "http" : socket.gateway)),
      ("queue", .int(max(0, socket.queue))), ("max_queue", .int(max(0, socket.queueBound))),
      ("shared", .int(0)), ("can_offload", .int(0)),
    ])
  }

  private static func worker(_ worker: Snapshot.Worker, _ snapshot: Snapshot) -> JSON {
    let tally = worker.tally
    let requests = Int(clamping: tally.requests)
    let status = worker.state == "serving" ? (worker.underWay > 0 ? "busy" : "idle") : "cheap"
    return .object([
      ("id", .int(worker.place)), ("pid", .int(worker.pid)),
      ("accepting", .int(worker.state == "serving" ? 1 : 0)), ("requests", .int(requests)),
      ("delta_requests", .int(requests)), ("exceptions", .int(Int(clamping: tally.answers(5)))),
      ("harakiri_count", .int(worker.late)), ("signals", .int(0)), ("signal_queue", .int(0)),
      ("status", .string(status)), ("rss", .int(worker.resident)), ("vsz", .int(worker.virtual)),
      ("running_time", .int(Int(clamping: tally.microseconds))), ("last_spawn", .int(worker.started)),
      ("respawn_count", .int(worker.respawns + 1)), ("tx", .int(Int(clamping: tally.sent))),
      ("avg_rt", .int(Int(clamping: tally.microseconds / max(1, tally.requests)))),
      ("apps", .array(snapshot.apps.enumerated().map { app($0.offset, $0.element) })),
      ("cores", .array([core(worker, requests)])),
    ])
  }

  private static func app(_ place: Int, _ app: Snapshot.App) -> JSON {
    .object([
      ("id", .int(place)), ("modifier1", .int(0)),
      ("mountpoint", .string(app.mount == "/" ? "" : app.mount)), ("startup_time", .int(0)),
      ("requests", .int(Int(clamping: app.tally.requests))),
      ("exceptions", .int(Int(clamping: app.tally.answers(5)))), ("chdir", .string("")),
    ])
  }

  private static func core(_ worker: Snapshot.Worker, _ requests: Int) -> JSON {
    .object([
      ("id", .int(0)), ("requests", .int(requests)),
      ("static_requests", .int(Int(clamping: worker.tally.files))),
      ("routed_requests", .int(0)), ("offloaded_requests", .int(0)), ("write_errors", .int(0)),
      ("read_errors", .int(0)), ("in_request", .int(worker.underWay > 0 ? 1 : 0)), ("vars", .array([])),
      ("req_info", .object([])),
    ])
  }
}
