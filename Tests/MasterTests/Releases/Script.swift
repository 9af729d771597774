// Scenarios of changes, written out step by step: what happens, and what the master does about it.
import Config
import Control

@testable import Master

/// A master's decisions under a script.
struct Script {
  var releases = Releases()
  var now: UInt64 = 1_000_000_000
  /// What the last event led to.
  var actions: [Action] = []
  /// What askers were told at the end.
  var outcomes: [Int: [Outcome]] = [:]
  var logged: [String] = []
  /// What was counted.
  var counted: [String] = []
  private var generations: [String: Int] = [:]
  /// What builds are made of is kept.
  private let keepsBuilds: Bool
  /// Applications by mount point.
  let mounts: [String]
  private var first: (release: Release, past: Past)?

  init(
    workers: Int, mounts: [String] = [""], follows: Bool = false, keepsBuilds: Bool = true,
    _ adjust: (inout Settings) -> Void = { _ in }
  ) {
    (self.mounts, self.keepsBuilds) = (mounts, keepsBuilds)
    releases.follows = follows
    var settings = Settings(apps: mounts.map { AppSettings(mount: $0, path: "/a.so") })
    settings.process.workers = workers
    settings.supervision.soakSeconds = 1
    adjust(&settings)
    let builds = mounts.map { build($0) }
    let arguments =
      mounts.map { "--app=" + ($0.isEmpty ? "" : $0 + "=") + "/a.so" } + ["--processes=\(workers)"]
    let first = Release(number: 0, arguments: arguments, settings: settings, builds: builds)
    take(.loaded(first, past: Past()))
  }

  /// A master that follows another, with what that one served and has left; it begins with `begin`.
  init(following past: Past, _ release: Release) {
    (mounts, keepsBuilds) = (release.settings.apps.map(\.mount), true)
    releases.follows = true
    first = (release, past)
  }

  /// The builds of a master that follows another are staged.
  mutating func begin() {
    guard let first else { return }
    let release = releases.release(
      first.release.arguments, first.release.settings, first.release.builds, first.release.files)
    take(.loaded(release, past: first.past))
  }

  mutating func build(_ mount: String = "", unloadable: Bool = false) -> Build {
    generations[mount, default: 0] += 1
    var build = Build(
      mount: mount, source: "/a.so", generation: generations[mount]!, copy: 1, path: "/g", buildID: "",
      name: mount.isEmpty ? "a" : String(mount.dropFirst()), staged: 0)
    (build.isUnloadable, build.isKept) = (unloadable, keepsBuilds)
    return build
  }

  mutating func take(_ event: Event, after seconds: Double = 0) {
    now &+= UInt64(seconds * 1e9)
    actions = releases.take(event, now: now, calendar: Int64(now / 1_000_000_000))
    for action in actions {
      switch action {
      case .tell(let asker?, .end(let outcome)): outcomes[asker, default: []].append(outcome)
      case .log(_, let text): logged.append(text)
      case .count(let name): counted.append(name)
      default: break
      }
    }
  }

  // MARK: What workers do

  /// Workers that load, in the order of their start.
  var loading: [Int] { releases.workers.filter { $0.value.phase == .loading }.keys.sorted() }
  var serving: [Int] { releases.workers.filter { $0.value.phase == .serving }.keys.sorted() }
  var leaving: [Int] { releases.workers.filter { $0.value.phase == .leaving }.keys.sorted() }

  mutating func ready(_ id: Int) {
    take(.ready(id, generations: releases.workers[id]?.plan.generations ?? []), after: 0.01)
  }

  /// - Parameter app: the place of the application that it crashed in.
  mutating func die(_ id: Int, _ ending: Ending = .killed(11), requests: Int = 100, in app: Int? = nil) {
    var end = WorkerEnding(ending: ending, sentence: "it died", requests: requests)
    end.app = app
    take(.ended(id, end), after: 0.01)
  }

  /// Workers load, and those that leave do, until nothing more follows.
  mutating func settle() {
    while true {
      if let id = loading.first {
        ready(id)
        continue
      }
      if let id = leaving.first {
        take(.deaf(id))
        die(id, .exited(0))
        continue
      }
      return
    }
  }

  // MARK: Changes

  /// The ticket of the children that were just started.
  var staged: Int? {
    for action in actions { if case .stage(let ticket) = action { return ticket } }
    return nil
  }

  /// Asks for a swap whose children bring these builds; `restarts`: with other options too.
  mutating func swap(_ fresh: [Build], by asker: Int, restarts: Bool = false) {
    take(.asked(.swap(mount: nil, file: nil), by: asker))
    bring(fresh)
  }

  mutating func bring(_ fresh: [Build]) {
    guard let ticket = staged, let current = releases.current else { return }
    let builds = current.builds.map { old in fresh.first { $0.mount == old.mount } ?? old }
    let release = Release(
      number: 1000 + ticket, configuration: current.configuration, arguments: current.arguments,
      settings: current.settings, builds: builds, files: current.files, certificates: current.certificates)
    take(.staged(ticket: ticket, .built(release, fresh: fresh, obstacle: nil)), after: 0.1)
  }

  mutating func soak() {
    if case .rolling(let rolling) = releases.state {
      take(.alarm(.soak(release: rolling.target.number)), after: 1)
    }
  }

  /// Generations of the only application, seat by seat, as the workers say it.
  var running: [[Int]] {
    (0..<(releases.current?.workers ?? 0)).map { seat in
      serving.filter { releases.workers[$0]?.seat == seat }.flatMap {
        releases.workers[$0]?.running?.generations ?? []
      }
    }
  }

  /// Swaps one build in, whatever it takes.
  mutating func roll(_ build: Build, by asker: Int) {
    swap([build], by: asker)
    if let id = loading.first { ready(id) }
    soak()
    settle()
  }

  /// Reads other options, with the builds that serve; `adjust` says which.
  mutating func reload(by asker: Int, _ adjust: (inout Settings) -> Void) {
    take(.asked(.reload(cause: "ctl"), by: asker))
    guard let ticket = releases.request?.ticket, let current = releases.current else { return }
    take(.staged(ticket: ticket, .configured))
    var settings = current.settings
    adjust(&settings)
    let target = Release(
      number: 2000 + ticket, configuration: 2000 + ticket, arguments: current.arguments + ["--again"],
      settings: settings, builds: current.builds)
    take(.staged(ticket: ticket, .built(target, fresh: [], obstacle: nil)), after: 0.1)
    if let id = loading.first { ready(id) }
    soak()
    settle()
  }

  /// Whether the last event has led to an action.
  func did(_ isIt: (Action) -> Bool) -> Bool { actions.contains(where: isIt) }

  /// Workers of a seat that do not leave.
  func present(_ seat: Int) -> Int {
    releases.workers.values.count { $0.seat == seat && $0.phase != .leaving }
  }

  func outcome(_ asker: Int) -> String {
    let all = outcomes[asker] ?? []
    return all.count == 1 ? (all[0].isDone ? "done: " : "refused: ") + all[0].text : "\(all.count) answers"
  }
}
