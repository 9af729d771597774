// A world around `Releases`: processes that load, serve, hang and die by chance, children that stage builds,
// a clock that jumps from event to event. It performs actions as the master does, and holds what must be
// true.
import Config
import Control

@testable import Master

/// How a build behaves in a worker.
enum Behaviour: CaseIterable {
  case good, failsToLoad, hangsInLoad, crashesSoon, exitsSoon, asksToLeave, failsRequests
}

struct World {
  var random: SeededSource
  var releases = Releases()
  var now: UInt64 = 1_000_000_000
  /// What will happen, by time; ties in order.
  private var future: [(at: UInt64, order: Int, event: Happening)] = []
  private var order = 0
  var trouble = true
  var behaviours: [Int: Behaviour] = [:]
  private var generation = 1
  var living: [Int: Plan] = [:]
  var answers: [Int: Int] = [:]
  var asked: [Int: UInt64] = [:]
  var problems: [String] = []
  var log: [String] = []
  /// How changes ended, and how often.
  var ends: [String: Int] = [:]

  enum Happening {
    case event(Event)
    case alarm(ReleaseAlarm, Int)
    case death(Int, Ending)
    case asking(Int)
    case look
  }
  private var alarms: [ReleaseAlarm: Int] = [:]
  private var hasHandedOver = false
  /// Looks at the workers end then.
  private var lastLook: UInt64 = 0
  /// Masters that have followed one another.
  private(set) var upgrades = 0

  init(seed: UInt64, workers: Int) {
    random = SeededSource(seed)
    behaviours[1] = .good
    var settings = Settings(apps: [AppSettings(mount: "", path: "/a.so")])
    settings.process.workers = workers
    // Builds that no worker could be started with again.
    if seed % 3 == 2 { settings.apps[0].runtime = RuntimeReference(name: "python3") }
    settings.limits.gracefulSeconds = 10
    settings.supervision.startSeconds = 20
    if seed % 4 == 3 { settings.supervision.cheaper = CheaperSettings() }
    let build = Build(
      mount: "", source: "/a.so", generation: 1, copy: 1, path: "/g1", buildID: "", name: "a", staged: 0)
    let first = Release(number: 0, arguments: ["--app=/a.so"], settings: settings, builds: [build])
    perform(.loaded(first, past: Past()))
  }

  private mutating func later(_ seconds: Double, _ happening: Happening) {
    order += 1
    future.append((now &+ UInt64(seconds * 1e9), order, happening))
  }

  mutating func perform(_ event: Event) {
    for action in releases.take(event, now: now) { carryOut(action) }
    check()
    if hasHandedOver { upgrade() }
  }

  /// Another master goes on, which has begun well: with what the one before has left, and no worker of it.
  private mutating func upgrade() {
    hasHandedOver = false
    upgrades += 1
    guard let current = releases.current else { return problems.append("there was nothing to hand over") }
    let (old, bequest) = (releases, releases.bequest)
    future.removeAll { if case .asking = $0.event { false } else { true } }
    (living, alarms, releases) = ([:], [:], Releases())
    let release = releases.release(current.arguments, current.settings, current.builds)
    let kept = bequest.kept.map { Build($0, copy: 1, path: $0.path) }
    perform(
      .loaded(
        release,
        past: Past(builds: kept, counters: bequest.counters, trial: bequest.trial, workers: bequest.workers)))
    for (mount, builds) in old.history.builds {
      let wanted = builds.filter { $0.status != .serving }.map(\.generation)
      let found = releases.history.builds[mount, default: []].map(\.generation)
      if found != wanted { problems.append("of the builds \(wanted) \(found) are kept") }
      if releases.history.count(mount) < old.history.count(mount) { problems.append("numbers come twice") }
    }
    // What a runtime makes serves on when it is withdrawn, but cannot be gone back to.
    let isKept = old.probation?.previous.builds.allSatisfy { build in
      old.history.builds[build.mount]?.contains { build.isSame($0) && !$0.status.isWithdrawn } ?? false
    }
    if isKept ?? false, let trial = old.probation, trial.end > now, releases.probation?.end != trial.end {
      problems.append("the probation does not go on")
    }
    let wasTroubled = trouble
    trouble = false
    while case .starting = releases.state, step() {}
    trouble = wasTroubled
  }

  /// The next thing that happens; false when nothing is left.
  mutating func step() -> Bool {
    guard
      let index = future.indices.min(by: {
        (future[$0].at, future[$0].order) < (future[$1].at, future[$1].order)
      })
    else { return false }
    let next = future.remove(at: index)
    now = max(now, next.at)
    switch next.event {
    case .event(let event): if isPossible(event) { perform(event) }
    case .alarm(let alarm, let number): if alarms[alarm] == number { perform(.alarm(alarm)) }
    case .death(let id, let ending): die(id, ending)
    case .asking(let asker): ask(asker)
    case .look: look()
    }
    return true
  }

  /// So many changes are asked for in so many seconds.
  mutating func plan(asks: Int, seconds: Double) {
    for asker in 1...asks { later(Double.random(in: 1..<seconds, using: &random), .asking(asker)) }
    lastLook = now &+ UInt64(seconds * 1e9)
    later(1, .look)
  }

  private mutating func ask(_ asker: Int) {
    let change: Change =
      switch Int.random(in: 0..<8, using: &random) {
      case 0: .rollback(mount: nil)
      case 1: .reload(cause: "ctl")
      case 2: .upgrade(binary: nil)
      default: .swap(mount: nil, file: nil)
      }
    asked[asker] = now
    perform(.asked(change, by: asker))
  }

  /// Workers are as busy as chance has it.
  private mutating func look() {
    if now < lastLook { later(1, .look) }
    let serving = releases.workers.values.count { $0.phase == .serving }
    let busy = Bool.random(using: &random) ? serving : 0
    perform(
      .looked(
        Cheaper.Look(
          serving: serving, busy: busy, microseconds: 0, requests: 0, hasBacklog: false, residentBytes: 0)))
  }

  private func isPossible(_ event: Event) -> Bool {
    switch event {
    case .ready(let id, _), .deaf(let id), .wantsOut(let id), .swapped(let id, _, _), .keptOld(let id, _, _):
      living[id] != nil
    case .silent(let id, _): living[id] != nil
    default: true
    }
  }

  private mutating func die(_ id: Int, _ ending: Ending) {
    guard living.removeValue(forKey: id) != nil else { return }
    perform(.ended(id, WorkerEnding(ending: ending, sentence: "it died", requests: 5)))
  }

  // MARK: Actions

  private mutating func carryOut(_ action: Action) {
    switch action {
    case .spawn(let id, _, let release, _): spawned(id, release)
    case .retire(let id): retired(id)
    case .dismiss(let id): later(chance(0.05) ? 60 : 0.5, .death(id, .exited(0)))
    // The kernel may hold a process that was killed.
    case .terminate(let id, _): if !chance(0.1) { later(0.001, .death(id, .killed(9))) }
    case .abort(let id, _): later(Double.random(in: 0.001..<1.5, using: &random), .death(id, .killed(6)))
    case .configure(let ticket): configured(ticket)
    case .stage(let ticket): staged(ticket)
    case .handOver: hasHandedOver = true
    case .abandonStaging, .killHeir, .closeSockets, .announceStop: break
    case .quit(let id): later(0.1, .death(id, .exited(0)))
    case .swap(let id, let app, let build): swapped(id, app, build)
    case .startHeir(let ticket, _):
      let time = Double.random(in: 0.1..<60, using: &random)
      if chance(0.5) {
        later(time, .event(.heirFailed(ticket: ticket, "it died")))
      } else if chance(0.4) {
        later(time, .event(.heirReady(ticket: ticket, pid: 4711)))
      }
    case .alarm(let alarm, let seconds):
      order += 1
      alarms[alarm] = order
      let number = order
      later(seconds, .alarm(alarm, number))
    case .cancel(let alarm): alarms[alarm] = nil
    case .tell(let asker, .end(let outcome)):
      ends[
        outcome.isDone ? "done" : String(outcome.text.prefix { $0 != ";" && $0 != ":" }.prefix(50)),
        default: 0] += 1
      answered(asker)
    case .tell: break
    case .log(_, let text): log.append("\(now / 1_000_000) \(text)")
    case .count: break
    case .announceReady, .announceFailure, .removeUnused, .watchFiles, .resized: break
    }
  }

  mutating func chance(_ share: Double) -> Bool {
    trouble && Double.random(in: 0..<1, using: &random) < share
  }

  private mutating func spawned(_ id: Int, _ release: Release) {
    living[id] = release.plan
    let ending: Ending = chance(0.5) ? .exited(0) : .killed(11)
    if chance(0.02) { return later(0.1, .death(id, ending)) }
    let generation = release.builds[0].generation
    let time = Double.random(in: 0.01..<1, using: &random)
    // Something in a worker may speak in its place.
    if chance(0.05) { later(0.005, .event(.ready(id, generations: [999]))) }
    if chance(0.05) { later(time + 0.1, .event(.swapped(id, app: 0, generation: 999))) }
    let ready = Happening.event(.ready(id, generations: release.plan.generations))
    switch behaviours[generation] ?? .good {
    case .good: later(time, ready)
    case .failsToLoad: later(time, .death(id, .exited(22)))
    case .hangsInLoad: break
    case .crashesSoon:
      later(time, ready)
      later(time + 0.2, .death(id, .killed(11)))
    case .exitsSoon:
      later(time, ready)
      later(time + 0.4, .death(id, .exited(0)))
    case .asksToLeave:
      later(time, ready)
      later(time + 0.3, .event(.wantsOut(id)))
    case .failsRequests:
      later(time, ready)
      later(time + 0.5, .event(.evidence(release: release.number, "5 of 5 answers were 5xx")))
    }
    if chance(0.03) {
      later(time + Double.random(in: 0..<40, using: &random), .event(.silent(id, reason: "hangs")))
    }
    if chance(0.05) { later(time + Double.random(in: 0..<9, using: &random), .death(id, ending)) }
  }

  private mutating func retired(_ id: Int) {
    guard let worker = releases.workers[id] else { return }
    if case .stopping = releases.state {
    } else if releases.wanted(worker.seat) != nil {
      let hasOther = releases.workers.contains { other in
        other.key != id && other.value.seat == worker.seat && other.value.phase == .serving
      }
      if !hasOther { problems.append("seat \(worker.seat) is left without a worker by the master itself") }
    }
    if !chance(0.05) { later(0.001, .event(.deaf(id))) }
    if !chance(0.05) { later(Double.random(in: 0.01..<5, using: &random), .death(id, .exited(0))) }
  }

  private mutating func answered(_ asker: Int?) {
    guard let asker else { return }
    answers[asker, default: 0] += 1
    if answers[asker]! > 1 { problems.append("asker \(asker) was answered twice") }
    let waited = Double(now - (asked[asker] ?? now)) / 1e9
    if waited > 2000 { problems.append("asker \(asker) waited \(waited) s") }
  }

  // MARK: Staging

  private mutating func configured(_ ticket: Int) {
    guard !chance(0.05) else { return }
    if chance(0.1) { return later(0.1, .event(.staged(ticket: ticket, .failed("bad configuration")))) }
    later(0.1, .event(.staged(ticket: ticket, .configured)))
  }

  private mutating func staged(_ ticket: Int) {
    guard let current = releases.current, !chance(0.05) else { return }
    let isReload = if case .staging(let staging) = releases.state { staging.isReload } else { false }
    if chance(0.1) { return later(0.2, .event(.staged(ticket: ticket, .failed("bad build")))) }
    generation += 1
    behaviours[generation] =
      trouble ? Behaviour.allCases.randomElement(using: &random) : .good
    var build = Build(
      mount: "", source: "/a.so", generation: generation, copy: generation, path: "/g\(generation)",
      buildID: "", name: "a",
      staged: 0)
    build.isUnloadable = true
    var settings = current.settings
    settings.supervision.swap = Bool.random(using: &random) ? .inPlace : .rolling
    if isReload { settings.process.workers = Int.random(in: 1...4, using: &random) }
    let number = 1_000_000 + ticket
    let release = Release(
      number: number, configuration: isReload ? number : current.configuration, arguments: current.arguments,
      settings: settings, builds: [build])
    later(0.3, .event(.staged(ticket: ticket, .built(release, fresh: [build], obstacle: nil))))
  }

  private mutating func swapped(_ id: Int, _ app: Int, _ build: Build) {
    living[id]?.generations[app] = build.generation
    switch Int.random(in: 0..<(trouble ? 5 : 1), using: &random) {
    case 0, 1: later(0.1, .event(.swapped(id, app: app, generation: build.generation)))
    case 2: later(0.1, .event(.keptOld(id, reason: "no", isFull: false)))
    case 3: later(0.1, .event(.keptOld(id, reason: "full", isFull: true)))
    default: break
    }
  }

  // MARK: What must be true

  private mutating func check() {
    if case .stopping = releases.state {
    } else {
      let present = releases.workers.values.filter { $0.phase != .leaving }
      for (seat, workers) in Dictionary(grouping: present, by: \.seat) {
        let needed = releases.isHot(seat) ? Seat.mostNeeded : 1
        if workers.count > needed + 1 { problems.append("seat \(seat) has \(workers.count) workers") }
      }
    }
    for (id, worker) in releases.workers where living[id] == nil && worker.phase != .leaving {
      // Spawned in the same breath, or its death is not told yet.
      if worker.phase == .serving { problems.append("worker \(id) serves and is dead") }
    }
  }
}

/// SplitMix64, as everywhere in the tests.
struct SeededSource: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
