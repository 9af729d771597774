import Config
import Control

/// Something that requests are replayed to.
protocol ReplayTarget {
  /// Its answer; one with a fault if it gives none within so many nanoseconds.
  func ask(_ request: ReplayRequest, patience: UInt64) -> ReplayAnswer
  /// Whether it can still be asked.
  var isAlive: Bool { get }
  /// Resident bytes.
  var residentBytes: Int { get }
}

/// Replays requests, one after the other, to two copies of the previous builds and to one of the new ones,
/// and collects what differs beyond what differs between the first two.
struct ReplayCourse {
  /// Two copies of the previous builds.
  let usual: [any ReplayTarget]
  let new: any ReplayTarget
  /// The places of the applications among those that serve; each has a report.
  let apps: [Int]
  let gate: ReplayGate
  /// Monotonic nanoseconds.
  let clock: () -> UInt64
  private(set) var reports: [ReplayReport]

  /// Requests after which what a build has gained counts, and bytes that it has to exceed those of the build
  /// before by.
  static let (leastForMemory, leastBytes) = (20, 16 << 20)

  init(
    usual: [any ReplayTarget], new: any ReplayTarget, apps: [Int], _ gate: ReplayGate,
    clock: @escaping () -> UInt64
  ) {
    (self.usual, self.new, self.apps) = (usual, new, apps)
    (self.gate, self.clock) = (gate, clock)
    reports = apps.map { _ in ReplayReport() }
  }

  private var targets: [any ReplayTarget] { usual + [new] }

  /// Replays the requests, as many as there is time for.
  mutating func run(_ requests: [ReplayRequest]) {
    let end = clock() &+ UInt64(Limits.replaySeconds * 1e9)
    var before = targets.map(\.residentBytes)
    var last: (request: String, place: Int)?
    for (index, request) in requests.enumerated() {
      guard let place = apps.firstIndex(of: request.app) else { continue }
      reports[place].remembered += 1
      guard clock() < end, targets.allSatisfy(\.isAlive) else {
        reports[place].skipped += 1
        continue
      }
      // Memory is touched for the first time by the first ones.
      if index == requests.count / 4 { before = targets.map(\.residentBytes) }
      replay(request, place)
      last = (request.line, place)
    }
    if let last, !new.isAlive { noteEnd(after: last.request, last.place) }
    if targets.allSatisfy(\.isAlive) { weigh(since: before) }
  }

  /// The new build's process has ended. If it did so while it was answering, that is known already; if the
  /// others have ended too, it says nothing about the new build.
  private mutating func noteEnd(after request: String, _ place: Int) {
    let isKnown = reports.contains { $0.differences.contains(where: \.isWorse) }
    guard !isKnown, usual.allSatisfy(\.isAlive) else { return }
    reports[place].differing += 1
    reports[place].add(
      .init(
        .status, isWorse: true, request: request,
        text: "is as far as it came: its process ended afterwards, while nothing was asked of it"))
  }

  private mutating func replay(_ request: ReplayRequest, _ place: Int) {
    var comparison = AnswerComparison(isHead: request.isHead, slowness: gate.time)
    var hasDiffered = false
    for round in 0..<AnswerComparison.rounds {
      guard let answers = ask(request, round) else {
        if round == 0 { return reports[place].skipped += 1 }
        break
      }
      if round == 0 { count(answers.usual, answers.new, place) }
      comparison.take(usual: answers.usual, new: answers.new)
      if comparison.findings.isEmpty { break }
      hasDiffered = true
      if !new.isAlive { break }
    }
    reports[place].replayed += 1
    guard !comparison.findings.isEmpty else {
      if hasDiffered || comparison.isNoisy { reports[place].noisy += 1 }
      return
    }
    reports[place].differing += 1
    for finding in comparison.findings {
      reports[place].add(
        .init(finding.kind, isWorse: finding.isWorse, request: request.line, text: finding.text))
    }
  }

  /// The answers of a round; nil if the previous build does not answer. The new one is asked last in one
  /// round, and first in the next.
  private func ask(_ request: ReplayRequest, _ round: Int) -> (usual: [ReplayAnswer], new: ReplayAnswer)? {
    let patience = UInt64(Limits.replayAnswerSeconds * 1e9)
    // In an odd round it is known how long the others take, and whether it answers.
    let first = round % 2 == 1 ? new.ask(request, patience: 2 * patience) : nil
    var answers: [ReplayAnswer] = []
    for target in usual {
      let answer = target.ask(request, patience: patience)
      guard answer.fault == nil, answer.status != 0 else { return nil }
      answers.append(answer)
    }
    let longest = answers.map(\.microseconds).max() ?? 0
    // Ten times as long, in nanoseconds.
    let own = min(max(patience, longest &* 10_000), 2 * patience)
    return (answers, first ?? new.ask(request, patience: own))
  }

  private mutating func count(_ answers: [ReplayAnswer], _ answer: ReplayAnswer, _ place: Int) {
    let sum = answers.reduce(0) { $0 + Int(clamping: $1.microseconds) }
    reports[place].microseconds.before += sum / max(1, answers.count)
    reports[place].microseconds.new += Int(clamping: answer.microseconds)
  }

  /// Compares the memory that the copies have gained.
  private mutating func weigh(since before: [Int]) {
    let gained = zip(targets, before).map { $0.residentBytes - $1 }
    guard let own = gained.last, let most = gained.dropLast().max() else { return }
    for place in reports.indices { reports[place].bytes = .init(before: most, new: own) }
    let replayed = reports.reduce(0) { $0 + $1.replayed }
    guard replayed >= ReplayCourse.leastForMemory, own - most >= ReplayCourse.leastBytes,
      Double(own) > gate.memory * Double(max(0, most))
    else { return }
    reports[0].add(
      .init(
        .memory, request: "",
        text: "\(ReplayCourse.mebibytes(own)) MiB were gained with \(replayed) requests, and "
          + "\(ReplayCourse.mebibytes(most)) MiB by the build before"))
  }

  private static func mebibytes(_ bytes: Int) -> String {
    let tenths = abs(bytes) * 10 / (1 << 20)
    return "\(bytes < 0 ? "-" : "")\(tenths / 10).\(tenths % 10)"
  }
}
