import Config
import Control

/// What is known about releases and builds, and what is shown of it.
extension Releases {
  /// A release with a number of its own. Its options form a set of their own unless they are those in effect.
  ///
  /// - Parameter files: nil: those of the one that serves.
  mutating func release(
    _ arguments: [String], _ settings: Settings, _ builds: [Build], _ files: [HandedFile]? = nil
  ) -> Release {
    let number = nextNumber()
    let files = files ?? current?.files ?? []
    let hasSameFiles = current?.files == files
    let isSame = current?.arguments == arguments && hasSameFiles
    return Release(
      number: number, configuration: isSame ? current!.configuration : number, arguments: arguments,
      settings: settings, builds: builds, files: files,
      certificates: hasSameFiles ? current!.certificates : number)
  }

  /// Releases that are wanted, or may be wanted again without being asked for.
  var known: [Release] {
    var all = [current, probation?.previous].compactMap { $0 }
    switch state {
    case .rolling(let rolling): all += [rolling.target, rolling.previous]
    case .swapping(let swap): all.append(swap.target)
    case .replaying(let prepared): all.append(prepared.target)
    case .starting, .serving, .staging, .presenting, .handingOver, .stopping: break
    }
    return all
  }

  /// Those of them whose workers may have to be started: earlier ones do not count if none of their builds
  /// could be brought back.
  var startable: [Release] {
    var known = self.known
    // It may be refused yet.
    if case .replaying(let prepared) = state { known.removeAll { $0.number == prepared.target.number } }
    guard let probation, !isKept(before: probation.fresh, in: probation.previous) else { return known }
    return known.filter { $0.number != probation.previous.number || $0.number == current?.number }
  }

  /// What served before these builds can be brought back: at least one of its builds, or there was nothing.
  func isKept(before fresh: [Build], in previous: Release) -> Bool {
    fresh.contains { build in previous.builds.first { $0.mount == build.mount }?.isKept ?? true }
  }

  /// A build by its number.
  func build(_ mount: String, _ generation: Int) -> Build? {
    let all = known.flatMap(\.builds) + (history.builds[mount] ?? [])
    return all.first { $0.mount == mount && $0.generation == generation }
  }

  func isStaging(_ ticket: Int) -> Bool {
    if case .staging(let staging) = state { return staging.request.ticket == ticket }
    return false
  }

  /// A release whose answers are watched, and its builds that are new.
  struct Trial {
    let release: Release
    let fresh: [Build]
  }

  var trials: [Trial] {
    var all: [Trial] = []
    if let current, let probation, probation.release == current.number {
      all.append(Trial(release: current, fresh: probation.fresh))
    }
    if case .rolling(let rolling) = state, !rolling.fresh.isEmpty {
      all.append(Trial(release: rolling.target, fresh: rolling.fresh))
    }
    if case .swapping(let swap) = state, swap.isSoaking {
      all.append(Trial(release: swap.target, fresh: [swap.build]))
    }
    return all
  }

  /// Takes an application's name for itself, once a worker has loaded it.
  mutating func name(_ build: Build, _ app: WorkerReport.App) {
    revise(build) {
      $0.name = app.name
      $0.version = app.version
      $0.isUnloadable = app.isUnloadable
      $0.calls = app.calls
    }
    history.name(build.mount, build.generation, app.name, app.version, app.isUnloadable)
  }

  /// Notes which libraries a worker has last loaded for a build.
  mutating func adopt(_ libraries: LibraryReport, for build: Build) {
    revise(build) { $0.libraries = libraries }
    history.adopt(build.mount, build.generation, libraries)
  }

  private mutating func revise(_ build: Build, _ change: (inout Build) -> Void) {
    if let index = current?.builds.firstIndex(where: build.isSame) { change(&current!.builds[index]) }
    guard case .rolling(var rolling) = state,
      let index = rolling.target.builds.firstIndex(where: build.isSame)
    else { return }
    change(&rolling.target.builds[index])
    state = .rolling(rolling)
  }

  /// The change in progress, or the trial after it, in words.
  var changeText: String? {
    switch state {
    case .rolling(let rolling):
      let count = max(rolling.target.workers, rolling.previous.workers)
      let place = "rolling out: place \(min(rolling.seat + 1, count)) of \(count)"
      return comparisonText(rolling.target.number).map { "\(place); \($0)" } ?? place
    case .swapping(let swap):
      let text = swap.isSoaking ? comparisonText(swap.target.number) : nil
      return text.map { "swapping in place; \($0)" } ?? "swapping in place"
    case .presenting: return "presenting other certificates"
    case .staging: return "trying a build"
    case .replaying: return "replaying requests"
    case .handingOver: return "handing over to a new server"
    case .starting, .serving, .stopping: break
    }
    let mounts = probation?.fresh.map { $0.mount.isEmpty ? "/" : $0.mount }
    return mounts.map { "on probation: \($0.joined(separator: ", "))" }
  }
}
