// A new build compared with the one before it, over the same time (`--swap-gate`): numbers in, a verdict out.
import Config
import Control
import Glibc

/// A worker's figures at one look. The numbers come from a worker or the kernel: each may have any value.
struct WorkerFigures: Equatable {
  /// Answers by the places of its applications.
  var tallies: [Tally] = []
  /// All requests that it has answered.
  var requests = 0
  /// Resident bytes; 0: unknown.
  var resident = 0
  /// Open descriptors without those of connections; nil: unknown.
  var descriptors: Int?
}

/// Both builds, from the moment when the first new worker has warmed up.
struct Comparison {
  /// Which build a worker runs.
  enum Side: CaseIterable { case new, before }

  /// A new build: its place among the applications, and that of the build before.
  struct Pair: Equatable {
    let mount: String
    let new: Int
    let before: Int
  }

  /// The finding that a build is worse, with the reason.
  struct Verdict: Equatable {
    let figure: SwapGate.Figure
    let sentence: String
  }

  private struct Seen {
    let side: Side
    /// Its figures at the first look; for a new worker, at the first one after its warm-up.
    var base: WorkerFigures?
    /// Requests that it had answered before it ran this build.
    var earlier = 0
    var last: WorkerFigures
    /// For a new worker: its figures at intervals of so many requests, the last `Comparison.marks` of them.
    var marks: [WorkerFigures] = []
  }

  /// The release whose builds are new.
  let release: Int
  let gate: SwapGate
  let pairs: [Pair]
  /// New builds serve in existing workers.
  private let isInPlace: Bool
  private var seen: [Int: Seen] = [:]
  /// What workers have shown before they were swapped in place.
  private var past: [Seen] = []
  private var all: [Seen] { seen.values + past }

  /// Marks in a row at which a leak has to show, so many requests apart; a lower number of requests than the
  /// gate asks for makes none.
  private static let marks = 5
  /// Answers that fail before they count as evidence, as without a gate.
  private static let leastFailures = 5
  /// The chance that an equal build is mistaken for a worse one: e^-7, below 1 in 1000 (Chernoff's bound).
  private static let certainty = 7.0
  /// Microseconds by which a time has to be longer at least, whatever the factor.
  private static let leastDelay = 10_000.0

  /// Something that a worker may leak.
  private struct Leak: Sendable {
    let figure: SwapGate.Figure
    let value: @Sendable (WorkerFigures) -> Int?
    /// How much has to be gained in all, and by how much the worker has to exceed those of the build before.
    let (least, above): (Int, Int)
    /// The verb for holding that much more, and the amount, in words.
    let verb: String
    let more: @Sendable (Double) -> String
    let much: @Sendable (Double) -> String
  }

  private static let memory = Leak(
    figure: .rss, value: { $0.resident }, least: 8 << 20, above: 16 << 20, verb: "grows by",
    more: { mebibytes($0) }, much: { mebibytes($0) })
  private static let descriptors = Leak(
    figure: .fds, value: { $0.descriptors }, least: 16, above: 32, verb: "opens",
    more: { "\(text($0)) descriptors" }, much: { text($0) })

  init(release: Int, _ gate: SwapGate, _ pairs: [Pair], isInPlace: Bool = false) {
    (self.release, self.gate, self.pairs, self.isInPlace) = (release, gate, pairs, isInPlace)
  }

  /// Takes the workers' current figures; ignores workers of neither side.
  mutating func look(_ figures: [Int: WorkerFigures], side: (Int) -> Side?) {
    for (id, now) in figures {
      guard let side = side(id) else { continue }
      // A worker that was swapped in place to the other side has begun anew.
      if seen[id]?.side != side {
        if let before = seen[id], before.base != nil { past.append(before) }
        seen[id] = Seen(side: side, base: nil, earlier: isInPlace ? now.requests : 0, last: now)
      }
      seen[id]!.last = now
      if side == .new { mark(id, now) }
    }
    // Before the new build has warmed up nothing is compared: its time has not begun.
    let hasBegun = seen.values.contains { $0.side == .new && $0.base != nil }
    for (id, one) in seen where one.side == .before && (one.base == nil || !hasBegun) {
      seen[id]!.base = one.last
    }
  }

  /// Requests that a new worker answers before it is compared: caches fill, and memory is touched for the
  /// first time.
  private var warmUp: Int { gate.requests / 4 }

  private mutating func mark(_ id: Int, _ now: WorkerFigures) {
    guard now.requests &- seen[id]!.earlier >= warmUp else { return }
    if seen[id]!.base == nil { seen[id]!.base = now }
    let last = seen[id]!.marks.last?.requests
    guard last == nil || now.requests >= last! &+ max(1, gate.requests / (Comparison.marks - 1)) else {
      return
    }
    seen[id]!.marks.append(now)
    if seen[id]!.marks.count > Comparison.marks { seen[id]!.marks.removeFirst() }
  }

  // MARK: Sums

  /// Answers of a side since the comparison began.
  func tally(_ side: Side, _ pair: Pair) -> Tally {
    let place = side == .new ? pair.new : pair.before
    return all.reduce(into: Tally()) { sum, one in
      guard one.side == side, let base = one.base, one.last.tallies.indices.contains(place) else { return }
      let earlier = base.tallies.indices.contains(place) ? base.tallies[place] : Tally()
      sum += one.last.tallies[place].since(earlier)
    }
  }

  /// How much the workers of a side have gained per thousand requests, and hold on average; nil without
  /// enough requests.
  func gain(_ side: Side, _ value: (WorkerFigures) -> Int?) -> (perThousand: Double, held: Double)? {
    var (gained, requests, held, count) = (0.0, 0.0, 0.0, 0)
    for one in all where one.side == side {
      guard let base = one.base, let from = value(base), let to = value(one.last), to > 0 else { continue }
      gained += Double(to) - Double(from)
      requests += max(0, Double(one.last.requests) - Double(base.requests))
      held += Double(to)
      count += 1
    }
    guard requests >= Double(gate.requests), count > 0 else { return nil }
    return (gained / requests * 1000, held / Double(count))
  }

  /// Both sides have answered enough requests for a verdict.
  func hasEnough(_ pair: Pair) -> Bool {
    Side.allCases.allSatisfy { tally($0, pair).requests >= UInt64(gate.requests) }
  }

  // MARK: Verdict

  /// The evidence against the new build.
  ///
  /// - Parameter compares: both builds serve; otherwise only the gain of its workers counts, against what
  ///   those of the build before last held and gained.
  func verdict(compares: Bool) -> Verdict? {
    if compares {
      for pair in pairs where hasEnough(pair) {
        let (new, before) = (tally(.new, pair), tally(.before, pair))
        if let verdict = failures(new, before) ?? slowness(.p50, 0.5, new, before)
          ?? slowness(.p99, 0.99, new, before)
        {
          return verdict
        }
      }
    }
    return growth(Comparison.memory) ?? growth(Comparison.descriptors)
  }

  /// Given all failures of both, tests whether the new build could have so many of them by chance if its
  /// share were just the factor times that of the other (the conditional test of two rates).
  private func failures(_ new: Tally, _ before: Tally) -> Verdict? {
    guard let factor = gate.factor(.errors) else { return nil }
    let (failed, failedBefore) = (Double(new.answers(5)), Double(before.answers(5)))
    let (all, allBefore) = (Double(new.requests), Double(before.requests))
    guard new.answers(5) >= UInt64(Comparison.leastFailures), all > 0, allBefore > 0 else { return nil }
    let expected = factor * all / (factor * all + allBefore)
    let share = failed / (failed + failedBefore)
    let evidence = Comparison.evidence(share, against: expected, of: failed + failedBefore)
    guard evidence > Comparison.certainty else { return nil }
    let (ratio, ratioBefore) = (failed / all, failedBefore / allBefore)
    return Verdict(
      figure: .errors,
      sentence: "\(new.answers(5)) of \(new.requests) answers were 5xx (\(Comparison.text(ratio * 100)) %), "
        + "against \(before.answers(5)) of \(before.requests) (\(Comparison.text(ratioBefore * 100)) %) "
        + during(.errors, factor))
  }

  /// More requests took longer than the bound than chance explains.
  private func slowness(
    _ figure: SwapGate.Figure, _ quantile: Double, _ new: Tally, _ before: Tally
  ) -> Verdict? {
    guard let factor = gate.factor(figure), let usual = before.percentile(quantile),
      let time = new.percentile(quantile)
    else { return nil }
    let bound = max(usual * factor, usual + Comparison.leastDelay)
    guard time > bound else { return nil }
    // Only buckets that lie entirely above it are certain to be longer.
    let places = new.buckets.indices.filter { place in
      let index = place - new.buckets.startIndex
      return index > 0 && Double(Latency.bounds[index - 1]) >= bound
    }
    let longer = Double(places.reduce(UInt64(0)) { $0 &+ new.buckets[$1] })
    let all = Double(new.buckets.reduce(0, &+))
    guard all > 0 else { return nil }
    let evidence = Comparison.evidence(longer / all, against: 1 - quantile, of: all)
    guard evidence > Comparison.certainty else { return nil }
    return Verdict(
      figure: figure,
      sentence:
        "\(figure.rawValue) was \(Comparison.milliseconds(time)) over \(new.requests) requests, against "
        + "\(Comparison.milliseconds(usual)) over \(before.requests) \(during(figure, factor))")
  }

  private func growth(_ what: Leak) -> Verdict? {
    guard let factor = gate.factor(what.figure), let usual = gain(.before, what.value) else { return nil }
    let allowed = factor * max(0, usual.perThousand)
    for one in seen.values where one.side == .new {
      guard let leak = leak(one, what), leak.perThousand > allowed,
        leak.held > usual.held + Double(what.above)
      else { continue }
      return Verdict(
        figure: what.figure,
        sentence: "a worker \(what.verb) \(what.more(leak.perThousand)) with 1000 requests and holds "
          + "\(what.much(leak.held)), against \(what.much(usual.perThousand)) and \(what.much(usual.held)) "
          + during(what.figure, factor))
    }
    return nil
  }

  /// How much a worker gains from mark to mark, if it gains each time: memory that fills once and stays is
  /// not a leak.
  private func leak(_ one: Seen, _ what: Leak) -> (perThousand: Double, held: Double)? {
    let values = one.marks.compactMap(what.value)
    guard one.marks.count == Comparison.marks, values.count == Comparison.marks else { return nil }
    let steps = zip(values.dropFirst(), values).map { Double($0) - Double($1) }
    let gained = steps.reduce(0, +)
    guard gained >= Double(what.least), steps.allSatisfy({ $0 >= gained / 16 }) else { return nil }
    let requests = Double(one.marks[Comparison.marks - 1].requests) - Double(one.marks[0].requests)
    guard requests > 0 else { return nil }
    return (gained / requests * 1000, Double(values[Comparison.marks - 1]))
  }

  /// How certain it is that a share is above another one, in this many tries: -ln of Chernoff's bound on the
  /// probability that it is chance.
  static func evidence(_ share: Double, against expected: Double, of count: Double) -> Double {
    guard share > expected, expected > 0, expected < 1, count > 0 else { return 0 }
    let rest = share < 1 ? (1 - share) * log((1 - share) / (1 - expected)) : 0
    return count * (share * log(share / expected) + rest)
  }
}

/// In words.
extension Comparison {
  private func during(_ figure: SwapGate.Figure, _ factor: Double) -> String {
    "of the build before in the same time (--swap-gate \(figure.rawValue)=\(Comparison.text(factor)))"
  }

  /// Both sides at a glance, for status and the record; nil before anything was answered.
  var text: String? {
    let lines = pairs.compactMap { pair -> String? in
      let (new, before) = (tally(.new, pair), tally(.before, pair))
      guard new.requests > 0 else { return nil }
      let place = pair.mount.isEmpty ? "/" : pair.mount
      let much = hasEnough(pair) ? "" : ", too few to compare"
      return "\(place) new: \(Comparison.words(new)), before: \(Comparison.words(before))\(much)"
    }
    return lines.isEmpty ? nil : lines.joined(separator: "; ")
  }

  private static func words(_ tally: Tally) -> String {
    guard tally.requests > 0 else { return "0 requests" }
    let share = Double(tally.answers(5)) / Double(tally.requests) * 100
    return
      "\(tally.requests) requests, \(text(share)) % failed, p50 \(milliseconds(tally.percentile(0.5) ?? 0)), "
      + "p99 \(milliseconds(tally.percentile(0.99) ?? 0))"
  }

  /// The figures of both sides, for drawing.
  var compared: [Snapshot.Compared] {
    pairs.flatMap { pair in
      Side.allCases.map { side in
        let tally = tally(side, pair)
        let (bytes, files) = (gain(side, Comparison.memory.value), gain(side, Comparison.descriptors.value))
        return Snapshot.Compared(
          mount: pair.mount.isEmpty ? "/" : pair.mount, isNew: side == .new,
          requests: Comparison.whole(Double(tally.requests)),
          failed: Comparison.whole(Double(tally.answers(5))),
          half: Comparison.whole(tally.percentile(0.5) ?? 0),
          most: Comparison.whole(tally.percentile(0.99) ?? 0),
          bytes: Comparison.whole(bytes?.perThousand ?? 0),
          descriptors: Comparison.whole(files?.perThousand ?? 0))
      }
    }
  }

  /// A number of any size as an integer.
  private static func whole(_ value: Double) -> Int { Int(max(-1e15, min(1e15, value))) }

  /// One decimal, none if it is 0.
  static func text(_ value: Double) -> String {
    let tenths = whole((value * 10).rounded())
    let sign = tenths < 0 ? "-" : ""
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(sign)\(abs(tenths / 10)).\(abs(tenths % 10))"
  }

  private static func milliseconds(_ microseconds: Double) -> String { "\(text(microseconds / 1000)) ms" }
  private static func mebibytes(_ bytes: Double) -> String { "\(text(bytes / 1_048_576)) MiB" }
}
