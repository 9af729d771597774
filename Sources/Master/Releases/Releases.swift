import Config
import Control

/// What serves, what is being changed, and what to do about it, as one value: it holds no process, clock or
/// socket. The master tells it what has happened; it answers with what to do.
///
/// It decides by comparison, never by how far a procedure has got: `wanted` says what each seat should run,
/// the workers say what they run, and `reconcile` closes the gap after every event. So no lost, late or
/// reordered event leaves a seat behind, and a failed rollback is only a gap that is still open.
struct Releases {
  /// The change being carried out. Each case holds everything that is known about it.
  enum State {
    /// The first workers load. Holds the places that could not, while nobody serves: if that is all of them,
    /// the start has failed.
    case starting([StartFailure])
    /// No change is in progress.
    case serving
    /// Children read the configuration, then copy, inspect and try the builds.
    case staging(Preparation)
    /// Copies of the serving builds and of the new ones answer requests that the workers remember.
    case replaying(Prepared)
    /// Seat by seat, new first, then old.
    case rolling(Rolling)
    /// One build in the existing workers.
    case swapping(InPlace)
    /// Other certificates in the existing workers.
    case presenting(Presenting)
    /// A new master starts on the same sockets.
    case handingOver(Request)
    /// Nothing new is begun; the server ends with the last worker. `code` is the master's exit code.
    /// `isHandedOver`: another master goes on, and nobody has asked this one to hurry yet.
    case stopping(code: Int32, isHandedOver: Bool)

    /// The word that status shows.
    var word: String {
      switch self {
      case .starting: "starting"
      case .serving, .staging, .replaying, .rolling, .swapping, .presenting, .handingOver: "serving"
      case .stopping: "stopping"
      }
    }
  }

  var state = State.starting([]) { didSet { follow() } }
  /// A previous master serves meanwhile: if one place cannot start, this master ends.
  var follows = false
  /// What all seats should run when no change is in progress; nil until the first builds are staged.
  var current: Release?
  var history = History()
  var workers: [Int: Worker] = [:]
  /// Seats with something to remember: deaths, failed starts, a pause.
  var seats: [Int: Seat] = [:]
  var probation: Probation?
  /// The comparison of new and previous builds, for the last release that was rolled out with a gate.
  var comparison: Comparison?
  /// What came of the last replay of each application, by mount.
  var replays: [String: ReplayReport] = [:]
  /// Changes that wait for the one in progress.
  var queue: [Request] = []
  /// The server will stop when the time of `--shutdown-delay` is up.
  var isStopAnnounced = false
  /// How many seats are in use; nil: all.
  var cheaper: Cheaper?
  /// How many were in use in the previous master.
  var inheritedSeats: Int?
  /// Its last decision, for status.
  private(set) var cheaperText: String?
  /// How the last change ended, for status.
  var lastOutcome: String?
  private var counter = 0
  /// The actions that the current event has led to.
  private var actions: [Action] = []
  /// Monotonic nanoseconds of the current event.
  private(set) var now: UInt64 = 0
  /// Calendar seconds at that time, for the records: no decision depends on them.
  private(set) var calendar: Int64 = 0
  /// The record of changes.
  var journal = Journal()

  /// Takes an event; returns the actions to take, in order.
  mutating func take(_ event: Event, now: UInt64, calendar: Int64 = 0) -> [Action] {
    (self.now, self.calendar) = (now, calendar)
    actions = []
    switch event {
    case .began(let seconds): act(.alarm(.first, seconds: seconds))
    case .loaded(let release, let past): loaded(release, past)
    case .asked(let change, let asker, let cause): ask(change, asker, cause)
    case .staged(let ticket, let result): staged(ticket, result)
    case .replayed(let ticket, let result): replayed(ticket, result)
    case .ready(let id, let generations): ready(id, generations)
    case .deaf(let id): workers[id]?.isDeaf = true
    case .ended(let id, let ending): ended(id, ending)
    case .silent(let id, let reason): silent(id, reason)
    case .wantsOut(let id): wantsOut(id)
    case .swapped(let id, let app, let generation): swapped(id, app, generation)
    case .presents(let id, let number): presents(id, number)
    case .declined(let id, let number, let reason): declined(id, number, reason)
    case .keptOld(let id, let app, let generation, let reason, let isFull):
      keptOld(id, Worker.Asked(app: app, generation: generation), reason, isFull)
    case .shown(let generations): shown(generations)
    case .evidence(let number, let text, let mount): evidence(number, text, mount)
    case .heirReady(let ticket, let pid): heirReady(ticket, pid)
    case .heirFailed(let ticket, let reason): heirFailed(ticket, reason)
    case .looked(let look): looked(look)
    case .measured(let figures): measured(figures)
    case .alarm(let alarm): rang(alarm)
    case .stopSignal: signalledToStop()
    case .stop(let code): stop(code)
    }
    heedCheaper()
    offerCertificates()
    proceed()
    reconcile()
    startNext()
    return actions
  }

  // MARK: How many workers

  /// Seats of a release that are in use.
  func seats(of release: Release) -> Int { min(release.workers, cheaper?.workers ?? .max) }

  /// The serving release may follow other rules since the last event.
  private mutating func heedCheaper() {
    guard let current else { return }
    guard let settings = current.settings.supervision.cheaper else { return cheaper = nil }
    if cheaper?.follows(settings, most: current.workers) ?? false { return }
    cheaper = Cheaper(settings, most: current.workers, present: cheaper?.workers ?? seatsInUse)
  }

  /// Nil: nobody has served yet, here or in a previous master.
  private var seatsInUse: Int? {
    if case .starting = state { return inheritedSeats }
    return Set(workers.values.filter { $0.phase != .leaving }.map(\.seat)).count
  }

  /// Runs once a second. The number stays while a change is in progress.
  private mutating func looked(_ look: Cheaper.Look) {
    guard case .serving = state, let before = cheaper?.workers, let current else { return }
    let isSettled = isSettled(before)
    guard let decision = cheaper?.look(look, isSettled: isSettled) else { return }
    let text = "\(decision.workers) of \(current.workers) workers: \(decision.reason)"
    cheaperText = text
    act(.resized(text, isMore: decision.workers > before))
  }

  /// The last workers asked for serve, or could not start; surplus ones have left.
  private func isSettled(_ count: Int) -> Bool {
    let serving = Set(workers.values.filter { $0.phase == .serving }.map(\.seat))
    let missing = (0..<count).filter { !serving.contains($0) }
    return missing.allSatisfy { seats[$0]?.failedStarts ?? 0 > 0 } && serving.allSatisfy { $0 < count }
  }

  mutating func act(_ action: Action) { actions.append(action) }

  mutating func nextNumber() -> Int {
    counter += 1
    return counter
  }

  // MARK: The change in progress

  /// Tells those who asked how it ended. Only done here, so that it happens once; and last, so that figures
  /// and log show it already.
  mutating func finish(_ request: Request, _ outcome: Outcome) {
    act(.cancel(.change(request.ticket)))
    lastOutcome = "\(request.change.verb): \(outcome.text)"
    record(request, outcome)
    let verb = request.change.verb
    switch outcome {
    case .done(let text, let changed):
      act(.count("\(verb)_\(changed ? "done" : "unchanged")"))
      act(.log(.info, "\(verb): \(text)"))
    case .refused(let text):
      act(.count("\(verb)_refused"))
      act(.log(.error, "\(verb) refused: \(text)"))
    }
    tell(request, .end(outcome))
    act(.removeUnused)
  }

  /// Tells everybody who waits for a change.
  mutating func tell(_ request: Request?, _ reply: Reply) {
    for asker in request?.askers ?? [] { act(.tell(asker, reply)) }
  }

  /// The request of the change in progress.
  var request: Request? {
    switch state {
    case .starting, .serving, .stopping: nil
    case .staging(let staging): staging.request
    case .replaying(let prepared): prepared.request
    case .rolling(let rolling): rolling.request
    case .swapping(let swap): swap.request
    case .presenting(let presenting): presenting.request
    case .handingOver(let request): request
    }
  }

  /// Abandons the change in progress; seats that have changed already go back by themselves, because
  /// `current` is wanted again.
  mutating func refuse(_ reason: String) {
    guard let request else { return }
    // Accepted certificates are not taken back.
    if case .presenting = state { return }
    state = .serving
    let rest =
      request.change.isOfCertificates ? "the certificates before serve on" : "still serving \(serviceText)"
    finish(request, .refused("\(reason); \(rest)"))
  }

  mutating func succeed(_ text: String, changed: Bool = true) {
    guard let request else { return }
    state = .serving
    finish(request, .done(text, changed: changed))
  }

  /// "hello generation 6 (build 3f2a)", as the workers say it; unwanted builds come last.
  var serviceText: String {
    guard let current else { return "nothing" }
    let wanted = current.builds.map {
      $0.title + ($0.buildID.isEmpty ? "" : " (build \($0.buildID.prefix(12)))")
    }.joined(separator: ", ")
    let strays = workers.values.count { $0.phase == .serving && !current.runs($0) }
    return strays == 0 ? wanted : "\(wanted); workers that are still to change: \(strays)"
  }
}
