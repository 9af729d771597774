/// Counts of answers: how many of each kind, of what size, and how long they took. The numbers add up: those
/// of workers that have ended still count.
public struct Tally: Equatable, Sendable {
  /// The protocols of front ends and clients, in the order of the cells.
  public static let gateways = ["http", "scgi", "uwsgi", "fastcgi"]
  /// How many numbers there are.
  public static let cells = Cell.late + 1

  /// The place of each number.
  public enum Cell {
    /// Answers with 1xx to 5xx, one cell each.
    public static let classes = 0
    /// Requests by protocol, one cell each.
    public static let gateways = 5
    /// Bytes of request bodies.
    public static let received = 9
    /// Bytes of response bodies.
    public static let sent = 10
    /// Microseconds of all requests together.
    public static let microseconds = 11
    /// Requests by the time they took: one cell for each of `Latency.bounds`, and one for longer ones.
    public static let buckets = 12
    /// Answers that were files.
    public static let files = buckets + Latency.bounds.count + 1
    /// Requests whose time (`--harakiri`) was over before their end.
    public static let late = files + 1
  }

  /// The numbers, `cells` of them.
  public private(set) var values: [UInt64]

  /// Nothing counted yet.
  public init() { values = Array(repeating: 0, count: Tally.cells) }

  /// Numbers as written; missing ones are 0, further ones are ignored.
  public init(_ values: some Sequence<UInt64>) {
    self.init()
    for (index, value) in values.prefix(Tally.cells).enumerated() { self.values[index] = value }
  }

  /// Requests that were answered.
  public var requests: UInt64 { values[Cell.classes..<Cell.gateways].reduce(0, &+) }
  /// Answers whose status begins with `digit`, 1 to 5.
  public func answers(_ digit: Int) -> UInt64 { values[Cell.classes + digit - 1] }
  /// Requests by protocol: a place in `gateways`.
  public func spoken(_ place: Int) -> UInt64 { values[Cell.gateways + place] }
  /// Bytes of request bodies.
  public var received: UInt64 { values[Cell.received] }
  /// Bytes of response bodies.
  public var sent: UInt64 { values[Cell.sent] }
  /// Microseconds of all requests together.
  public var microseconds: UInt64 { values[Cell.microseconds] }
  /// Requests by the time they took, by `Latency.bounds`, plus one more number.
  public var buckets: ArraySlice<UInt64> { values[Cell.buckets..<Cell.files] }
  /// Answers that were files.
  public var files: UInt64 { values[Cell.files] }
  /// Requests whose time (`--harakiri`) was over before their end.
  public var late: UInt64 { values[Cell.late] }

  /// Adds another's numbers.
  public static func += (left: inout Tally, right: Tally) {
    for index in left.values.indices { left.values[index] &+= right.values[index] }
  }

  /// What has been added since an earlier one; for a number that fell, all of it.
  public func since(_ earlier: Tally) -> Tally {
    Tally(zip(values, earlier.values).map { $0 >= $1 ? $0 - $1 : $0 })
  }

  /// Microseconds below which a share of the requests, 0 to 1, stayed, by linear interpolation within its
  /// bucket; nil without requests.
  public func percentile(_ share: Double) -> Double? {
    let total = buckets.reduce(0, &+)
    guard total > 0 else { return nil }
    let rank = share * Double(total)
    var below = 0.0
    for (index, count) in buckets.enumerated() where count > 0 {
      let next = below + Double(count)
      guard rank > next else {
        let low = index == 0 ? 0 : Double(Latency.bounds[index - 1])
        let high = index < Latency.bounds.count ? Double(Latency.bounds[index]) : low
        return low + (high - low) * (rank - below) / Double(count)
      }
      below = next
    }
    return Double(Latency.bounds[Latency.bounds.count - 1])
  }
}

/// How times are sorted for counting: 1, 2, 5, 10, … from ten microseconds to a hundred seconds.
public enum Latency {
  /// The upper end of each bucket in microseconds, itself included.
  public static let bounds: [UInt64] =
    (1...7).flatMap { (power: Int) -> [UInt64] in
      let one = (0..<power).reduce(UInt64(1)) { product, _ in product * 10 }
      return [one, 2 * one, 5 * one]
    } + [100_000_000]

  /// The place of a time in `bounds`; their count for a time above all. Computed rather than looked up: most
  /// requests take few steps.
  @inlinable
  public static func bucket(_ microseconds: UInt64) -> Int {
    var (index, bound) = (0, UInt64(10))
    while microseconds > bound, index < 22 {
      bound = index % 3 == 1 ? bound / 2 * 5 : bound * 2
      index += 1
    }
    return index
  }
}
