// A world around `Releases`: processes that load, serve, hang and die by chance, children that stage builds,
// a clock that jumps from event to event. It performs actions as the master does, and holds what must be
// true (WorldChecks.swift).
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
  /// What will happen; what comes first is last, of one time what was said first.
  private var future: [(at: UInt64, event: Happening)] = []
  /// Alarms that were set.
  private var order = 0
  var trouble = true
  /// By generation: no two builds of any application have the same, but for the first.
  var behaviours: [Int: Behaviour] = [1: .good]
  /// The highest number of a build.
  var generation = 1
  /// What processes really run.
  var living: [Int: Plan] = [:]
  /// What a process loads in place, and has not answered.
  var pending: [Int: Worker.Asked] = [:]
  /// Processes that have said what is not so: until they are found out they are believed.
  var liars: Set<Int> = []
  var answers: [Int: Int] = [:]
  var asked: [Int: UInt64] = [:]
  var problems: [String] = []
  var log: [String] = []
  /// How changes ended, and how often.
  var ends: [String: Int] = [:]

  enum Happening {
    case event(Event)
    case alarm(ReleaseAlarm, Int)
    case death(Int, Ending, app: Int? = nil)
    /// A process has put a build to work, and says so, or something else.
    case installs(Int, Worker.Asked)
    case says(Int, Worker.Asked, Event)
    case asking(Int)
    case look
  }
  private(set) var alarms: [ReleaseAlarm: Int] = [:]
  private var hasHandedOver = false
  /// Looks at the workers end then.
  private var lastLook: UInt64 = 0
  /// Masters that have followed one another.
  private(set) var upgrades = 0
  /// Ends of changes that this master has counted: each has a record.
  private(set) var counted = 0
  /// How often a gate has closed.
  private(set) var gates = 0
  /// The server was told to stop.
  private(set) var stops = false
  let mounts: [String]

  init(seed: UInt64, workers: Int) {
    random = SeededSource(seed)
    let isRuntime = seed % 3 == 2
    mounts = seed % 5 == 1 && !isRuntime ? ["/a", "/b"] : [""]
    // Builds of a runtime: no worker could be started with them again.
    var arguments = isRuntime ? ["--plugin=python3", "--module=shop"] : []
    if !isRuntime { arguments += mounts.map { "--app=" + ($0.isEmpty ? "" : $0 + "=") + "/a.so" } }
    arguments += ["--https-socket=:443,/a.pem,/a.key", "--processes=\(workers)", "--tls-ticket-hours=1"]
    arguments += ["--swap=\(seed % 2 == 0 ? "in-place" : "rolling")", "--swap-timeout=20"]
    arguments += ["--worker-reload-mercy=10"]
    if seed % 2 == 1 || seed % 5 < 2 { arguments.append("--swap-gate=on") }
    if seed % 3 == 1 { arguments.append("--swap-replay=20") }
    if seed % 4 == 3 { arguments.append("--cheaper=1") }
    if seed % 7 == 3 { arguments.append("--shutdown-delay=5") }
    guard let settings = Releases.parse(arguments) else {
      problems.append("bad options: \(arguments)")
      return
    }
    let builds = settings.apps.map { World.build($0.mount, 1) }
    perform(
      .loaded(Release(number: 0, arguments: arguments, settings: settings, builds: builds), past: Past()))
  }

  static func build(_ mount: String, _ generation: Int) -> Build {
    var build = Build(
      mount: mount, source: "/a.so", generation: generation, copy: generation, path: "/g\(generation)",
      buildID: "", name: "a", staged: 0)
    build.isUnloadable = true
    return build
  }

  mutating func later(_ seconds: Double, _ happening: Happening) {
    let time = now &+ UInt64(seconds * 1e9)
    var (low, high) = (0, future.count)
    while low < high {
      let middle = (low + high) / 2
      if future[middle].at > time { low = middle + 1 } else { high = middle }
    }
    future.insert((time, happening), at: low)
  }

  /// A socket that speaks TLS.
  static let sealedListeners =
    Releases.parse(["--app=/a.so", "--https-socket=:443,/a.pem,/a.key"])?.listeners ?? []

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
    counted = 0
    future.removeAll { if case .asking = $0.event { false } else { true } }
    (living, pending, liars, alarms, releases) = ([:], [:], [], [:], Releases())
    let release = releases.release(current.arguments, current.settings, current.builds, current.files)
    let kept = bequest.kept.map { Build($0, copy: 1, path: $0.path) }
    perform(
      .loaded(
        release,
        past: Past(
          builds: kept, counters: bequest.counters, trial: bequest.trial, workers: bequest.workers,
          changes: bequest.changes)))
    checkUpgrade(from: old, bequest)
    let wasTroubled = trouble
    trouble = false
    while case .starting = releases.state, step() {}
    trouble = wasTroubled
    if now < lastLook { later(1, .look) }
  }

  /// The next thing that happens; false when nothing is left.
  mutating func step() -> Bool {
    guard let next = future.popLast() else { return false }
    now = max(now, next.at)
    switch next.event {
    case .event(let event): if isPossible(event) { perform(event) }
    case .alarm(let alarm, let number):
      guard alarms[alarm] == number else { break }
      alarms[alarm] = nil
      perform(.alarm(alarm))
    case .death(let id, let ending, let app): die(id, ending, app)
    case .installs(let id, let wanted): living[id]?.generations[wanted.app] = wanted.generation
    case .says(let id, let wanted, let event):
      guard living[id] != nil else { break }
      if pending[id] == wanted { pending[id] = nil }
      perform(event)
    case .asking(let asker): ask(asker)
    case .look: look()
    }
    return true
  }

  /// So many changes are asked for in so many seconds; `stops`: and then the end, some time in between.
  mutating func plan(asks: Int, seconds: Double, stops: Bool) {
    for asker in 1...asks { later(Double.random(in: 1..<seconds, using: &random), .asking(asker)) }
    (lastLook, self.stops) = (now &+ UInt64(seconds * 1e9), stops)
    later(1, .look)
    guard stops else { return }
    for event in [Event.stopSignal, Bool.random(using: &random) ? .stopSignal : .stop(code: 0)] {
      later(Double.random(in: 1..<seconds, using: &random), .event(event))
    }
  }

  /// The trouble ends: builds are good from now on, nobody asks. What was said in vain is found out.
  mutating func calm(seconds: Double) {
    trouble = false
    for generation in behaviours.keys { behaviours[generation] = .good }
    let hasLooks = now < lastLook
    lastLook = max(lastLook, now &+ UInt64(seconds * 1e9))
    if !hasLooks { later(1, .look) }
  }

  private mutating func ask(_ asker: Int) {
    let mount = Bool.random(using: &random) ? nil : mounts.randomElement(using: &random)
    let change: Change =
      switch Int.random(in: 0..<10, using: &random) {
      case 8, 9: .certificates(cause: "ctl")
      case 0: .rollback(mount: mount)
      case 1: .reload(cause: "ctl")
      case 2: .upgrade(binary: nil)
      case 3: .swap(mount: mount ?? mounts[0], file: "/b\(asker % 3).so")
      case 4: .swap(mount: mount, file: nil, replay: asker % 2 * 10)
      default: .swap(mount: mount, file: nil)
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
    var shown = living.mapValues(\.generations)
    for id in shown.keys.sorted() where chance(0.002) { shown[id] = [Int.random(in: 0...99, using: &random)] }
    perform(.shown(shown))
    checkBelief()
    if releases.wantsFigures { perform(.measured(figures())) }
  }

  private func isPossible(_ event: Event) -> Bool {
    switch event {
    case .ready(let id, _), .deaf(let id), .wantsOut(let id), .silent(let id, _), .swapped(let id, _, _),
      .presents(let id, _), .declined(let id, _, _):
      return living[id] != nil
    case .keptOld(let id, _, _, _, _): return living[id] != nil
    default: return true
    }
  }

  private mutating func die(_ id: Int, _ ending: Ending, _ app: Int?) {
    guard living.removeValue(forKey: id) != nil else { return }
    (pending[id], _) = (nil, liars.remove(id))
    var end = WorkerEnding(ending: ending, sentence: "it died", requests: chance(0.2) ? 0 : 5)
    end.app = app
    perform(.ended(id, end))
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
    case .readCertificates(let ticket): certified(ticket)
    case .present(let id, let number): presented(id, number)
    case .handOver: hasHandedOver = true
    case .replay(let ticket, _, let fresh, let requests): replayed(ticket, fresh, requests)
    case .abandonStaging, .abandonReplay, .killHeir, .closeSockets, .announceStop: break
    case .quit(let id): later(0.1, .death(id, .exited(0)))
    case .swap(let id, let app, let build): loads(id, Worker.Asked(app: app, generation: build.generation))
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
    case .count: counted += 1
    case .gateClosed: gates += 1
    case .announceReady, .announceFailure, .removeUnused, .watchFiles, .resized: break
    }
  }

  mutating func chance(_ share: Double) -> Bool {
    trouble && Double.random(in: 0..<1, using: &random) < share
  }

  private mutating func answered(_ asker: Int?) {
    guard let asker else { return }
    answers[asker, default: 0] += 1
    if answers[asker]! > 1 { problems.append("asker \(asker) was answered twice") }
    let waited = Double(now - (asked[asker] ?? now)) / 1e9
    if waited > 2000 { problems.append("asker \(asker) waited \(waited) s") }
  }
}
