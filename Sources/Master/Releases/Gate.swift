import Config
import Control

/// The gate of a swap: what the figures of the workers say about a new build.
extension Releases {
  /// Somebody needs them.
  var wantsFigures: Bool { comparedNow != nil }

  /// What is compared at this moment: a release being rolled out, or one on probation.
  private var comparedNow: (release: Int, compares: Bool)? {
    if case .rolling(let rolling) = state {
      let hasGate = rolling.target.settings.supervision.gate != nil && !rolling.fresh.isEmpty
      return hasGate ? (rolling.target.number, true) : nil
    }
    // It has a gate, or it would not soak.
    if case .swapping(let swap) = state { return swap.isSoaking ? (swap.target.number, true) : nil }
    guard let comparison, let probation, comparison.release == probation.release,
      probation.release == current?.number
    else { return nil }
    return (comparison.release, false)
  }

  mutating func measured(_ figures: [Int: WorkerFigures]) {
    guard let now = comparedNow else { return }
    if case .rolling(let rolling) = state { begin(rolling.target, before: rolling.previous, rolling.fresh) }
    if case .swapping(let swap) = state, let current {
      begin(swap.target, before: current, [swap.build], isInPlace: true)
    }
    guard var looked = comparison, looked.release == now.release else { return }
    let sides = Dictionary(uniqueKeysWithValues: workers.map { ($0.key, side(of: $0.value)) })
    looked.look(figures) { sides[$0] ?? nil }
    comparison = looked
    guard let verdict = looked.verdict(compares: now.compares) else { return }
    act(.gateClosed(verdict.figure))
    if case .rolling(let rolling) = state { return takeBack(rolling, verdict.sentence) }
    if case .swapping(let swap) = state { return takeBack(swap, verdict.sentence) }
    guard let fresh = probation?.fresh else { return }
    withdraw(verdict.sentence, of: fresh.count == 1 ? fresh[0] : nil)
  }

  /// Begins a comparison for a release on its way to the workers, if it has none.
  private mutating func begin(
    _ target: Release, before previous: Release, _ fresh: [Build], isInPlace: Bool = false
  ) {
    guard comparison?.release != target.number, let gate = target.settings.supervision.gate else { return }
    let pairs = target.builds.enumerated().compactMap { place, build -> Comparison.Pair? in
      guard fresh.contains(where: build.isSame),
        let before = previous.builds.firstIndex(where: { $0.mount == build.mount })
      else { return nil }
      return Comparison.Pair(mount: build.mount, new: place, before: before)
    }
    comparison = Comparison(release: target.number, gate, pairs, isInPlace: isInPlace)
  }

  /// Nil: neither, or the worker has not said yet what it runs.
  private func side(of worker: Worker) -> Comparison.Side? {
    if case .rolling(let rolling) = state {
      if rolling.target.runs(worker) { return .new }
      return rolling.previous.runs(worker) ? .before : nil
    }
    if case .swapping(let swap) = state {
      if swap.target.runs(worker) { return .new }
      return current?.runs(worker) ?? false ? .before : nil
    }
    return current?.runs(worker) ?? false ? .new : nil
  }

  /// The comparison that belongs to a release being rolled out, in words.
  func comparisonText(_ release: Int) -> String? {
    comparison.flatMap { $0.release == release ? $0.text : nil }
  }
}
