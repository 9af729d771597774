/// How much worse than the previous build a new one may be while both serve: the factors of `--swap-gate`.
public struct SwapGate: Sendable, Equatable {
  /// A figure that is compared.
  public enum Figure: String, Sendable, CaseIterable {
    /// The share of answers with 5xx.
    case errors
    /// The time below which half of the requests, and 99 of 100, stay.
    case p50, p99
    /// Resident memory that a worker gains per thousand requests.
    case rss
    /// Descriptors that it gains per thousand requests, apart from those of connections.
    case fds
  }

  /// The factor of each figure: how many times the figure of the previous build is still allowed; 0: it does
  /// not count.
  public var factors: [Figure: Double] = [.errors: 2, .p50: 3, .p99: 3, .rss: 2, .fds: 2]
  /// Requests that each build has to answer in the same time before there is a verdict.
  public var requests = 200

  /// The defaults.
  public init() {}

  /// The numbers of requests that a gate may ask for.
  public static let requestBounds = 20...1_000_000

  /// The factor of a figure; nil: it does not count.
  public func factor(_ figure: Figure) -> Double? { factors[figure].flatMap { $0 > 0 ? $0 : nil } }

  /// `errors=2,p99=3,requests=500`; anything not named keeps its default. `on` names nothing.
  init(parsing text: String) throws(ValueError) {
    guard text != "on" else { return }
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let known = Figure.allCases.map(\.rawValue) + ["requests"]
      guard let name = halves.first.map(String.init), known.contains(name) else {
        throw .unknownWord(String(part), known: known.map { "\($0)=N" })
      }
      guard halves.count == 2, !halves[1].isEmpty else { throw .empty(example: "\(name)=2") }
      if let figure = Figure(rawValue: name) {
        let factor = try Value.factor(String(halves[1]), 1...1000)
        factors[figure] = factor
      } else {
        requests = try Value.number(String(halves[1]), SwapGate.requestBounds)
      }
    }
  }
}
