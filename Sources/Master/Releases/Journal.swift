// What `Releases` remembers of changes: who asked, how long each step took, how they ended.
import Config
import Control

/// What a change is doing, for its record. `canary` is the time until the others follow the first new worker.
enum ChangeStep: String, CaseIterable {
  /// Other changes were in progress.
  case waiting
  case staging
  /// Remembered requests are replayed.
  case replaying
  case canary
  case rolling
  case inPlace = "in_place"
  /// Workers switch to other certificates.
  case presenting
  case handingOver = "handing_over"
}

/// The last changes, oldest first, and the one in progress.
struct Journal {
  /// The change in progress.
  struct Course {
    let ticket: Int
    var steps: [(step: ChangeStep, nanoseconds: UInt64)] = []
    /// Since when, in monotonic nanoseconds.
    var current: (step: ChangeStep, began: UInt64)?
    /// The builds that served when it began to change something.
    var from: [Build] = []
    /// The builds that were to serve.
    var to: [Build] = []
    /// The release that was rolled out.
    var release: Int?
    /// What came of a replay, in words.
    var replay: String?

    init(ticket: Int) { self.ticket = ticket }

    /// Enters another step; nil: none.
    mutating func enters(_ step: ChangeStep?, at now: UInt64) {
      guard step != current?.step else { return }
      if let current { add(current.step, now &- current.began) }
      current = step.map { ($0, now) }
    }

    /// Notes which builds are to be replaced by which.
    mutating func changes(_ from: [Build], to: [Build]) { (self.from, self.to) = (from, to) }

    mutating func add(_ step: ChangeStep, _ nanoseconds: UInt64) {
      if let place = steps.firstIndex(where: { $0.step == step }) {
        steps[place].nanoseconds &+= nanoseconds
      } else {
        steps.append((step, nanoseconds))
      }
    }
  }

  private(set) var records: [ChangeRecord] = []
  /// Records that this master has added.
  private(set) var added = 0
  var course: Course?

  /// With the records that the previous master has left.
  init(_ records: [ChangeRecord] = []) { self.records = records.suffix(Limits.changesKept) }

  mutating func add(_ record: ChangeRecord) {
    inherit(record)
    added += 1
  }

  /// Adds a record that the previous master has made after handing over the others.
  mutating func inherit(_ record: ChangeRecord) {
    records.append(record)
    if records.count > Limits.changesKept { records.removeFirst() }
  }
}

extension Releases {
  /// The step of the change in progress.
  private var step: ChangeStep? {
    switch state {
    case .staging: .staging
    case .replaying: .replaying
    case .rolling(let rolling): rolling.hasSoaked ? .rolling : .canary
    case .swapping(let swap): swap.isSoaking ? .canary : .inPlace
    case .presenting: .presenting
    case .handingOver: .handingOver
    case .starting, .serving, .stopping: nil
    }
  }

  /// The state has changed: the journal follows.
  mutating func follow() {
    if let request, journal.course?.ticket != request.ticket {
      var course = Journal.Course(ticket: request.ticket)
      course.add(.waiting, now &- request.asked)
      journal.course = course
    }
    let step = step
    journal.course?.enters(step, at: now)
    switch state {
    case .rolling(let rolling):
      journal.course?.changes(rolling.previous.builds, to: rolling.target.builds)
      journal.course?.release = rolling.target.number
    case .swapping(let swap):
      let before = current?.builds ?? []
      journal.course?.changes(before, to: swap.target.builds)
      journal.course?.release = swap.target.number
    case .replaying(let prepared):
      journal.course?.changes(current?.builds ?? [], to: prepared.target.builds)
    case .starting, .serving, .staging, .presenting, .handingOver, .stopping: break
    }
  }

  /// A change has ended.
  mutating func record(_ request: Request, _ outcome: Outcome) {
    var course = Journal.Course(ticket: request.ticket)
    if journal.course?.ticket == request.ticket, let known = journal.course {
      course = known
      journal.course = nil
    } else {
      course.add(.waiting, now &- request.asked)
    }
    course.enters(nil, at: now)
    let end: ChangeRecord.End =
      switch outcome {
      case .done(_, changed: true): .done
      case .done(_, changed: false): .unchanged
      case .refused: .refused
      }
    // The figures of the compared build, whatever is served in the end.
    let compared = course.release.flatMap(comparisonText)
    let figures = [course.replay, compared].compactMap { $0 }.joined(separator: "; ")
    let steps = course.steps.map {
      ChangeRecord.Step($0.step.rawValue, microseconds: Int($0.nanoseconds / 1000))
    }
    journal.add(
      ChangeRecord(
        change: request.change.verb, at: request.at, causes: request.causes,
        moves: Releases.moves(course.from, course.to), steps: steps, end: end, text: outcome.text,
        figures: figures))
  }

  /// Builds were taken back by the server itself.
  mutating func recordTakingBack(_ builds: [Build], _ serving: [Build], _ reason: String) {
    let kept = serving.filter { build in !builds.contains(where: build.isSame) }
    journal.add(
      ChangeRecord(
        change: "take back", at: calendar, causes: [.init(.server)], moves: Releases.moves(builds, kept),
        steps: [], end: .takenBack, text: reason))
  }

  /// What changes for each application of `from`, and for those that are added.
  private static func moves(_ from: [Build], _ to: [Build]) -> [ChangeRecord.Move] {
    func short(_ build: Build?) -> ChangeRecord.Build {
      build.map { ChangeRecord.Build($0.generation, $0.buildID) } ?? ChangeRecord.Build()
    }
    let mounts = from.map(\.mount) + to.map(\.mount).filter { mount in !from.contains { $0.mount == mount } }
    return mounts.compactMap { mount in
      let (old, new) = (from.first { $0.mount == mount }, to.first { $0.mount == mount })
      if old?.generation == new?.generation { return nil }
      return ChangeRecord.Move(mount: mount, from: short(old), to: short(new))
    }
  }
}
