import Config
import Control

/// What serves, what is being changed, and what to do about it, as one value: no process, clock or socket is
/// in it. The master tells it what has happened; it answers with what to do.
///
/// It decides by comparison, never by where a procedure has got to: `wanted` says what each seat should run,
/// the workers say what they run, and `reconcile` closes the gap after every event. So no event that is lost,
/// late or out of order leaves a seat behind, and a failed way back is only a gap that is still open.
struct Releases {
  /// The change that is carried out. A case says all that is known of it.
  enum State {
    /// The first workers load. The places that could not, while nobody serves: if that is all of them, the
    /// start has failed.
    case starting([StartFailure])
    /// No change is under way.
    case serving
    /// Children read the configuration, then copy, inspect and try the builds.
    case staging(Preparation)
    /// Seat by seat, new first, then old.
    case rolling(Rolling)
    /// One build in the workers that are there.
    case swapping(InPlace)
    /// A new master starts on the same sockets.
    case handingOver(Request)
    /// Nothing new; it ends with the last worker. `code` is the master's exit code. `isHandedOver`: another
    /// master goes on, and nobody has asked this one to hurry yet.
    case stopping(code: Int32, isHandedOver: Bool)

    /// As status says it.
    var word: String {
      switch self {
      case .starting: "starting"
      case .serving, .staging, .rolling, .swapping, .handingOver: "serving"
      case .stopping: "stopping"
      }
    }
  }

  var state = State.starting([])
  /// A master before this one serves meanwhile: one place that cannot start ends this one.
  var follows = false
  /// What all seats should run when no change is under way; nil until the first builds are staged.
  var current: Release?
  var history = History()
  var workers: [Int: Worker] = [:]
  /// Seats with something to remember: deaths, failed starts, a pause.
  var seats: [Int: Seat] = [:]
  var probation: Probation?
  /// Changes that wait for the one under way.
  var queue: [Request] = []
  /// The server is to stop when the time of `--shutdown-delay` is over.
  var isStopAnnounced = false
  /// How many seats are in use; nil: all.
  var cheaper: Cheaper?
  /// So many were in use in the master before this one.
  var inheritedSeats: Int?
  /// What it decided last, for status.
  private(set) var cheaperText: String?
  /// How the last change ended, for status.
  var lastOutcome: String?
  private var counter = 0
  /// What the event under way has led to.
  private var actions: [Action] = []
  /// Monotonic nanoseconds of the event under way.
  private(set) var now: UInt64 = 0

  /// Takes an event; what is to be done about it, in order.
  mutating func take(_ event: Event, now: UInt64) -> [Action] {
    self.now = now
    actions = []
    switch event {
    case .loaded(let release, let past): loaded(release, past)
    case .asked(let change, let asker): ask(change, asker)
    case .staged(let ticket, let result): staged(ticket, result)
    case .ready(let id, let generations): ready(id, generations)
    case .deaf(let id): workers[id]?.isDeaf = true
    case .ended(let id, let ending): ended(id, ending)
    case .silent(let id, let reason): silent(id, reason)
    case .wantsOut(let id): wantsOut(id)
    case .swapped(let id, let app, let generation): swapped(id, app, generation)
    case .keptOld(let id, let reason, let isFull): keptOld(id, reason, isFull)
    case .evidence(let number, let text, let mount): evidence(number, text, mount)
    case .heirReady(let ticket, let pid): heirReady(ticket, pid)
    case .heirFailed(let ticket, let reason): heirFailed(ticket, reason)
    case .looked(let look): looked(look)
    case .alarm(let alarm): rang(alarm)
    case .stopSignal: signalledToStop()
    case .stop(let code): stop(code)
    }
    heedCheaper()
    proceed()
    reconcile()
    startNext()
    return actions
  }

  // MARK: How many workers

  /// Seats of a release that are in use.
  func seats(of release: Release) -> Int { min(release.workers, cheaper?.workers ?? .max) }

  /// What serves may go by other rules since the last event.
  private mutating func heedCheaper() {
    guard let current else { return }
    guard let settings = current.settings.supervision.cheaper else { return cheaper = nil }
    if cheaper?.follows(settings, most: current.workers) ?? false { return }
    cheaper = Cheaper(settings, most: current.workers, present: cheaper?.workers ?? seatsInUse)
  }

  /// Nil: nobody has served yet, here or in a master before.
  private var seatsInUse: Int? {
    if case .starting = state { return inheritedSeats }
    return Set(workers.values.filter { $0.phase != .leaving }.map(\.seat)).count
  }

  /// Once a second. While something is being changed the number stays.
  private mutating func looked(_ look: Cheaper.Look) {
    guard case .serving = state, let before = cheaper?.workers, let current else { return }
    let isSettled = isSettled(before)
    guard let decision = cheaper?.look(look, isSettled: isSettled) else { return }
    let text = "\(decision.workers) of \(current.workers) workers: \(decision.reason)"
    cheaperText = text
    act(.resized(text, isMore: decision.workers > before))
  }

  /// Those that were asked for last serve, or could not start; those that are too many have left.
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

  // MARK: The change under way

  /// Who asked is told how it ended: the only place that does, so that it happens once; and last, so that
  /// figures and log say it already.
  mutating func finish(_ request: Request, _ outcome: Outcome) {
    act(.cancel(.change(request.ticket)))
    lastOutcome = "\(request.change.verb): \(outcome.text)"
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

  /// The request of the change under way.
  var request: Request? {
    switch state {
    case .starting, .serving, .stopping: nil
    case .staging(let staging): staging.request
    case .rolling(let rolling): rolling.request
    case .swapping(let swap): swap.request
    case .handingOver(let request): request
    }
  }

  /// The change under way is off; seats that have changed already go back by themselves, because what is
  /// wanted is `current` again.
  mutating func refuse(_ reason: String) {
    guard let request else { return }
    state = .serving
    finish(request, .refused("\(reason); still serving \(serviceText)"))
  }

  mutating func succeed(_ text: String, changed: Bool = true) {
    guard let request else { return }
    state = .serving
    finish(request, .done(text, changed: changed))
  }

  /// "hello generation 6 (build 3f2a)", as the workers say it; builds that are not wanted come behind.
  var serviceText: String {
    guard let current else { return "nothing" }
    let wanted = current.builds.map {
      $0.title + ($0.buildID.isEmpty ? "" : " (build \($0.buildID.prefix(12)))")
    }.joined(separator: ", ")
    let strays = workers.values.count { $0.phase == .serving && !current.runs($0) }
    return strays == 0 ? wanted : "\(wanted); workers that are still to change: \(strays)"
  }
}
