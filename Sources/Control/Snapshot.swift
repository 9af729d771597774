/// Everything that a master knows about its server at one moment: the source for `server top`, the status
/// page, statistics and metrics. Counts survive the ends of workers, swaps and reloads.
public struct Snapshot: Equatable, Sendable {
  /// A listening socket.
  public struct Socket: Equatable, Sendable {
    /// The protocol: http1, scgi, uwsgi, fastcgi, auto.
    public var gateway = ""
    /// Where it is bound, as people write it.
    public var address = ""
    /// Connections that wait to be accepted, and how many may; -1 if unknown.
    public var queue = -1
    public var queueBound = -1

    public init(gateway: String = "", address: String = "", queue: Int = -1, queueBound: Int = -1) {
      (self.gateway, self.address) = (gateway, address)
      (self.queue, self.queueBound) = (queue, queueBound)
    }
  }

  /// An application, by its place; also the server's own answers.
  public struct App: Equatable, Sendable {
    /// Where it is mounted; "/" for the root.
    public var mount = ""
    public var name = ""
    /// The build that serves.
    public var generation = 0
    public var version = ""
    /// The file, or what a runtime makes it from.
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

  /// A running request.
  public struct Serving: Equatable, Sendable {
    public var worker = 0
    public var milliseconds = 0
    /// "GET /path", cut.
    public var line = ""
    /// Its stack, line by line; empty unless it takes long.
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
    /// The generations that it runs, by application.
    public var generations: [UInt64] = []
    /// Running requests.
    public var underWay = 0
    public var connections = 0
    /// WebSockets that are open.
    public var webSockets = 0
    /// Messages of topics that were dropped because another worker takes them too slowly.
    public var droppedMessages = 0
    /// TLS handshakes of which a step was taken beside the loop.
    public var handshakes = 0
    /// Requests whose time (`--harakiri`) was over, those of earlier processes in its seat included.
    public var late = 0
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

  /// A process that has loaded the applications of a release and forks its workers (`--preload`).
  public struct Zygote: Equatable, Sendable {
    /// 0 while there is none.
    public var pid = 0
    /// Its state, as `server ctl status` shows it.
    public var state = ""
    /// The generations that it has loaded, by application.
    public var generations: [UInt64] = []
    /// Resident bytes, most of which its workers share.
    public var resident = 0

    public init(pid: Int = 0, state: String = "", generations: [UInt64] = [], resident: Int = 0) {
      (self.pid, self.state, self.generations, self.resident) = (pid, state, generations, resident)
    }
  }

  /// A worker that died, or a change that ended.
  public struct Happening: Equatable, Sendable {
    /// Seconds of the calendar.
    public var at = 0
    public var text = ""

    public init(at: Int = 0, text: String = "") { (self.at, self.text) = (at, text) }
  }

  /// The figures of a new build, or of the previous one over the same time, since the comparison began.
  public struct Compared: Equatable, Sendable {
    public var mount = ""
    public var isNew = false
    public var (requests, failed) = (0, 0)
    /// Microseconds below which half of the requests, and 99 of 100, stayed.
    public var (half, most) = (0, 0)
    /// A worker's gain per thousand requests: resident bytes, and descriptors.
    public var (bytes, descriptors) = (0, 0)

    public init(
      mount: String, isNew: Bool, requests: Int, failed: Int, half: Int, most: Int, bytes: Int,
      descriptors: Int
    ) {
      (self.mount, self.isNew, self.requests, self.failed) = (mount, isNew, requests, failed)
      (self.half, self.most, self.bytes, self.descriptors) = (half, most, bytes, descriptors)
    }

    var record: Record {
      Record(
        "compared",
        [
          ("mount", mount), ("new", isNew ? "1" : "0"), ("requests", "\(requests)"), ("failed", "\(failed)"),
          ("half", "\(half)"), ("most", "\(most)"), ("bytes", "\(bytes)"), ("descriptors", "\(descriptors)"),
        ])
    }

    init(_ record: Record) {
      self.init(
        mount: record["mount"], isNew: record["new"] == "1", requests: record.number("requests"),
        failed: record.number("failed"), half: record.number("half"), most: record.number("most"),
        bytes: record.number("bytes"), descriptors: record.number("descriptors"))
    }
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
  /// Workers that were started to replace one that had ended.
  public var respawns = 0
  /// Lines of logs that nobody took in time.
  public var droppedLines = 0
  /// The server will stop, and load balancers should send it no more clients.
  public var isLeaving = false
  /// The server's sockets are closed, and its workers give their last answers.
  public var hasClosed = false
  /// Monotonic milliseconds of this look; only differences are meaningful.
  public var clock = 0
  /// Microseconds that all requests have taken up to now, including running ones.
  public var busy = 0
  /// The most calls that all serving workers together make at once.
  public var capacity = 0
  /// Seconds of the calendar when the first certificate expires; 0 if there is none.
  public var certificateEnd = 0
  public var sockets: [Socket] = []
  public var apps: [App] = []
  /// The server's own answers: files and refusals.
  public var own = Tally()
  public var workers: [Worker] = []
  /// None without `--preload`.
  public var zygotes: [Zygote] = []
  public var serving: [Serving] = []
  /// Running requests that are not among these, and stacks that were left out of them.
  public var (omitted, omittedStacks) = (0, 0)
  /// The change in progress; empty for none.
  public var change = ""
  /// How often each cause has ended a worker, and how often each kind of change has ended in which way.
  public var counts: [String: Int] = [:]
  public var crashes: [Happening] = []
  public var changes: [Happening] = []
  /// Of the last swap with a gate.
  public var compared: [Compared] = []

  /// A snapshot in which nothing is known.
  public init() {}

  /// All answers.
  public var total: Tally { apps.reduce(into: own) { $0 += $1.tally } }
}

extension Snapshot {
  /// The lines for all of it.
  public var records: [Record] {
    var list = [
      Record(
        "server",
        [
          ("version", version), ("pid", "\(pid)"), ("uid", "\(uid)"), ("gid", "\(gid)"),
          ("directory", directory), ("phase", phase), ("started", "\(started)"),
          ("now", "\(now)"), ("respawns", "\(respawns)"), ("dropped", "\(droppedLines)"), ("change", change),
          ("certificate-end", "\(certificateEnd)"), ("leaving", isLeaving ? "1" : "0"),
          ("closed", hasClosed ? "1" : "0"),
          ("clock", "\(clock)"), ("busy", "\(busy)"), ("capacity", "\(capacity)"),
          ("omitted", "\(omitted)"), ("omitted-stacks", "\(omittedStacks)"),
          ("tally", Snapshot.text(own.values)),
        ])
    ]
    list += sockets.map {
      let queue = [("queue", "\($0.queue)"), ("bound", "\($0.queueBound)")]
      return Record("socket", [("gateway", $0.gateway), ("address", $0.address)] + queue)
    }
    list += apps.map(Snapshot.record)
    list += workers.map(Snapshot.record)
    list += zygotes.map {
      let numbers = [("pid", "\($0.pid)"), ("resident", "\($0.resident)")]
      let generations = ("generations", Snapshot.text($0.generations))
      return Record("zygote", numbers + [("state", $0.state), generations])
    }
    list += serving.map(Snapshot.record)
    list += counts.sorted { $0.key < $1.key }.map {
      Record("count", [("name", $0.key), ("value", "\($0.value)")])
    }
    list += crashes.map { Record("crash", [("at", "\($0.at)"), ("text", $0.text)]) }
    list += changes.map { Record("changed", [("at", "\($0.at)"), ("text", $0.text)]) }
    list += compared.map(\.record)
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

  static func record(_ request: Serving) -> Record {
    let numbers = [("worker", "\(request.worker)"), ("milliseconds", "\(request.milliseconds)")]
    return Record("serving", numbers + [("line", request.line), ("stack", request.stack)])
  }

  private static func record(_ worker: Worker) -> Record {
    Record(
      "worker",
      [
        ("place", "\(worker.place)"), ("pid", "\(worker.pid)"), ("state", worker.state),
        ("generations", text(worker.generations)), ("under", "\(worker.underWay)"),
        ("connections", "\(worker.connections)"), ("websockets", "\(worker.webSockets)"),
        ("dropped", "\(worker.droppedMessages)"), ("handshakes", "\(worker.handshakes)"),
        ("late", "\(worker.late)"), ("resident", "\(worker.resident)"), ("virtual", "\(worker.virtual)"),
        ("started", "\(worker.started)"), ("respawns", "\(worker.respawns)"),
        ("tally", text(worker.tally.values)),
      ])
  }

  private static func text(_ numbers: [UInt64]) -> String {
    numbers.map { "\($0)" }.joined(separator: ",")
  }

  /// Reads the lines; unknown kinds and names are ignored.
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
      (isLeaving, hasClosed) = (record.number("leaving") > 0, record.number("closed") > 0)
      (clock, busy) = (record.number("clock"), record.number("busy"))
      capacity = record.number("capacity")
      (omitted, omittedStacks) = (record.number("omitted"), record.number("omitted-stacks"))
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
      (worker.webSockets, worker.droppedMessages) = (record.number("websockets"), record.number("dropped"))
      (worker.handshakes, worker.late) = (record.number("handshakes"), record.number("late"))
      (worker.resident, worker.virtual) = (record.number("resident"), record.number("virtual"))
      (worker.started, worker.respawns) = (record.number("started"), record.number("respawns"))
      worker.tally = Tally(record.numbers("tally"))
      workers.append(worker)
    case "zygote":
      zygotes.append(
        Zygote(
          pid: record.number("pid"), state: record["state"], generations: record.numbers("generations"),
          resident: record.number("resident")))
    case "serving":
      serving.append(
        Serving(
          worker: record.number("worker"), milliseconds: record.number("milliseconds"), line: record["line"],
          stack: record["stack"]))
    case "count": counts[record["name"]] = record.number("value")
    case "crash": crashes.append(Happening(at: record.number("at"), text: record["text"]))
    case "changed": changes.append(Happening(at: record.number("at"), text: record["text"]))
    case "compared": compared.append(Compared(record))
    default: break
    }
  }
}
