/// How a change went: who asked for it and when, which builds it concerned, how long each step took, and how
/// it ended. The master keeps the last ones, and leaves them to the next master.
public struct ChangeRecord: Equatable, Sendable {
  /// Who or what asked for a change.
  public struct Cause: Equatable, Sendable {
    /// The kind of cause.
    public enum Kind: String, Sendable, CaseIterable {
      /// A process at the control socket; the kernel says whose.
      case ctl
      case signal
      /// A file of `--touch-reload`.
      case touch
      /// A file that is watched: an application's, or a library's.
      case watch
      case fifo = "master-fifo"
      /// An application that asks to be reloaded.
      case application
      /// The server itself, because of what it has seen of a build.
      case server
    }

    public var kind: Kind
    /// The signal or the path; empty without.
    public var detail: String
    /// For `ctl`: user and process at the socket's other end when it connected. For a signal: those that
    /// have sent it, if the kernel vouches for them. -1 for others.
    public var (user, process): (Int, Int)

    /// A cause without a process that can be named.
    public init(_ kind: Kind, _ detail: String = "") {
      (self.kind, self.detail) = (kind, Message.cut(detail, ChangeRecord.detailBytes))
      (user, process) = (-1, -1)
    }

    /// A process at the control socket.
    public init(user: Int, process: Int) {
      self.init(.ctl)
      (self.user, self.process) = (user, process)
    }

    /// "ctl of user 0 (pid 4711)", "signal SIGHUP of user 0 (pid 1)", "touch /srv/reload".
    public var words: String {
      let name = detail.isEmpty ? kind.rawValue : "\(kind.rawValue) \(detail)"
      return process >= 0 ? "\(name) of user \(user) (pid \(process))" : name
    }
  }

  /// A build as records name it.
  public struct Build: Equatable, Sendable {
    /// Counts the builds of its application from 1; 0: none.
    public var generation = 0
    /// The GNU build-id, or a hash of what a runtime made it from; empty without.
    public var id = ""

    /// No build.
    public init() {}

    /// A build.
    public init(_ generation: Int, _ id: String) { (self.generation, self.id) = (generation, id) }

    /// "generation 2 (build 3f2a…)".
    var words: String {
      if generation == 0 { return "nothing" }
      return id.isEmpty ? "generation \(generation)" : "generation \(generation) (build \(id.prefix(12)))"
    }

    var json: JSON {
      generation == 0 ? .null : .object([("generation", .int(generation)), ("build", .string(id))])
    }
  }

  /// An application's builds before and after.
  public struct Move: Equatable, Sendable {
    public var mount: String
    public var from: Build
    public var to: Build

    /// A step from one build to another.
    public init(mount: String, from: Build, to: Build) {
      (self.mount, self.from, self.to) = (mount, from, to)
    }
  }

  /// A part of a change, and how long it took.
  public struct Step: Equatable, Sendable {
    public var name: String
    public var microseconds: Int

    /// A step.
    public init(_ name: String, microseconds: Int) { (self.name, self.microseconds) = (name, microseconds) }
  }

  /// How a change ended.
  public enum End: String, Sendable, CaseIterable {
    case done
    /// There was nothing to do.
    case unchanged
    case refused
    /// A build that served already was taken back by the server.
    case takenBack = "taken_back"
  }

  /// The most bytes of a path that asked, and of the final sentence; longer ones are cut.
  public static let (detailBytes, textBytes) = (256, 1000)
  /// Causes and applications of one change that are remembered.
  public static let (mostCauses, mostMoves) = (8, 16)

  /// swap, reload, rollback or upgrade; `take back` for what the server does on its own.
  public var change: String
  /// When it was asked for, in seconds of the calendar.
  public var at: Int64
  public private(set) var causes: [Cause]
  /// The applications whose builds changed.
  public private(set) var moves: [Move]
  public var steps: [Step]
  public var end: End
  /// The final sentence: what serves, or why it was refused.
  public private(set) var text: String
  /// The figures of a new build and the previous one over the same time; empty without a gate.
  public private(set) var figures: String

  /// A record; anything beyond the bounds is left out.
  public init(
    change: String, at: Int64, causes: [Cause], moves: [Move], steps: [Step], end: End, text: String,
    figures: String = ""
  ) {
    (self.change, self.at, self.steps, self.end) = (change, at, steps, end)
    self.causes = Array(causes.prefix(ChangeRecord.mostCauses))
    self.moves = Array(moves.prefix(ChangeRecord.mostMoves))
    self.text = Message.cut(text, ChangeRecord.textBytes)
    self.figures = Message.cut(figures, ChangeRecord.textBytes)
  }
}

/// The record as a line, for the next master.
extension ChangeRecord {
  public var line: String {
    var fields = [("change", change), ("at", "\(at)"), ("end", end.rawValue), ("text", text)]
    if !figures.isEmpty { fields.append(("figures", figures)) }
    fields += causes.map { ("cause", words([$0.kind.rawValue, "\($0.user)", "\($0.process)", $0.detail])) }
    fields += moves.map {
      ("move", words([$0.mount, "\($0.from.generation)", $0.from.id, "\($0.to.generation)", $0.to.id]))
    }
    fields += steps.map { ("step", words([$0.name, "\($0.microseconds)"])) }
    return Record("changed", fields).line
  }

  private func words(_ words: [String]) -> String { words.map(PercentWord.encoded).joined(separator: " ") }

  /// Reads what `line` wrote; nil for anything that no master writes.
  public init?(line: String) {
    let record = Record(line: line)
    guard record.kind == "changed", let end = End(rawValue: record["end"]), !record["change"].isEmpty else {
      return nil
    }
    func parts(_ name: String, _ count: Int) -> [[String]] {
      record.fields.filter { $0.name == name }.map {
        $0.value.split(separator: " ", omittingEmptySubsequences: false).map { PercentWord.decoded($0) }
      }.filter { $0.count == count }
    }
    let causes = parts("cause", 4).compactMap { words -> Cause? in
      guard let kind = Cause.Kind(rawValue: words[0]) else { return nil }
      var cause = Cause(kind, words[3])
      (cause.user, cause.process) = (Int(words[1]) ?? -1, Int(words[2]) ?? -1)
      return cause
    }
    let moves = parts("move", 5).map {
      Move(mount: $0[0], from: Build(Int($0[1]) ?? 0, $0[2]), to: Build(Int($0[3]) ?? 0, $0[4]))
    }
    let steps = parts("step", 2).prefix(ChangeRecord.mostMoves).map {
      Step($0[0], microseconds: max(0, Int($0[1]) ?? 0))
    }
    self.init(
      change: record["change"], at: Int64(record["at"]) ?? 0, causes: causes, moves: moves,
      steps: Array(steps), end: end, text: record["text"], figures: record["figures"])
  }
}

/// The record as shown.
extension ChangeRecord {
  /// Lines for people; `stamp` is its time.
  public func lines(_ stamp: String) -> [String] {
    let who = causes.isEmpty ? "nobody" : causes.map(\.words).joined(separator: ", ")
    let ending = end == .takenBack ? "taken back" : end.rawValue
    var lines = ["\(stamp) \(change) by \(who): \(ending)"]
    lines += moves.map { move in
      "  \(move.mount.isEmpty ? "/" : move.mount) \(move.from.words) -> \(move.to.words)"
    }
    if !steps.isEmpty {
      let times = steps.map { "\($0.name) \(ChangeRecord.seconds($0.microseconds)) s" }
      lines.append("  " + times.joined(separator: ", "))
    }
    if !figures.isEmpty { lines.append("  compared: \(figures)") }
    if !text.isEmpty { lines += text.split(whereSeparator: \.isNewline).map { "  \($0)" } }
    return lines
  }

  /// Seconds with three decimals.
  private static func seconds(_ microseconds: Int) -> String {
    let thousandths = "\(microseconds / 1000 % 1000)"
    let zeros = String(repeating: "0", count: 3 - thousandths.count)
    return "\(microseconds / 1_000_000).\(zeros)\(thousandths)"
  }

  /// The same for programs.
  public func json(_ stamp: String) -> JSON {
    return .object([
      ("change", .string(change)), ("at", .int(Int(at))), ("time", .string(stamp)),
      (
        "causes",
        .array(
          causes.map {
            .object([
              ("kind", .string($0.kind.rawValue)), ("detail", .string($0.detail)),
              ("uid", $0.user < 0 ? .null : .int($0.user)),
              ("pid", $0.process < 0 ? .null : .int($0.process)),
            ])
          })
      ),
      (
        "apps",
        .array(
          moves.map {
            .object([
              ("mount", .string($0.mount.isEmpty ? "/" : $0.mount)), ("from", $0.from.json),
              ("to", $0.to.json),
            ])
          })
      ),
      (
        "phases",
        .array(
          steps.map { .object([("phase", .string($0.name)), ("microseconds", .int($0.microseconds))]) })
      ),
      ("outcome", .string(end.rawValue)), ("text", .string(text)),
      ("figures", figures.isEmpty ? .null : .string(figures)),
    ])
  }
}
