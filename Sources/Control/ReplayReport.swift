/// What came of replaying remembered requests with the previous build of an application and with a new one.
public struct ReplayReport: Equatable, Sendable {
  /// What may differ between two answers.
  public enum Kind: String, Sendable, CaseIterable {
    case status, fields, body
    /// How long the answer took.
    case time
    /// How much memory the build gained with all requests.
    case memory
  }

  /// Something that differs, whatever may differ between two copies of one build.
  public struct Difference: Equatable, Sendable {
    public let kind: Kind
    /// The class of the status is worse, or there is no answer: the build is refused.
    public let isWorse: Bool
    /// "GET /shop?x=1"; empty for something that belongs to no request.
    public let request: String
    /// What differs, in words.
    public let text: String

    /// A difference; texts beyond their bounds are cut.
    public init(_ kind: Kind, isWorse: Bool = false, request: String, text: String) {
      (self.kind, self.isWorse) = (kind, isWorse)
      self.request = Message.cut(request, ReplayReport.requestBytes)
      self.text = Message.cut(text, ReplayReport.textBytes)
    }
  }

  /// A figure of the previous build and of the new one.
  public struct Pair: Equatable, Sendable {
    public var before = 0
    public var new = 0

    /// Both 0.
    public init() {}

    /// A figure of each.
    public init(before: Int, new: Int) { (self.before, self.new) = (before, new) }
  }

  /// The most bytes of a request, and of what differs.
  public static let (requestBytes, textBytes) = (300, 1000)
  /// Differences that are kept; further ones are only counted.
  public static let mostDifferences = 20
  /// The highest count.
  public static let mostRequests = 1_000_000
  /// The highest figure.
  static let mostFigure = 1_000_000_000_000_000

  /// Where the application is mounted, which generations were compared, when, and what was made of it: the
  /// master's, who knows.
  public var mount = ""
  public var (from, to) = (0, 0)
  public var at: Int64 = 0
  public var verdict = ""
  /// Different requests that were remembered.
  public var remembered = 0
  /// Those of them that were compared.
  public var replayed = 0
  /// Those that could not be, because the previous build did not answer, or there was no time.
  public var skipped = 0
  /// Those whose answers differ, and those that differ no more than two copies of the previous build do.
  public var (differing, noisy) = (0, 0)
  /// Differences of each kind.
  public var counts: [Kind: Int] = [:]
  /// The most important ones, worse ones first.
  public private(set) var differences: [Difference] = []
  /// Microseconds of all requests together.
  public var microseconds = Pair()
  /// Bytes of resident memory that were gained.
  public var bytes = Pair()

  /// A report without anything in it.
  public init() {}

  /// Adds a difference. Beyond the bound one that is not worse gives way to one that is; the first one of
  /// each kind stays, so that a gate that names a kind finds it, whatever else differs.
  public mutating func add(_ difference: Difference) {
    counts[difference.kind, default: 0] += 1
    let place = difference.isWorse ? differences.prefix { $0.isWorse }.count : differences.count
    differences.insert(difference, at: place)
    guard differences.count > ReplayReport.mostDifferences else { return }
    var seen: Set<Kind> = []
    let others = differences.map { !seen.insert($0.kind).inserted }
    differences.remove(at: others.lastIndex(of: true) ?? differences.count - 1)
  }
}

/// The report as fields of a message.
extension ReplayReport {
  public var fields: [Message.Field] {
    var fields: [Message.Field] = [
      .init("remembered", "\(remembered)"), .init("replayed", "\(replayed)"), .init("skipped", "\(skipped)"),
      .init("differing", "\(differing)"), .init("noisy", "\(noisy)"),
      .init("time", "\(microseconds.before) \(microseconds.new)"),
      .init("memory", "\(bytes.before) \(bytes.new)"),
    ]
    for kind in Kind.allCases {
      if let count = counts[kind] { fields.append(.init("count", "\(count) \(kind.rawValue)")) }
    }
    for difference in differences {
      fields += [
        .init("kind", difference.kind.rawValue), .init("worse", difference.isWorse ? "1" : "0"),
        .init("request", difference.request), .init("text", difference.text),
      ]
    }
    return fields
  }

  /// Reads what `fields` wrote; nil for what no replay reports.
  public init?(_ message: Message) {
    self.init()
    func count(_ name: String) -> Int? {
      message.number(name).flatMap { (0...ReplayReport.mostRequests).contains($0) ? $0 : nil }
    }
    guard let remembered = count("remembered"), let replayed = count("replayed"),
      let skipped = count("skipped"), let differing = count("differing"), let noisy = count("noisy"),
      let time = ReplayReport.pair(message["time"]), let memory = ReplayReport.pair(message["memory"])
    else { return nil }
    (self.remembered, self.replayed, self.skipped) = (remembered, replayed, skipped)
    (self.differing, self.noisy, microseconds, bytes) = (differing, noisy, time, memory)
    for text in message.all("count") {
      let parts = text.split(separator: " ")
      guard parts.count == 2, let count = Int(parts[0]), (0...ReplayReport.mostRequests).contains(count),
        let kind = Kind(rawValue: String(parts[1]))
      else { return nil }
      counts[kind] = count
    }
    let (kinds, worse) = (message.all("kind"), message.all("worse"))
    let (requests, texts) = (message.all("request"), message.all("text"))
    guard kinds.count <= ReplayReport.mostDifferences, worse.count == kinds.count,
      requests.count == kinds.count, texts.count == kinds.count
    else { return nil }
    for (place, name) in kinds.enumerated() {
      guard let kind = Kind(rawValue: name) else { return nil }
      differences.append(
        Difference(kind, isWorse: worse[place] == "1", request: requests[place], text: texts[place]))
    }
  }

  private static func pair(_ text: String?) -> Pair? {
    let numbers = (text ?? "").split(separator: " ").compactMap { Int($0) }
    guard numbers.count == 2, numbers.allSatisfy({ (-mostFigure...mostFigure).contains($0) }) else {
      return nil
    }
    return Pair(before: numbers[0], new: numbers[1])
  }
}

/// The report as shown.
extension ReplayReport {
  /// "200 requests replayed, 3 differ (2 body, 1 fields), 12 by noise alone".
  public var summary: String {
    var text = "\(replayed) \(replayed == 1 ? "request" : "requests") replayed"
    let kinds = Kind.allCases.compactMap { kind in counts[kind].map { "\($0) \(kind.rawValue)" } }
    text += differing == 0 ? ", none differs" : ", \(differing) \(differing == 1 ? "differs" : "differ")"
    if !kinds.isEmpty { text += " (\(kinds.joined(separator: ", ")))" }
    if noisy > 0 { text += ", \(noisy) by noise alone" }
    if skipped > 0 { text += ", \(skipped) not compared" }
    return text
  }

  private var place: String { mount.isEmpty ? "/" : mount }
  private var omitted: Int { max(0, counts.values.reduce(0, +) - differences.count) }

  /// Lines for people; `stamp` is its time.
  public func lines(_ stamp: String) -> [String] {
    var lines = ["\(stamp) \(place) generation \(from) -> generation \(to): \(summary)"]
    if !verdict.isEmpty { lines.append("  \(verdict)") }
    if replayed > 0 {
      let times = [microseconds.before, microseconds.new].map(ReplayReport.milliseconds)
      let sizes = [bytes.before, bytes.new].map(ReplayReport.mebibytes)
      lines.append(
        "  time \(times[0]) ms before, \(times[1]) ms new; memory gained \(sizes[0]) MiB before, "
          + "\(sizes[1]) MiB new")
    }
    for difference in differences {
      let request = difference.request.isEmpty ? "all requests" : difference.request
      let mark = difference.isWorse ? " (worse)" : ""
      lines.append("  \(request)\(mark)")
      lines += "\(difference.kind.rawValue): \(difference.text)".split(whereSeparator: \.isNewline).map {
        "    \($0)"
      }
    }
    if omitted > 0 { lines.append("  differences that are not shown: \(omitted)") }
    return lines
  }

  /// One decimal.
  private static func tenths(_ tenths: Int) -> String {
    "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10)"
  }
  private static func milliseconds(_ microseconds: Int) -> String { tenths(microseconds / 100) }
  private static func mebibytes(_ bytes: Int) -> String { tenths(bytes * 10 / (1 << 20)) }

  /// The same for programs.
  public func json(_ stamp: String) -> JSON {
    func pair(_ pair: Pair) -> JSON { .object([("before", .int(pair.before)), ("new", .int(pair.new))]) }
    return .object([
      ("mount", .string(place)), ("from", .int(from)), ("to", .int(to)), ("at", .int(Int(at))),
      ("time", .string(stamp)), ("verdict", .string(verdict)), ("remembered", .int(remembered)),
      ("replayed", .int(replayed)), ("skipped", .int(skipped)), ("differing", .int(differing)),
      ("noisy", .int(noisy)), ("microseconds", pair(microseconds)), ("bytes", pair(bytes)),
      ("counts", .object(Kind.allCases.map { ($0.rawValue, .int(counts[$0] ?? 0)) })),
      (
        "differences",
        .array(
          differences.map {
            .object([
              ("kind", .string($0.kind.rawValue)), ("worse", .bool($0.isWorse)),
              ("request", .string($0.request)), ("text", .string($0.text)),
            ])
          })
      ),
      ("omitted", .int(omitted)),
    ])
  }
}
