// Requests that are remembered and replayed: `--swap-replay`, `--replay-credentials`, `--replay-gate`.
import Control

/// Requests that workers remember, and that a swap replays with the previous build and the new one before
/// anybody is served by the new one.
public struct ReplaySettings: Sendable, Equatable {
  /// How many of each application a worker remembers, and a swap replays at most; 0: none.
  public var requests = 0
  /// Those with Cookie or Authorization are remembered too.
  public var keepsCredentials = false
  /// The differences that refuse a swap.
  public var gate = ReplayGate()

  /// The defaults: nothing is remembered.
  public init() {}

  /// How many requests may be asked for.
  public static let requestBounds = 0...10_000
}

/// Which differences between the answers of two builds refuse the new one. A worse class of status always
/// does.
public struct ReplayGate: Sendable, Equatable {
  /// The kinds of differences that refuse it.
  public var kinds: Set<ReplayReport.Kind> = []
  /// How many times as long an answer of the new build takes to count as slower, and how many times as much
  /// memory it gains to count as larger.
  public var (time, memory) = (3.0, 2.0)

  /// The defaults: differences are reported.
  public init() {}

  /// What a factor may be.
  static let factorBounds = 1.0...1000

  /// `body,fields,time=5`; `all` names all kinds, `off` alone none.
  init(parsing text: String) throws(ValueError) {
    guard text != "off" else { return }
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard part != "all" else {
        kinds = Set(ReplayReport.Kind.allCases)
        continue
      }
      let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let kind = halves.first.flatMap({ ReplayReport.Kind(rawValue: String($0)) }) else {
        throw .unknownWord(String(part), known: ReplayReport.Kind.allCases.map(\.rawValue) + ["all", "off"])
      }
      kinds.insert(kind)
      guard halves.count == 2 else { continue }
      let factor = try Value.factor(String(halves[1]), ReplayGate.factorBounds)
      // A factor of 0 names none, and the default stays.
      switch kind {
      case .time: if factor > 0 { time = factor }
      case .memory: if factor > 0 { memory = factor }
      case .status, .fields, .body: throw .unknownWord(String(part), known: [kind.rawValue])
      }
    }
  }

  /// Why a report refuses the new build; nil if it does not.
  public func refusal(_ report: ReplayReport) -> String? {
    if let worse = report.differences.first(where: \.isWorse) { return "\(worse.request) \(worse.text)" }
    guard let found = report.differences.first(where: { kinds.contains($0.kind) }) else { return nil }
    let place = found.request.isEmpty ? "" : "\(found.request) "
    return "\(place)\(found.kind.rawValue): \(found.text) (--replay-gate \(found.kind.rawValue))"
  }
}
