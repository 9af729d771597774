/// Everything that a master knows of its server at one moment: what `server top`, the status page, statistics
/// and metrics are drawn from. Counts go on across the ends of workers, swaps and reloads.
public struct Snapshot: Equatable, Sendable {
  /// A listening socket.
  public struct Socket: Equatable, Sendable {
    /// What is spoken: http1, scgi, uwsgi, fastcgi, auto.
    public var gateway = ""
    /// Where it is bound, as people write it.
    public var address = ""
    /// Connections that wait to be accepted, and how many may; -1 where that is not known.
    public var queue = -1
    public var queueBound = -1

    public init(gateway: String = "", address: String = "", queue: Int = -1, queueBound: Int = -1) {
      (self.gateway, self.address) = (gateway, address)
      (self.queue, self.queueBound) = (queue, queueBound)
    }
  }

  /// An application, by its place; also what the server answers itself.
  public struct App: Equatable, Sendable {
    /// Where it is mounted; "/" for the root.
    public var mount = ""
    public var name = ""
    /// The build that serves.
    public var generation = 0
    public var version = ""
    /// The file, or what a runtime makes it of.
    public var source = ""
    /// All answers since the server's start.
    public var tally = Tally()

    public init(
      mount: String = "", name: String = "", generation: Int = 0, version: String = "", source: String = "",
      tally: Tally = Tally()
    ) {
      (self.mount, self.name, self.generation) = (mount, name, generation)
      (self.version, self.source, self.tally) = (version, source, tally)
    }
  }

  /// A request under way.
  public struct Serving: Equatable, Sendable {
    public var worker = 0
    public var milliseconds = 0
    /// "GET /path", cut.
    public var line = ""
    /// What it does, a line each; empty unless it takes long.
    public var stack = ""

    public init(worker: Int = 0, milliseconds: Int = 0, line: String = "", stack: String = "") {
      (self.worker, self.milliseconds, self.line, self.stack) = (worker, milliseconds, line, stack)
    }
  }

  /// A worker process.
  public struct Worker: Equatable, Sendable {
    /// Its seat, from 1.
    public var place = 0
    public var pid = 0
    /// starting, serving, retiring, ended.
    public var state = ""
    /// What it runs, by application.
    public var generations: [UInt64] = []
    /// Requests under way.
    public var underWay = 0
    public var connections = 0
    /// Resident bytes, and those of its address space.
    public var resident = 0
    public var virtual = 0
    /// Seconds of the calendar.
    public var started = 0
    /// How many processes had this seat before it.
    public var respawns = 0
    /// Its own answers.
    public var tally = Tally()

    public init() {}
  }

  /// A worker that died, or a change that ended.
  public struct Happening: Equatable, Sendable {
    /// Seconds of the calendar.
    public var at = 0
    public var text = ""

    public init(at: Int = 0, text: String = "") { (self.at, self.text) = (at, text) }
  }

  /// The program's version.
  public var version = ""
  /// The master's process, its user and group, and its working directory.
  public var pid = 0
  public var uid = 0
  public var gid = 0
  public var directory = ""
  /// starting, serving, stopping and so on.
  public var phase = ""
  /// Seconds of the calendar: the server's start, and now.
  public var started = 0
  public var now = 0
  /// Workers that were started in the place of one that had ended.
  public var respawns = 0
  /// Lines of logs that nobody took in time.
  public var droppedLines = 0
  /// Seconds of the calendar when the first certificate ends; 0 without any.
  public var certificateEnd = 0
  public var sockets: [Socket] = []
  public var apps: [App] = []
  /// What the server answers itself: files and refusals.
  public var own = Tally()
  public var workers: [Worker] = []
  public var serving: [Serving] = []
  /// The change under way; empty for none.
  public var change = ""
  /// How often each cause has ended a worker, and each kind of change has ended how.
  public var counts: [String: Int] = [:]
  public var crashes: [Happening] = []
  public var changes: [Happening] = []

  /// Nothing known.
  public init() {}

  /// All answers.
  public var total: Tally { apps.reduce(into: own) { $0 += $1.tally } }
}

extension Snapshot {
  /// The lines that say all of it.
  public var records: [Record] {
    var list = [
      Record(
        "server",
        [
          ("version", version), ("pid", "\(pid)"), ("uid", "\(uid)"), ("gid", "\(gid)"),
          ("directory", directory), ("phase", phase), ("started", "\(started)"),
          ("now", "\(now)"), ("respawns", "\(respawns)"), ("dropped", "\(droppedLines)"), ("change", change),
          ("certificate-end", "\(certificateEnd)"),
          ("tally", Snapshot.text(own.values)),
        ])
    ]
    list += sockets.map {
      let queue = [("queue", "\($0.queue)"), ("bound", "\($0.queueBound)")]
      return Record("socket", [("gateway", $0.gateway), ("address", $0.address)] + queue)
    }
    list += apps.map(Snapshot.record)
    list += workers.map(Snapshot.record)
    list += serving.map {
      let numbers = [("worker", "\($0.worker)"), ("milliseconds", "\($0.milliseconds)")]
      return Record("serving", numbers + [("line", $0.line), ("stack", $0.stack)])
    }
    list += counts.sorted { $0.key < $1.key }.map {
      Record("count", [("name", $0.key), ("value", "\($0.value)")])
    }
    list += crashes.map { Record("crash", [("at", "\($0.at)"), ("text", $0.text)]) }
    list += changes.map { Record("changed", [("at", "\($0.at)"), ("text", $0.text)]) }
    return list
  }

  private static func record(_ app: App) -> Record {
    Record(
      "app",
      [
        ("mount", app.mount), ("name", app.name), ("generation", "\(app.generation)"),
        ("version", app.version), ("source", app.source), ("tally", text(app.tally.values)),
      ])
  }

  private static func record(_ worker: Worker) -> Record {
    Record(
      "worker",
      [
        ("place", "\(worker.place)"), ("pid", "\(worker.pid)"), ("state", worker.state),
        ("generations", text(worker.generations)), ("under", "\(worker.underWay)"),
        ("connections", "\(worker.connections)"), ("resident", "\(worker.resident)"),
        ("virtual", "\(worker.virtual)"),
        ("started", "\(worker.started)"), ("respawns", "\(worker.respawns)"),
        ("tally", text(worker.tally.values)),
      ])
  }

  private static func text(_ numbers: [UInt64]) -> String {
    numbers.map { "\($0)" }.joined(separator: ",")
  }

  /// Reads the lines; kinds and names that are unknown are left out.
  public init(_ records: some Sequence<Record>) {
    for record in records { take(record) }
  }

  private mutating func take(_ record: Record) {
    switch record.kind {
    case "server":
      (version, phase, change) = (record["version"], record["phase"], record["change"])
      (uid, gid, directory) = (record.number("uid"), record.number("gid"), record["directory"])
      (pid, started, now) = (record.number("pid"), record.number("started"), record.number("now"))
      (respawns, droppedLines) = (record.number("respawns"), record.number("dropped"))
      certificateEnd = record.number("certificate-end")
      own = Tally(record.numbers("tally"))
    case "socket":
      sockets.append(
        Socket(
          gateway: record["gateway"], address: record["address"], queue: record.number("queue"),
          queueBound: record.number("bound")))
    case "app":
      apps.append(
        App(
          mount: record["mount"], name: record["name"], generation: record.number("generation"),
          version: record["version"], source: record["source"], tally: Tally(record.numbers("tally"))))
    case "worker":
      var worker = Worker()
      (worker.place, worker.pid) = (record.number("place"), record.number("pid"))
      (worker.state, worker.generations) = (record["state"], record.numbers("generations"))
      (worker.underWay, worker.connections) = (record.number("under"), record.number("connections"))
      (worker.resident, worker.virtual) = (record.number("resident"), record.number("virtual"))
      (worker.started, worker.respawns) = (record.number("started"), record.number("respawns"))
      worker.tally = Tally(record.numbers("tally"))
      workers.append(worker)
    case "serving":
      serving.append(
        Serving(
          worker: record.number("worker"), milliseconds: record.number("milliseconds"), line: record["line"],
          stack: record["stack"]))
    case "count": counts[record["name"]] = record.number("value")
    case "crash": crashes.append(Happening(at: record.number("at"), text: record["text"]))
    case "changed": changes.append(Happening(at: record.number("at"), text: record["text"]))
    default: break
    }
  }
}
