/// What a master leaves to the next one, besides the sockets and the serving builds: the builds that are kept
/// for a rollback, and the probation of the serving ones. Its fields have names of their own: a master that
/// does not know them, because it is older, goes on without.
public struct Bequest: Equatable, Sendable {
  /// A build that no longer serves.
  public struct Kept: Equatable, Sendable {
    /// The application.
    public var mount = ""
    /// Counts the builds of this application from 1.
    public var generation = 0
    /// The operator's file.
    public var source = ""
    /// The private copy in the directory of the master that leaves.
    public var path = ""
    public var (name, version, buildID) = ("", "", "")
    /// Seconds of the calendar.
    public var staged: Int64 = 0
    public var isUnloadable = false
    /// Why nobody can ask for it again; nil if it can be brought back.
    public var withdrawn: String?

    /// A build, to be filled.
    public init() {}
  }

  /// A build by its application and its number.
  public struct Place: Equatable, Sendable {
    public let mount: String
    public let generation: Int

    /// A build.
    public init(mount: String, generation: Int) { (self.mount, self.generation) = (mount, generation) }
  }

  /// How an application's answers were before the builds on probation served.
  public struct Usual: Equatable, Sendable {
    public let mount: String
    /// The share of failed ones, from 0 to 1.
    public let failures: Double
    /// Seconds that the longest request was seen to take.
    public let longest: Double

    /// The usual figures.
    public init(mount: String, failures: Double, longest: Double) {
      (self.mount, self.failures, self.longest) = (mount, failures, longest)
    }
  }

  /// The probation of one build.
  public struct Term: Equatable, Sendable {
    public let place: Place
    /// The number of the build that served in its place; 0 for none.
    public let before: Int
    /// When it ends, in monotonic nanoseconds of this machine.
    public let end: UInt64

    /// A probation.
    public init(place: Place, before: Int, end: UInt64) {
      (self.place, self.before, self.end) = (place, before, end)
    }
  }

  /// The probation of the serving builds.
  public struct Trial: Equatable, Sendable {
    /// When the last of it ends, in monotonic nanoseconds of this machine.
    public var end: UInt64 = 0
    /// Workers that were killed from outside since it began.
    public var kills = 0
    /// The options and the builds of the release to go back to.
    public var arguments: [String] = []
    public var previous: [Place] = []
    /// Builds that are new.
    public var fresh: [Place] = []
    /// The same, each with its own end.
    public var terms: [Term] = []
    public var usual: [Usual] = []
    /// Certificates and keys of the release to go back to; nil: the serving ones.
    public var files: [HandedFile]?

    /// A probation, to be filled.
    public init() {}
  }

  /// A file that is watched, as it was when its last change was acted on.
  public struct Seen: Equatable, Sendable {
    public let path: String
    /// Nil: there was none, or the action for its change is still waiting.
    public let identity: FileIdentity?

    /// A file.
    public init(path: String, identity: FileIdentity?) { (self.path, self.identity) = (path, identity) }
  }

  /// Builds that no longer serve; those of an application in the order in which they were put to work.
  public var kept: [Kept] = []
  /// The last number given, for each application.
  public var counters: [Place] = []
  public var trial: Trial?
  /// Workers that serve, if their number follows the load.
  public var workers: Int?
  /// How the last changes went, oldest first.
  public var changes: [ChangeRecord] = []

  /// Keys of session tickets, newest first, in hexadecimal digits.
  public var tickets: [String] = []
  /// Files that are watched: one that has changed since is news to the next master.
  public var seen: [Seen] = []

  /// Nothing.
  public init() {}
}

/// The bequest as fields of the orders for a master.
extension Bequest {
  var fields: [Message.Field] {
    var fields: [Message.Field] = []
    for build in kept {
      fields += [
        .init("kept", build.mount), .init("kept-generation", "\(build.generation)"),
        .init("kept-source", build.source), .init("kept-path", build.path), .init("kept-name", build.name),
        .init("kept-version", build.version), .init("kept-build", build.buildID),
        .init("kept-staged", "\(build.staged)"), .init("kept-unloadable", build.isUnloadable ? "1" : "0"),
      ]
      if let reason = build.withdrawn { fields.append(.init("kept-withdrawn", reason)) }
    }
    fields += counters.map { .init("counter", $0.text) } + tickets.map { .init("ticket-key", $0) }
    if let workers { fields.append(.init("cheaper-workers", "\(workers)")) }
    fields += changes.map { .init("history", $0.line) }
    fields += seen.map { .init("seen", "\($0.identity?.description ?? "-") \($0.path)") }
    guard let trial else { return fields }
    fields += [.init("trial", "\(trial.end)"), .init("trial-kills", "\(trial.kills)")]
    fields += trial.arguments.map { .init("trial-argument", $0) }
    fields += trial.previous.map { .init("trial-previous", $0.text) }
    fields += trial.fresh.map { .init("trial-fresh", $0.text) }
    fields += trial.terms.map { .init("trial-term", "\($0.end) \($0.before) \($0.place.text)") }
    fields += trial.usual.map { .init("trial-usual", "\($0.failures) \($0.longest) \($0.mount)") }
    // No files is not the same as the serving ones.
    if let files = trial.files {
      fields.append(.init("trial-files", "\(files.count)"))
      fields += files.fields(prefix: "trial-")
    }
    return fields
  }

  /// Reads what `fields` wrote. Leaves out what makes no sense: it comes from a program of another release.
  init(_ message: Message) {
    for field in message.fields where field.name.hasPrefix("kept") {
      if field.name == "kept" { kept.append(Kept()) }
      if !kept.isEmpty { kept[kept.count - 1].take(field) }
    }
    kept.removeAll { $0.generation < 1 }
    counters = message.all("counter").compactMap { Place($0) }
    tickets = message.all("ticket-key")
    workers = message.number("cheaper-workers").flatMap { $0 > 0 ? $0 : nil }
    changes = message.all("history").compactMap { ChangeRecord(line: $0) }
    seen = message.all("seen").compactMap { Seen($0) }
    guard let end = message["trial"].flatMap({ UInt64($0) }) else { return }
    var trial = Trial()
    trial.end = end
    trial.kills = max(0, message.number("trial-kills") ?? 0)
    trial.arguments = message.all("trial-argument")
    trial.previous = message.all("trial-previous").compactMap { Place($0) }
    trial.fresh = message.all("trial-fresh").compactMap { Place($0) }
    trial.terms = message.all("trial-term").compactMap { Term($0) }
    trial.usual = message.all("trial-usual").compactMap { Usual($0) }
    if message["trial-files"] != nil { trial.files = [HandedFile](message, prefix: "trial-") }
    self.trial = trial
  }
}

extension Bequest.Kept {
  fileprivate mutating func take(_ field: Message.Field) {
    switch field.name {
    case "kept": mount = field.value
    case "kept-generation": generation = Int(Int32(field.value) ?? 0)
    case "kept-source": source = field.value
    case "kept-path": path = field.value
    case "kept-name": name = field.value
    case "kept-version": version = field.value
    case "kept-build": buildID = field.value
    case "kept-staged": staged = Int64(field.value) ?? 0
    case "kept-unloadable": isUnloadable = field.value == "1"
    case "kept-withdrawn": withdrawn = field.value
    default: break
    }
  }
}

extension Bequest.Place {
  fileprivate var text: String { "\(generation) \(mount)" }

  fileprivate init?(_ text: String) {
    let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let generation = Int32(parts[0]), generation > 0 else { return nil }
    self.init(mount: String(parts[1]), generation: Int(generation))
  }
}

extension Bequest.Seen {
  fileprivate init?(_ text: String) {
    let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[1].isEmpty else { return nil }
    let identity = FileIdentity(word: String(parts[0]))
    guard identity != nil || parts[0] == "-" else { return nil }
    self.init(path: String(parts[1]), identity: identity)
  }
}

extension Bequest.Term {
  fileprivate init?(_ text: String) {
    let parts = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let end = UInt64(parts[0]), let before = Int32(parts[1]), before >= 0,
      let place = Bequest.Place(String(parts[2]))
    else { return nil }
    self.init(place: place, before: Int(before), end: end)
  }
}

extension Bequest.Usual {
  fileprivate init?(_ text: String) {
    let parts = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let failures = Double(parts[0]), let longest = Double(parts[1]),
      (0...1).contains(failures), longest >= 0, longest.isFinite
    else { return nil }
    self.init(mount: String(parts[2]), failures: failures, longest: longest)
  }
}
