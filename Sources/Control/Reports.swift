/// What a worker tells its master, parsed and checked. An application in the worker can send the same, or
/// anything else, on purpose or by accident: so nothing here is trusted further than necessary, each number
/// has its range, each text its length, and anything that does not fit is not a report at all.
public enum WorkerReport: Equatable, Sendable {
  /// What an application says about itself once it is loaded.
  public struct App: Equatable, Sendable {
    /// Its place in the configuration.
    public let place: Int
    /// Which build of it runs.
    public let generation: Int
    public let name: String
    public let version: String
    public let isUnloadable: Bool
    /// The most calls of it that the worker makes at once.
    public let calls: Int
  }

  /// It accepts.
  case ready([App])
  /// The libraries that it has loaded.
  case loaded(LibraryReport)
  /// It cannot start; the exit code that follows, from 1 to 255.
  case failed(reason: String, code: Int32)
  /// It asks to be replaced.
  case expired(reason: String)
  /// An application asks for a reload of all.
  case renew(reason: String)
  /// It no longer accepts.
  case retiring
  /// The state of an application is written, if it has any.
  case saved(app: Int, hasState: Bool)
  /// The application runs this generation.
  case swapped(app: Int, generation: Int)
  /// The application still runs its previous build, not this generation; `isFull`: a new process can help.
  case refused(app: Int, generation: Int, reason: String, isFull: Bool)
  /// Its sockets present these certificates, or cannot.
  case presents(Int)
  case declined(Int, reason: String)
  /// The scoreboard shows what long requests are doing.
  case traced
  /// It should be introduced to the other workers.
  case topics
  /// The heads that it remembers are written.
  case recalled

  /// Reads a packet of a worker that has this many applications; nil for one that no worker sends.
  public init?(_ bytes: some Sequence<UInt8>, apps: Int) {
    guard let message = Message(bytes) else { return nil }
    switch message.verb {
    case .ready:
      guard let list = WorkerReport.apps(message, count: apps) else { return nil }
      self = .ready(list)
    case .loaded: self = .loaded(LibraryReport(message))
    case .failed: self = .failed(reason: message.reason, code: message.exitCode)
    case .expired: self = .expired(reason: message.reason)
    case .renew: self = .renew(reason: message.reason)
    case .retiring: self = .retiring
    case .saved:
      guard let app = message.place("app", of: apps), let bytes = message.number("bytes") else { return nil }
      self = .saved(app: app, hasState: bytes > 0)
    case .swapped:
      guard let app = message.place("app", of: apps), let generation = message.generation else { return nil }
      self = .swapped(app: app, generation: generation)
    case .refused:
      guard let app = message.place("app", of: apps), let generation = message.generation else { return nil }
      self = .refused(
        app: app, generation: generation, reason: message.reason, isFull: message["full"] == "1")
    case .presents, .declined:
      guard let number = message.number("number") else { return nil }
      self = message.verb == .presents ? .presents(number) : .declined(number, reason: message.reason)
    case .traced: self = .traced
    case .topics: self = .topics
    case .recalled: self = .recalled
    case .lost, .step, .copied, .passed, .configured, .retire, .stop, .quit, .rouse, .unready, .beat, .trace,
      .reopen, .save, .swap, .orders, .forked, .idle, .fork, .keep, .introduce,
      .tickets, .certificates, .certified, .replayed, .unreplayed, .remember, .recall, .attend:
      return nil
    }
  }

  private static func apps(_ message: Message, count: Int) -> [App]? {
    let (places, names) = (message.all("app"), message.all("name"))
    let (versions, flags) = (message.all("version"), message.all("unloadable"))
    let (generations, calls) = (message.all("generation"), message.all("calls"))
    let counts = [names.count, versions.count, flags.count, generations.count, calls.count]
    guard places.count <= count, counts.allSatisfy({ $0 == places.count }) else { return nil }
    var result: [App] = []
    for (index, text) in places.enumerated() {
      guard let place = Int(text), (0..<count).contains(place),
        let generation = Int(generations[index]), Message.generations.contains(generation),
        let calls = Int(calls[index]), (0...Message.mostCalls).contains(calls)
      else { return nil }
      result.append(
        App(
          place: place, generation: generation, name: Message.cut(names[index], Message.nameBytes),
          version: Message.cut(versions[index], Message.nameBytes), isUnloadable: flags[index] == "1",
          calls: calls))
    }
    return result
  }
}

/// What a child that works for the master reports, parsed and checked: code of the build runs in it.
public enum JobReport: Equatable, Sendable {
  /// Its current step, in case it dies of it.
  case step(String)
  /// The private copy of an application's build is filled; with `isKept` a runtime's modules are in it. The
  /// master knows where it is.
  case copied(app: Int, isSame: Bool, isKept: Bool, buildID: String)
  /// The libraries that the trial of an application's build has loaded.
  case loaded(app: Int, LibraryReport)
  /// The build may be put to work.
  case passed(app: Int, name: String, version: String, isUnloadable: Bool)
  /// Options in effect; further ones may follow.
  case configured([String], files: [HandedFile])
  /// The certificates of its orders may be put to work.
  case certified
  /// Remembered requests were replayed with both builds of an application.
  case replayed(app: Int, ReplayReport)
  /// They cannot be compared.
  case unreplayed(reason: String)
  case failed(reason: String, code: Int32)

  /// Reads a packet of a child that was to stage builds of these applications; nil for one that none sends.
  public init?(_ bytes: some Sequence<UInt8>, apps: [Int]) {
    guard let message = Message(bytes) else { return nil }
    let app = message.number("app").flatMap { apps.contains($0) ? $0 : nil }
    switch message.verb {
    case .step: self = .step(message.name("step"))
    case .copied:
      guard let app else { return nil }
      self = .copied(
        app: app, isSame: message["same"] == "1", isKept: message["kept"] == "1",
        buildID: message.name("build"))
    case .loaded:
      guard let app else { return nil }
      self = .loaded(app: app, LibraryReport(message))
    case .passed:
      guard let app else { return nil }
      self = .passed(
        app: app, name: message.name("name"), version: message.name("version"),
        isUnloadable: message["unloadable"] == "1")
    case .configured: self = .configured(message.all("option"), files: [HandedFile](message))
    case .certified: self = .certified
    case .replayed:
      guard let app, let report = ReplayReport(message) else { return nil }
      self = .replayed(app: app, report)
    case .unreplayed: self = .unreplayed(reason: message.reason)
    case .failed: self = .failed(reason: message.reason, code: message.exitCode)
    case .ready, .expired, .renew, .retiring, .saved, .swapped, .refused, .traced, .lost, .retire, .stop,
      .quit,
      .rouse, .beat, .unready, .trace, .reopen, .save, .swap, .orders, .forked, .idle, .fork, .keep,
      .tickets, .certificates, .presents, .declined, .topics, .introduce, .recalled, .remember, .recall,
      .attend:
      return nil
    }
  }
}

/// What a zygote tells its master, parsed and checked: the applications are loaded in it.
public enum ZygoteReport: Equatable, Sendable {
  /// It forks workers from now on.
  case ready
  /// It has nothing to preload: each worker loads its own.
  case idle
  /// The applications cannot be loaded; the exit code of a start that fails because of it.
  case failed(reason: String, code: Int32)

  /// Reads a packet; nil for one that no zygote sends.
  public init?(_ bytes: some Sequence<UInt8>) {
    guard let message = Message(bytes) else { return nil }
    switch message.verb {
    case .ready: self = .ready
    case .idle: self = .idle
    case .failed: self = .failed(reason: message.reason, code: message.exitCode)
    default: return nil
    }
  }
}

extension Message {
  /// The longest packet. The kernel's limit for sending is a little higher.
  public static let packetBytes = 128 * 1024
  /// The longest sentence with its traceback.
  public static let reasonBytes = 64 * 1024
  /// The longest name or version of an application that is shown.
  public static let nameBytes = 256
  /// The most calls that a worker makes of an application at once: the highest `--threads`.
  public static let mostCalls = 4096
  /// The numbers that a build may have: as far as a scoreboard can count.
  public static let generations = 1...Int(UInt32.max)

  /// A sentence that says why, cut so that it fits a packet.
  public static func reason(_ text: String) -> Field { Field("reason", cut(text, reasonBytes)) }

  /// The reason; a default sentence if none was given.
  var reason: String {
    let text = Message.cut(self["reason"] ?? "", Message.reasonBytes)
    return text.isEmpty ? "no reason given" : text
  }

  /// The exit code that is announced: from 1 to 255.
  public var exitCode: Int32 {
    let code = number("code") ?? 1
    return (1...255).contains(code) ? Int32(code) : 1
  }

  /// A value that is a place in a list; nil if there is none, and for a place that is not in the list.
  public func place(_ name: String, of count: Int) -> Int? {
    number(name).flatMap { $0 >= 0 && $0 < count ? $0 : nil }
  }

  /// The number of a build; nil if there is none, and for a number that no build can have.
  var generation: Int? { number("generation").flatMap { Message.generations.contains($0) ? $0 : nil } }

  /// A short value; empty if there is none.
  func name(_ field: String) -> String { Message.cut(self[field] ?? "", Message.nameBytes) }

  /// The beginning of a text, at most this many bytes.
  public static func cut(_ text: String, _ count: Int) -> String {
    text.utf8.count <= count ? text : String(decoding: text.utf8.prefix(count), as: UTF8.self)
  }
}
