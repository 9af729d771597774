import Control

/// Counts since the server's start, whichever processes have come and gone meanwhile.
struct Statistics {
  /// Answers of workers that have ended, by the application's mount.
  private var past: [String: Tally] = [:]
  private var pastOwn = Tally()
  /// How often each thing has happened, by its name in the statistics.
  private(set) var counts: [String: Int] = [:]
  /// Processes that each seat has had.
  private var processes: [Int: Int] = [:]
  /// Requests beyond their time in the earlier processes of each seat.
  private var pastLate: [Int: UInt64] = [:]
  /// How the last changes ended.
  private(set) var changes: [Snapshot.Happening] = []
  /// The phase of the change in progress, and since when, in monotonic nanoseconds.
  private var phase: (phase: ChangePhase, change: Int, began: UInt64)?
  /// What the next master has been told about workers that go on answering, by their number.
  private var told: [Int: [Tally]] = [:]
  /// Changes that are remembered.
  private static let kept = 20

  /// Counts that something has happened once more.
  mutating func count(_ name: String) { counts[name, default: 0] += 1 }

  /// Counts a new process of a seat.
  mutating func started(_ seat: Int) { processes[seat, default: 0] += 1 }

  /// How many processes a seat had before its current one.
  func respawns(_ seat: Int) -> Int { max(0, processes[seat, default: 1] - 1) }

  /// Requests beyond their time (`--harakiri`) in the earlier processes of a seat.
  func late(_ seat: Int) -> UInt64 { pastLate[seat] ?? 0 }

  /// A change has ended.
  mutating func changed(_ text: String, at seconds: Int64) {
    changes.append(Snapshot.Happening(at: Int(seconds), text: text))
    if changes.count > Statistics.kept { changes.removeFirst() }
  }

  /// Notes the current phase of the change in progress, nil for none: counts how long each phase took.
  mutating func enters(_ now: (phase: ChangePhase, change: Int)?, at time: UInt64) {
    if let phase, phase.phase != now?.phase || phase.change != now?.change {
      counts["phase_\(phase.phase.rawValue)", default: 0] += 1
      counts["phase_\(phase.phase.rawValue)_us", default: 0] += Int((time - phase.began) / 1000)
      self.phase = nil
    }
    if phase == nil, let now { phase = (now.phase, now.change, time) }
  }

  /// A worker has ended: keeps the counts of its answers.
  mutating func keep(_ board: Scoreboard, mounts: [String], seat: Int) {
    pastLate[seat, default: 0] &+= (0...Scoreboard.own).reduce(0) { $0 &+ board.tally($1).late }
    // The places after the last one are the server's own, and belong to no application.
    for (place, mount) in mounts.prefix(Scoreboard.apps).enumerated() {
      past[mount, default: Tally()] += board.tally(place)
    }
    pastOwn += board.tally(Scoreboard.own)
  }

  /// All answers of an application.
  func tally(_ mount: String, and boards: [(board: Scoreboard, place: Int)]) -> Tally {
    boards.filter { $0.place < Scoreboard.apps }
      .reduce(into: past[mount] ?? Tally()) { $0 += $1.board.tally($1.place) }
  }

  /// All answers of the server itself.
  func own(and boards: [Scoreboard]) -> Tally {
    boards.reduce(into: pastOwn) { $0 += $1.tally(Scoreboard.own) }
  }
}

/// The phases of a change, for its figures.
enum ChangePhase: String, CaseIterable {
  /// Builds are copied, inspected and tried.
  case staging
  /// Remembered requests are replayed.
  case replaying
  case rolling
  case inPlace = "in_place"
  case presenting
  case handingOver = "handing_over"
}

extension Releases {
  /// The phase of the change in progress, and which change it is.
  var phase: (phase: ChangePhase, change: Int)? {
    guard let request else { return nil }
    switch state {
    case .staging: return (.staging, request.ticket)
    case .replaying: return (.replaying, request.ticket)
    case .rolling: return (.rolling, request.ticket)
    case .swapping: return (.inPlace, request.ticket)
    case .presenting: return (.presenting, request.ticket)
    case .handingOver: return (.handingOver, request.ticket)
    case .starting, .serving, .stopping: return nil
    }
  }
}

/// Counts cross an upgrade: the master that hands over reports all of them, and later, as each of its last
/// workers ends, what that one still answered. None is reported twice, and no counter ever falls.
extension Statistics {
  /// Everything up to now, from workers that have ended and from those that serve.
  mutating func legacy(_ workers: [(id: Int, board: Scoreboard, mounts: [String])]) -> [Message
    .Field]
  {
    var (all, own) = (past, pastOwn)
    for worker in workers {
      let tallies = (0...Scoreboard.own).map { worker.board.tally($0) }
      for (place, mount) in worker.mounts.prefix(Scoreboard.apps).enumerated() {
        all[mount, default: Tally()] += tallies[place]
      }
      own += tallies[Scoreboard.own]
      told[worker.id] = tallies
    }
    var fields = Statistics.fields(own, all)
    fields += counts.map { .init("figure-count", "\($0.value) \($0.key)") }
    fields += changes.map { .init("figure-change", "\($0.at) \($0.text)") }
    return fields
  }

  /// What a worker has answered since then, once it has ended.
  func rest(of id: Int, _ board: Scoreboard, mounts: [String], count: String) -> [Message.Field] {
    let told = told[id] ?? []
    func since(_ place: Int) -> Tally {
      let tally = board.tally(place)
      return place < told.count ? tally.since(told[place]) : tally
    }
    var all: [String: Tally] = [:]
    for (place, mount) in mounts.prefix(Scoreboard.apps).enumerated() {
      all[mount, default: Tally()] += since(place)
    }
    let fields = Statistics.fields(since(Scoreboard.own), all)
    return fields + [.init("figure-count", "1 \(count)")]
  }

  private static func fields(_ own: Tally, _ all: [String: Tally]) -> [Message.Field] {
    func text(_ tally: Tally) -> String { tally.values.map { "\($0)" }.joined(separator: ",") }
    return [.init("figures-own", text(own))]
      + all.map { .init("figures", "\(text($0.value)) \($0.key)") }
  }

  /// Takes the counts of the previous master. Ignores those that make no sense.
  mutating func inherit(_ message: Message) {
    func tally(_ text: some StringProtocol) -> Tally {
      Tally(text.split(separator: ",").map { UInt64($0) ?? 0 })
    }
    func parts(_ text: String) -> (Substring, String)? {
      let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
      return parts.count == 2 ? (parts[0], String(parts[1])) : nil
    }
    for text in message.all("figures-own") { pastOwn += tally(text) }
    for (text, mount) in message.all("figures").compactMap(parts) {
      past[mount, default: Tally()] += tally(text)
    }
    for (text, name) in message.all("figure-count").compactMap(parts) {
      counts[name, default: 0] += max(0, Int(text) ?? 0)
    }
    let earlier = message.all("figure-change").compactMap(parts).map {
      Snapshot.Happening(at: Int($0.0) ?? 0, text: $0.1)
    }
    changes = Array((earlier + changes).suffix(Statistics.kept))
  }
}
