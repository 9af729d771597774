import Config
import Control

/// What a master inherits from the one before it.
struct Past {
  /// Builds that served there and are kept, those of an application in order of their commits.
  var builds: [Build] = []
  /// The last number given, for each application.
  var counters: [Bequest.Place] = []
  var trial: Bequest.Trial?
  /// Workers that served, if their number follows the load.
  var workers: Int?
  /// How the last changes went.
  var changes: [ChangeRecord] = []
}

/// History and probation cross an upgrade.
extension Releases {
  /// What the next master needs to know.
  var bequest: Bequest {
    var bequest = Bequest()
    for (mount, builds) in history.builds.sorted(by: { $0.key < $1.key }) {
      bequest.kept += builds.filter { $0.status != .serving }.map(Bequest.Kept.init)
      bequest.counters.append(.init(mount: mount, generation: history.count(mount)))
    }
    (bequest.workers, bequest.changes) = (cheaper?.workers, journal.records)
    guard let current, let probation, probation.release == current.number else { return bequest }
    var trial = Bequest.Trial()
    (trial.end, trial.kills) = (probation.end, probation.kills)
    trial.arguments = probation.previous.arguments
    trial.files = probation.previous.files == current.files ? nil : probation.previous.files
    trial.previous = probation.previous.builds.map(\.place)
    trial.fresh = probation.fresh.map(\.place)
    trial.terms = probation.trials.map {
      Bequest.Term(place: $0.build.place, before: $0.before?.generation ?? 0, end: $0.end)
    }
    bequest.trial = trial
    return bequest
  }

  /// The first builds are staged.
  mutating func loaded(_ release: Release, _ past: Past) {
    act(.cancel(.first))
    (current, inheritedSeats, journal) = (release, past.workers, Journal(past.changes))
    history.adopt(past.builds, past.counters)
    for build in release.builds { history.count(build.mount, upTo: build.generation) }
    guard let trial = past.trial, trial.end > now else { return }
    guard let previous = self.release(trial, among: past.builds, before: release) else {
      return act(.log(.warning, "the probation ends: the builds before cannot be brought back any more"))
    }
    let fresh = release.builds.filter { trial.fresh.contains($0.place) }
    let trials = fresh.map { build in
      let term = trial.terms.first { $0.place == build.place }
      let known = past.builds.filter { !$0.status.isWithdrawn } + previous.builds
      let before = known.first { $0.mount == build.mount && $0.generation == term?.before }
      return Probation.Trial(
        build: build, before: before ?? previous.builds.first { $0.mount == build.mount },
        end: term?.end ?? trial.end)
    }
    setProbation(
      Probation(
        release: release.number, previous: previous, trials: trials.filter { $0.end > now },
        kills: trial.kills))
  }

  /// The release to go back to, if each of its builds is there. A build made by a runtime may have been
  /// withdrawn while it still served: it is replaced by what serves now, whose files are the same.
  private mutating func release(
    _ trial: Bequest.Trial, among kept: [Build], before current: Release
  ) -> Release? {
    guard let settings = Releases.parse(trial.arguments) else { return nil }
    var wanted: [Build] = []
    for app in settings.apps {
      let place = trial.previous.first { $0.mount == app.mount }
      let known = kept.filter { !$0.status.isWithdrawn } + current.builds
      let build =
        known.first { $0.place == place }
        ?? (app.isKeptWhole ? nil : current.builds.first { $0.mount == app.mount })
      guard let build else { return nil }
      wanted.append(build)
    }
    return wanted.isEmpty ? nil : release(trial.arguments, settings, wanted, trial.files)
  }
}

extension Build {
  fileprivate var place: Bequest.Place { .init(mount: mount, generation: generation) }

  /// A build kept by the previous master, with its new copy; one that is withdrawn has none.
  init(_ kept: Bequest.Kept, copy: Int, path: String) {
    self.init(
      mount: kept.mount, source: kept.source, generation: kept.generation, copy: copy, path: path,
      buildID: kept.buildID, name: kept.name, version: kept.version, isUnloadable: kept.isUnloadable,
      staged: kept.staged)
    status = kept.withdrawn.map { .withdrawn(reason: $0) } ?? .retired
  }
}

extension Bequest.Kept {
  fileprivate init(_ build: Build) {
    self.init()
    (mount, generation, source, path) = (build.mount, build.generation, build.source, build.path)
    (name, version, buildID) = (build.name, build.version, build.buildID)
    (staged, isUnloadable) = (build.staged, build.isUnloadable)
    if case .withdrawn(let reason) = build.status { withdrawn = reason }
  }
}
