// What processes and files of the world do: workers as their builds have it, children that stage.
import Config
import Control

@testable import Master

extension World {
  mutating func spawned(_ id: Int, _ release: Release) {
    living[id] = release.plan
    let ending: Ending = chance(0.5) ? .exited(0) : .killed(11)
    if chance(0.02) { return later(0.1, .death(id, ending)) }
    let time = Double.random(in: 0.01..<1, using: &random)
    // Something in a worker may speak in its place.
    if chance(0.05) { later(0.005, .event(.ready(id, generations: [999]))) }
    if chance(0.05) { later(time + 0.1, .event(.swapped(id, app: 0, generation: 999))) }
    let ready = Happening.event(.ready(id, generations: release.plan.generations))
    let app =
      release.builds.indices.first { behaviours[release.builds[$0].generation] ?? .good != .good } ?? 0
    let behaviour = behaviours[release.builds[app].generation] ?? .good
    switch behaviour {
    case .failsToLoad: later(time, .death(id, .exited(22)))
    case .hangsInLoad: break
    case .good, .crashesSoon, .exitsSoon, .asksToLeave, .failsRequests:
      later(time, ready)
      serves(id, behaviour, of: app, in: release, after: time)
    }
    if chance(0.03) {
      later(time + Double.random(in: 0..<40, using: &random), .event(.silent(id, reason: "hangs")))
    }
    if chance(0.05) { later(time + Double.random(in: 0..<9, using: &random), .death(id, ending)) }
  }

  /// A worker serves, and its build behaves so.
  private mutating func serves(
    _ id: Int, _ behaviour: Behaviour, of app: Int, in release: Release, after time: Double
  ) {
    // Where it has crashed is not always known.
    let place = chance(0.5) ? app : nil
    switch behaviour {
    case .good, .failsToLoad, .hangsInLoad: break
    case .crashesSoon: later(time + 0.2, .death(id, .killed(11), app: place))
    case .exitsSoon: later(time + 0.4, .death(id, .exited(0)))
    case .asksToLeave: later(time + 0.3, .event(.wantsOut(id)))
    case .failsRequests:
      let mount = place.map { release.builds[$0].mount }
      later(
        time + 0.5,
        .event(.evidence(release: release.number, "5 of 5 answers were 5xx", mount: mount)))
    }
  }

  mutating func retired(_ id: Int) {
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

  /// A worker puts a build to work in place: now or late, or not at all; it may say so late or never, or say
  /// what is not so.
  mutating func loads(_ id: Int, _ wanted: Worker.Asked) {
    if let before = pending[id] { problems.append("worker \(id) loads \(before) and is asked for \(wanted)") }
    pending[id] = wanted
    let time = chance(0.2) ? Double.random(in: 1..<19, using: &random) : 0.1
    let swapped = Event.swapped(id, app: wanted.app, generation: wanted.generation)
    func kept(_ isFull: Bool) -> Event {
      .keptOld(id, app: wanted.app, generation: wanted.generation, reason: "no", isFull: isFull)
    }
    switch Int.random(in: 0..<(trouble ? 12 : 1), using: &random) {
    case 0...4:
      later(time, .installs(id, wanted))
      later(time + (chance(0.2) ? 1.5 : 0.01), .says(id, wanted, swapped))
      guard let behaviour = behaviours[wanted.generation], let current = releases.current else { return }
      serves(id, behaviour, of: wanted.app, in: current, after: time)
    case 5: later(time, .installs(id, wanted))
    case 6, 7: later(time, .says(id, wanted, kept(false)))
    case 8: later(time, .says(id, wanted, kept(true)))
    case 9: later(time, .death(id, .killed(11)))
    case 10:
      liars.insert(id)
      later(time, .says(id, wanted, swapped))
    default: break
    }
  }

  /// What workers show is anything: a good build's grows slowly, and some of what is shown makes no sense.
  mutating func figures() -> [Int: WorkerFigures] {
    var all: [Int: WorkerFigures] = [:]
    for id in releases.workers.keys.sorted() {
      var figures = WorkerFigures()
      let seconds = now / 1_000_000_000
      (figures.requests, figures.resident, figures.descriptors) = (Int(seconds) * 300, 50 << 20, 20)
      let isWild = chance(0.2)
      for _ in mounts {
        figures.tallies.append(
          Tally(
            (0..<Tally.cells).map { cell in
              isWild ? UInt64.random(in: 0...(.max), using: &random) : cell == 1 ? seconds * 300 : 0
            }))
      }
      if isWild {
        figures.requests = Int.random(in: .min...(.max), using: &random)
        figures.resident = Int.random(in: .min...(.max), using: &random)
        figures.descriptors = chance(0.5) ? nil : Int.random(in: .min...(.max), using: &random)
      }
      all[id] = figures
    }
    return all
  }

  // MARK: Staging

  mutating func configured(_ ticket: Int) {
    guard !chance(0.05) else { return }
    if chance(0.1) { return later(0.1, .event(.staged(ticket: ticket, .failed("bad configuration")))) }
    later(0.1, .event(.staged(ticket: ticket, .configured)))
  }

  mutating func staged(_ ticket: Int) {
    guard let current = releases.current, let change = releases.request?.change, !chance(0.05) else { return }
    if chance(0.1) { return later(0.2, .event(.staged(ticket: ticket, .failed("bad build")))) }
    var (arguments, files, builds) = (current.arguments, current.files, current.builds)
    var fresh: [Build] = []
    for app in builds.indices where isFresh(builds[app], in: change) {
      generation += 1
      behaviours[generation] = trouble ? Behaviour.allCases.randomElement(using: &random) : .good
      builds[app] = World.build(builds[app].mount, generation)
      fresh.append(builds[app])
    }
    switch change {
    case .swap(let mount?, let file?, _):
      arguments = Settings.arguments(arguments, servingAt: mount, path: file)
    case .reload:
      arguments = otherOptions(arguments)
      if Bool.random(using: &random) { files = [HandedFile(path: "/a.pem", text: "reload \(ticket)")] }
    case .swap, .certificates, .rollback, .upgrade: break
    }
    guard let settings = Releases.parse(arguments) else { return problems.append("bad options \(arguments)") }
    let release = releases.release(arguments, settings, builds, files)
    let obstacle = chance(0.05) ? "other libraries" : nil
    later(0.3, .event(.staged(ticket: ticket, .built(release, fresh: fresh, obstacle: obstacle))))
  }

  /// Requests are replayed to copies: what comes of it, when, and whether anything does, is chance.
  mutating func replayed(_ ticket: Int, _ fresh: [Build], _ requests: Int) {
    if fresh.isEmpty || requests < 1 { problems.append("nothing is replayed: \(requests), \(fresh)") }
    guard !chance(0.05) else { return }
    var result = ReplayResult.skipped("the workers remember nothing")
    if !chance(0.3) {
      let reports = fresh.map { build -> ReplayReport in
        var report = ReplayReport()
        (report.mount, report.replayed) = (build.mount, requests)
        if chance(0.2) {
          report.add(.init(.status, isWorse: true, request: "GET /", text: "was answered with 500"))
        }
        if chance(0.2) { report.add(.init(.body, request: "GET /", text: "byte 3")) }
        return report
      }
      result = .compared(reports)
    }
    if chance(0.1) { result = .failed("a copy of it does not start") }
    if chance(0.05) { later(0.2, .event(.replayed(ticket: ticket + 1, .skipped("another one's")))) }
    let time = Double.random(in: 0.1..<30, using: &random)
    later(time, .event(.replayed(ticket: ticket, result)))
    if chance(0.05) { later(time + 0.1, .event(.replayed(ticket: ticket, .failed("once more")))) }
  }

  private mutating func isFresh(_ build: Build, in change: Change) -> Bool {
    if case .swap(let mount, _, _) = change { return mount == nil || mount == build.mount }
    return Bool.random(using: &random)
  }

  /// Other options of those that a reload may change.
  private mutating func otherOptions(_ arguments: [String]) -> [String] {
    let others = [
      "--processes=\(Int.random(in: 1...4, using: &random))",
      "--tls-ticket-hours=\(Int.random(in: 1...2, using: &random))",
      "--swap=\(Bool.random(using: &random) ? "in-place" : "rolling")",
    ]
    return arguments.map { argument in
      let name = argument.prefix { $0 != "=" } + "="
      return others.first { $0.hasPrefix(name) } ?? argument
    }
  }

  /// The files are read and tried; now and then they are those that serve.
  mutating func certified(_ ticket: Int) {
    guard let current = releases.current, !chance(0.05) else { return }
    if chance(0.2) { return later(0.1, .event(.staged(ticket: ticket, .failed("it has expired")))) }
    let files = chance(0.1) ? current.files : [HandedFile(path: "/a.pem", text: "\(ticket)")]
    later(0.1, .event(.staged(ticket: ticket, .certified(files))))
  }

  /// A worker answers, speaks of others, or has nothing to say.
  mutating func presented(_ id: Int, _ number: Int) {
    if chance(0.05) { return later(0.1, .event(.declined(id, certificates: number, "no memory"))) }
    if chance(0.05) { later(0.01, .event(.presents(id, certificates: number + 1))) }
    if !chance(0.05) { later(0.1, .event(.presents(id, certificates: number))) }
  }
}
