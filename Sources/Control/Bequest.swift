/// What a master leaves to the one that follows it, besides the sockets and the builds that serve: the builds
/// that are kept for a rollback, and the probation of the ones that serve. Its fields have names of their
/// own: a master that does not know them, because it is older, goes on without.
public struct Bequest: Equatable, Sendable {
  /// A build that serves no more.
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

  /// How the answers of an application were before the builds on probation.
  public struct Usual: Equatable, Sendable {
    public let mount: String
    /// The share of failed ones, from 0 to 1.
    public let failures: Double
    /// Seconds that the longest request was seen to take.
    public let longest: Double

    /// What was usual.
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

  /// The probation of the builds that serve.
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

    /// A probation, to be filled.
    public init() {}
  }

  /// Builds that serve no more, those of an application in the order in which they were put to work.
  public var kept: [Kept] = []
  /// The number that was given last, for each application.
  public var counters: [Place] = []
  public var trial: Trial?
  /// Workers that serve, where there are as many as the work asks for.
  public var workers: Int?

  /// Keys of session tickets, newest first, in hexadecimal digits.
  public var tickets: [String] = []

  /// Nothing.
  public init() {}
}

/// As fields of the orders for a master.
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
    guard let trial else { return fields }
    fields += [.init("trial", "\(trial.end)"), .init("trial-kills", "\(trial.kills)")]
    fields += trial.arguments.map { .init("trial-argument", $0) }
    fields += trial.previous.map { .init("trial-previous", $0.text) }
    fields += trial.fresh.map { .init("trial-fresh", $0.text) }
    fields += trial.terms.map { .init("trial-term", "\($0.end) \($0.before) \($0.place.text)") }
    fields += trial.usual.map { .init("trial-usual", "\($0.failures) \($0.longest) \($0.mount)") }
    return fields
  }

  /// Reads what `fields` wrote. What makes no sense is left out: it comes from a program of another release.
  init(_ message: Message) {
    for field in message.fields where field.name.hasPrefix("kept") {
      if field.name == "kept" { kept.append(Kept()) }
      if !kept.isEmpty { kept[kept.count - 1].take(field) }
    }
    kept.removeAll { $0.generation < 1 }
    counters = message.all("counter").compactMap { Place($0) }
    tickets = message.all("ticket-key")
    workers = message.number("cheaper-workers").flatMap { $0 > 0 ? $0 : nil }
    guard let end = message["trial"].flatMap({ UInt64($0) }) else { return }
    var trial = Trial()
    trial.end = end
    trial.kills = max(0, message.number("trial-kills") ?? 0)
    trial.arguments = message.all("trial-argument")
    trial.previous = message.all("trial-previous").compactMap { Place($0) }
    trial.fresh = message.all("trial-fresh").compactMap { Place($0) }
    trial.terms = message.all("trial-term").compactMap { Term($0) }
    trial.usual = message.all("trial-usual").compactMap { Usual($0) }
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
