/// What a worker or a staging child is told when it starts: its first message.
public struct Orders: Equatable, Sendable {
  /// The purpose of the process.
  public enum Role: String, Sendable {
    case worker
    /// Loads the applications of a release, and forks its workers.
    case zygote
    /// Copies, inspects and tries the builds, then ends.
    case stage
    /// Replays remembered requests with the previous builds and with new ones, then ends.
    case replay
    /// Becomes a master itself: that of a server that leaves its terminal, or one that follows the master
    /// that gave the orders.
    case master
    /// Rereads the configuration and reports the options in effect, then ends.
    case configure
    /// Rereads the files of certificates, as the master's user, and hands over their contents.
    case certificates
    /// Shows the server's figures to everybody who connects to its sockets.
    case watch
    /// Distributes the lines that all others write.
    case collect
    /// Becomes one of the operator's programs: `commandLine`, as the applications' user if `tries` is set.
    case run
    /// Ends the operator's programs when the master is gone.
    case keep
  }

  /// A listening socket that is handed over.
  public struct Socket: Equatable, Sendable {
    /// The descriptor in the new process.
    public var descriptor: Int32
    /// The protocol: http1, scgi, uwsgi, fastcgi, auto.
    public var gateway: String
    /// Where it is bound, as people write it.
    public var address: String

    /// A socket.
    public init(descriptor: Int32, gateway: String, address: String) {
      (self.descriptor, self.gateway, self.address) = (descriptor, gateway, address)
    }
  }

  /// What the workers share, as descriptors in the new process.
  public struct Shared: Equatable, Sendable {
    /// The memory (SharedMemory).
    public var memory: Int32
    /// The ends of the pipe for signals of applications.
    public var reading: Int32
    public var writing: Int32
    /// How many there are.
    public static let descriptors = 3

    /// Descriptors.
    public init(memory: Int32, reading: Int32, writing: Int32) {
      (self.memory, self.reading, self.writing) = (memory, reading, writing)
    }
  }

  /// A build to work with.
  public struct Build: Equatable, Sendable {
    /// The application's place in the configuration.
    public var app: Int
    /// Counts the builds of this application from 1.
    public var generation: Int
    /// The private copy, which a staging child has to fill.
    public var path: String
    /// A staging child: descriptors of the copy's files, the library first, then those kept with it.
    public var outputs: [Int32] = []
    /// A staging child: the copy to compare with; empty for none.
    public var current: String
    /// A worker: the descriptor of a file with saved state; -1 for none.
    public var state: Int32
    /// The version that saved the state.
    public var stateVersion: String
    /// A staging child: what to copy instead of the configured file; a master that follows another: the copy
    /// that serves there. Empty for none.
    public var source = ""

    /// A build.
    public init(
      app: Int, generation: Int, path: String, current: String = "", state: Int32 = -1,
      stateVersion: String = ""
    ) {
      (self.app, self.generation, self.path) = (app, generation, path)
      (self.current, self.state, self.stateVersion) = (current, state, stateVersion)
    }
  }

  /// What a child that replays requests compares with: the serving builds, with the options that they serve
  /// under.
  public struct Replay: Equatable, Sendable {
    /// Requests of each application at most.
    public var requests: Int
    /// Descriptors of the files into which the workers have written the heads that they remember.
    public var heads: [Int32] = []
    public var arguments: [String] = []
    /// The serving builds, in the order of `Orders.builds`.
    public var builds: [Build] = []
    /// As `Orders.files`.
    public var files: [HandedFile] = []

    /// Nothing to compare with, yet.
    public init(requests: Int) { self.requests = requests }
  }

  /// The word for the stream to the master among the sockets of a process that shows figures.
  public static let masterStream = "master"

  /// The words for the pipes among the sockets of a process that distributes lines.
  public static let (errorLines, requestLines) = ("errors", "requests")

  /// The purpose of the process.
  public var role: Role
  /// Which worker it is, from 0.
  public var worker = 0
  /// How many workers there are.
  public var workers = 1
  /// A worker's number in the shared page (`SpoolShares`).
  public var spoolShare = 0
  /// A worker: the pipe for the lines of requests; -1: they go where all lines go.
  public var requestLog: Int32 = -1
  /// A zygote: its workers get descriptors with numbers below this one.
  public var places: Int32 = 0
  /// A worker: what it shares with the others; nil: nothing.
  public var shared: Shared?
  /// The options in effect, as `--name=value`; for `configure` the original command line.
  public var arguments: [String] = []
  /// A master that follows another: the command line, to be reread by a reload.
  public var commandLine: [String] = []
  /// The sockets of a worker.
  public var sockets: [Socket] = []
  /// The builds.
  public var builds: [Build] = []
  /// Whether a staging child runs the build's load() and probe().
  public var tries = false
  /// Files of the operator's that the process may not read itself: certificates and keys.
  public var files: [HandedFile] = []
  /// A staging child: the serving ones, under the same options. None of these may be missing in `files`.
  public var served: [HandedFile] = []
  /// A staging child: the key that builds are signed with, which is not a certificate to be tried; nil: none.
  /// Other roles find it in `files`.
  public var key: HandedFile?
  /// A child that replays requests: what it compares the builds with.
  public var replay: Replay?
  /// A worker that only has requests replayed to it: no client ever reaches it.
  public var isReplay = false
  /// Keys of session tickets, newest first, in hexadecimal digits.
  public var tickets: [String] = []
  /// Files of the server's own that the process may load or run.
  public var held: [HeldFile] = []
  /// The file of the master's program when it started, from which its other files are looked for; empty: that
  /// of this process.
  public var program = ""
  /// A master that follows another: what else that one knows.
  public var bequest = Bequest()

  /// Orders for a role.
  public init(_ role: Role) { self.role = role }

  /// Its title in process lists: "worker 2 of 4".
  public var title: [String] {
    if isReplay { return [Role.replay.rawValue, role.rawValue] }
    return role == .worker ? [role.rawValue, "\(worker + 1)", "of", "\(workers)"] : [role.rawValue]
  }

  /// As a message.
  public var message: Message {
    var fields = [
      Message.Field("role", role.rawValue), .init("worker", "\(worker)"), .init("workers", "\(workers)"),
      .init("tries", tries ? "1" : "0"), .init("spool", "\(spoolShare)"),
      .init("lines", "\(requestLog)"), .init("places", "\(places)"),
    ]
    if let shared {
      fields.append(.init("shared", "\(shared.memory) \(shared.reading) \(shared.writing)"))
    }
    fields += arguments.map { .init("argument", $0) }
    fields += commandLine.map { .init("word", $0) }
    for socket in sockets {
      fields.append(.init("socket", "\(socket.descriptor) \(socket.gateway) \(socket.address)"))
    }
    fields += Orders.fields(builds)
    if isReplay { fields.append(.init("is-replay", "1")) }
    if let replay {
      fields.append(.init("replay", "\(replay.requests)"))
      fields += replay.heads.map { .init("heads", "\($0)") }
      fields += replay.arguments.map { .init("before-argument", $0) }
      fields += Orders.fields(replay.builds, prefix: "before-") + replay.files.fields(prefix: "before-")
    }
    fields += files.fields + served.fields(prefix: "served-")
    if let key { fields += [key].fields(prefix: "key-") }
    fields += tickets.map { .init("ticket", $0) } + held.map { .init("held", $0.text) }
    if !program.isEmpty { fields.append(.init("program", program)) }
    return Message(.orders, fields + bequest.fields)
  }

  /// Reads what `message` wrote; nil for anything else. Ignores unknown fields, such as those of a later
  /// release.
  public init?(_ message: Message) {
    guard message.verb == .orders, let role = message["role"].flatMap({ Role(rawValue: $0) }),
      let workers = message.number("workers").flatMap({ UInt32(exactly: $0) }),
      let worker = message.place("worker", of: Int(workers))
    else { return nil }
    self.init(role)
    (self.worker, self.workers, tries) = (worker, Int(workers), message["tries"] == "1")
    spoolShare = message.place("spool", of: SpoolShares.count) ?? 0
    requestLog = message.number("lines").flatMap { Int32(exactly: $0) } ?? -1
    places = message.number("places").flatMap { Int32(exactly: $0) } ?? 0
    let descriptors = (message["shared"] ?? "").split(separator: " ").compactMap { Int32($0) }
    if descriptors.count == Shared.descriptors, descriptors.allSatisfy({ $0 >= 0 }) {
      shared = Shared(memory: descriptors[0], reading: descriptors[1], writing: descriptors[2])
    }
    (files, tickets) = ([HandedFile](message), message.all("ticket"))
    served = [HandedFile](message, prefix: "served-")
    key = [HandedFile](message, prefix: "key-").first
    (held, program) = (message.all("held").compactMap { HeldFile($0) }, message["program"] ?? "")
    bequest = Bequest(message)
    arguments = message.all("argument")
    commandLine = message.all("word")
    for text in message.all("socket") {
      let parts = text.split(separator: " ", maxSplits: 2)
      guard parts.count == 3, let descriptor = Int32(parts[0]), descriptor >= 0 else { return nil }
      sockets.append(Socket(descriptor: descriptor, gateway: String(parts[1]), address: String(parts[2])))
    }
    guard let builds = Orders.builds(message) else { return nil }
    (self.builds, isReplay) = (builds, message["is-replay"] == "1")
    guard let wanted = message["replay"] else { return }
    guard let requests = Int(wanted), requests >= 0, let before = Orders.builds(message, prefix: "before-")
    else { return nil }
    var replay = Replay(requests: requests)
    replay.heads = message.all("heads").compactMap { Int32($0) }.filter { $0 >= 0 }
    (replay.arguments, replay.builds) = (message.all("before-argument"), before)
    replay.files = [HandedFile](message, prefix: "before-")
    self.replay = replay
  }
}

/// Builds as fields; `prefix`: of others than those to work with.
extension Orders {
  private static func fields(_ builds: [Build], prefix: String = "") -> [Message.Field] {
    builds.flatMap { build -> [Message.Field] in
      let numbers = [build.app, build.generation, Int(build.state)] + build.outputs.map { Int($0) }
      return [
        .init(prefix + "build", numbers.map { "\($0)" }.joined(separator: " ")),
        .init(prefix + "path", build.path), .init(prefix + "current", build.current),
        .init(prefix + "version", build.stateVersion), .init(prefix + "source", build.source),
      ]
    }
  }

  /// Reads what `fields` wrote; nil for what makes no sense.
  private static func builds(_ message: Message, prefix: String = "") -> [Build]? {
    var builds: [Build] = []
    let (paths, currents) = (message.all(prefix + "path"), message.all(prefix + "current"))
    let (versions, sources) = (message.all(prefix + "version"), message.all(prefix + "source"))
    for (index, text) in message.all(prefix + "build").enumerated() {
      let numbers = text.split(separator: " ").compactMap { Int32($0) }
      guard numbers.count >= 3, numbers[0] >= 0, numbers[1] >= 0, numbers[3...].allSatisfy({ $0 >= 0 }),
        index < paths.count, index < currents.count, index < versions.count, index < sources.count
      else { return nil }
      builds.append(
        Build(
          app: Int(numbers[0]), generation: Int(numbers[1]), path: paths[index], current: currents[index],
          state: numbers[2], stateVersion: versions[index]))
      builds[index].outputs = Array(numbers[3...])
      builds[index].source = sources[index]
    }
    return builds
  }
}

/// Descriptors at fixed places in every process that a master starts.
public enum HandedDescriptor {
  /// The packet socket to the master.
  public static let control: Int32 = 3
  /// The file that holds the orders: they may be longer than a packet.
  public static let orders: Int32 = 4
  /// The worker's scoreboard.
  public static let scoreboard: Int32 = 5
  /// How much the workers hold in spools.
  public static let spools: Int32 = 6
  /// The first of the listening sockets and state files.
  public static let first: Int32 = 7
}
