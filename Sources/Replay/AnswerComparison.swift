import Config
import Control

/// A difference between a new build's answers and those of two copies of the previous one.
struct Finding: Equatable {
  let kind: ReplayReport.Kind
  var isWorse = false
  let text: String
}

/// The answers to one request, as often as it was replayed: those of two copies of the previous build, and
/// those of the new one. What differs among the former is noise.
struct AnswerComparison {
  /// Of both copies of the previous build.
  private(set) var usual: [ReplayAnswer] = []
  private(set) var new: [ReplayAnswer] = []
  /// The request was HEAD: its answers have no bodies.
  let isHead: Bool
  /// How many times as long an answer has to take to count as slower.
  let slowness: Double

  /// The differences that each answer of the new build shows.
  private(set) var findings: [Finding] = []
  /// Something is noise.
  private(set) var isNoisy = false

  /// Microseconds by which an answer has to take longer at least, whatever the factor.
  static let leastDelay = 10_000.0
  /// How often a request that seems to be answered differently is replayed in all: what differs once is
  /// chance, such as a second that has passed between two answers.
  static let rounds = 3

  init(isHead: Bool, slowness: Double) { (self.isHead, self.slowness) = (isHead, slowness) }

  /// The previous build has answered: there is something to compare with.
  var isComparable: Bool { usual.allSatisfy { $0.fault == nil && $0.status != 0 } }

  /// Takes the answers of another round, and compares all of them anew.
  mutating func take(usual answers: [ReplayAnswer], new answer: ReplayAnswer) {
    usual += answers
    new.append(answer)
    (findings, isNoisy) = ([], false)
    guard isComparable else { return }
    compareTimes()
    if compareStatus() {
      compareFields()
      if !isHead { compareBodies() }
    }
  }

  // MARK: Status

  /// False if the answers are so different that nothing else counts.
  private mutating func compareStatus() -> Bool {
    let (before, now) = (usual.map(\.rank).max() ?? 0, new.map(\.rank).min() ?? 0)
    let (old, others) = (Set(usual.map(\.status)), Set(new.map(\.status)))
    if old.count > 1 { isNoisy = true }
    guard now > before || old.isDisjoint(with: others) else { return old.count == 1 }
    findings.append(
      Finding(
        kind: .status, isWorse: now > before,
        text: "was answered with \(new[0].words), and with \(usual[0].words) by the build before"))
    return false
  }

  // MARK: Time

  private mutating func compareTimes() {
    guard new.allSatisfy({ $0.fault == nil }) else { return }
    let before = Double(usual.map(\.microseconds).max() ?? 0)
    let now = Double(new.map(\.microseconds).min() ?? 0)
    guard now > before * slowness, now > before + AnswerComparison.leastDelay else { return }
    findings.append(
      Finding(
        kind: .time,
        text: "took \(AnswerComparison.milliseconds(now)) ms or longer, and no longer than "
          + "\(AnswerComparison.milliseconds(before)) ms with the build before"))
  }

  private static func milliseconds(_ microseconds: Double) -> String {
    let tenths = Int(min(microseconds, 1e12) / 100)
    return "\(tenths / 10).\(tenths % 10)"
  }

  // MARK: Fields

  private mutating func compareFields() {
    let names = Set((usual + new).flatMap { $0.fields.map(\.name) })
    // The length follows from the body, where there is one.
    for name in names.sorted() where isHead || name != "content-length" { compareField(name) }
  }

  private mutating func compareField(_ name: String) {
    let (old, others) = (usual.map { $0.values(name) }, new.map { $0.values(name) })
    let isGone = others.allSatisfy(\.isEmpty)
    if Set(old).count > 1 {
      isNoisy = true
      guard isGone, !old.contains([]) else { return }
      return findings.append(Finding(kind: .fields, text: "\(name) is missing"))
    }
    let expected = old[0]
    guard !others.contains(expected) else { return }
    let words = AnswerComparison.words
    let text =
      if isGone {
        "\(name) is missing"
      } else if expected.isEmpty {
        "\(name) is new: \(words(others[0]))"
      } else {
        "\(name): \(words(expected)) became \(words(others[0]))"
      }
    findings.append(Finding(kind: .fields, text: text))
  }

  /// Values in quotes, the beginning of long ones.
  private static func words(_ values: [String]) -> String {
    values.map { value in
      "\"\(Printable.text(String(value.prefix(80))))\(value.count > 80 ? "…" : "")\""
    }.joined(separator: ", ")
  }

  // MARK: Bodies

  private mutating func compareBodies() {
    let first = usual[0]
    func isSame(_ answer: ReplayAnswer) -> Bool { answer.length == first.length && answer.hash == first.hash }
    let isStable = usual.allSatisfy(isSame)
    if new.contains(where: isSame) {
      isNoisy = isNoisy || !isStable
      return
    }
    let plain = usual.map(AnswerComparison.plain)
    // In bytes that stay compressed nobody can tell where the noise is.
    guard isStable || plain.allSatisfy({ $0 != nil }) else { return isNoisy = true }
    let old = zip(usual, plain).map { $1 ?? $0.body }
    let others = new.map { AnswerComparison.plain($0) ?? $0.body }
    guard (usual + new).allSatisfy(\.isKept) else { return compareCut(isStable, old[0], others[0]) }
    if JSONText.mayBe(old[0]), compareAsJSON(old, others) { return }
    let template = BodyTemplate(old)
    isNoisy = isNoisy || template.hasNoise
    guard let mismatch = mismatch(template, others) else { return }
    findings.append(
      Finding(
        kind: .body,
        text: "byte \(mismatch.place): \(mismatch.expected) became \(mismatch.found)"))
  }

  /// What is missing in each of the bodies; nil if one of them differs by noise alone.
  private func mismatch(_ template: BodyTemplate, _ bodies: [[UInt8]]) -> BodyTemplate.Mismatch? {
    var first: BodyTemplate.Mismatch?
    for body in bodies {
      guard let found = template.mismatch(body) else { return nil }
      first = first ?? found
    }
    return first
  }

  /// Bodies that are too long to be kept.
  private mutating func compareCut(_ isStable: Bool, _ old: [UInt8], _ other: [UInt8]) {
    guard isStable else { return isNoisy = true }
    let same = ByteSearch.common(old, from: 0, other, from: 0)
    let place = same == min(old.count, other.count) ? "behind byte \(same)" : "at byte \(same)"
    findings.append(
      Finding(
        kind: .body, text: "differs \(place); \(usual[0].length) bytes became \(new[0].length)"))
  }

  /// False if one of them is no JSON.
  private mutating func compareAsJSON(_ old: [[UInt8]], _ others: [[UInt8]]) -> Bool {
    let (before, now) = (old.compactMap { JSONText($0) }, others.compactMap { JSONText($0) })
    guard before.count == old.count, now.count == others.count else { return false }
    var noise = JSONNoise()
    for other in before.dropFirst() { noise.add(JSONDifference.all(before[0], other)) }
    let found = now.map { JSONDifference.all(before[0], $0).filter { !noise.covers($0) } }
    isNoisy = isNoisy || !noise.isEmpty
    // In each of them, whatever the new value is.
    let common = found.dropFirst().reduce(Set(found[0].map(\.path))) { common, differences in
      common.intersection(differences.map(\.path))
    }
    let shown = found[0].filter { common.contains($0.path) }
    guard !shown.isEmpty else { return true }
    let words = shown.prefix(3).map { "\($0.path): \($0.text)" }.joined(separator: "; ")
    let more = shown.count > 3 ? "; and \(shown.count - 3) more" : ""
    findings.append(Finding(kind: .body, text: Printable.text(words) + more))
    return true
  }

  /// A body as it was before it was compressed, as far as it is kept; nil if that cannot be found out.
  private static func plain(_ answer: ReplayAnswer) -> [UInt8]? {
    guard answer.isKept, let coding = answer.values("content-encoding").last else { return answer.body }
    return Inflating.plain(answer.body, coding: coding, most: 4 * Limits.replayBodyBytes)
  }
}
