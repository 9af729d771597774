import Config
import Control

/// The builds that the previous master keeps for a rollback, copied into this one's directory.
extension Master {
  /// Stages them one after the other; leaves out any that can no longer be copied.
  func stageKept(
    _ rest: ArraySlice<Bequest.Kept>, after done: [Build] = [], then: @escaping ([Build]) -> Void
  ) {
    guard let kept = rest.first else { return then(done) }
    let others = rest.dropFirst()
    if kept.withdrawn != nil {
      return stageKept(others, after: done + [Build(kept, copy: 0, path: "")], then: then)
    }
    guard let (arguments, settings, app, files) = place(of: kept) else {
      return stageKept(others, after: done, then: then)
    }
    var served = Orders.Build(app: app, generation: kept.generation, path: kept.path)
    served.source = kept.path
    stage(arguments, settings, [], keys: files, apps: [app], of: [served], tries: false, ticket: 0) {
      [unowned self] outcome, copied in
      guard case .starting = releases.state else { return }
      var done = done
      switch outcome {
      case .staged(let staged):
        let copy = copied.copies[app]!
        var build = Build(kept, copy: copy.number, path: copy.path)
        build.isKept = settings.apps[app].isKeptWhole || staged[app]?.isKept == true
        done.append(build)
      case .failed(let reason, _):
        MasterLog.warning("\(kept.name) generation \(kept.generation) is not kept any more: \(reason)")
      case .configured, .replayed, .unreplayed: break
      }
      stageKept(others, after: done, then: then)
    }
  }

  /// Options, and the files that belong to them.
  private typealias Place = (arguments: [String], settings: Settings, app: Int, files: [HandedFile])

  /// The options for a kept build, and its application's place in them. A build to which a probation may go
  /// back comes with the options of its time: it may be signed with another key.
  private func place(of kept: Bequest.Kept) -> Place? {
    var (arguments, settings, files) = (plan.arguments, plan.settings, plan.files)
    if let trial = plan.bequest.trial,
      trial.previous.contains(.init(mount: kept.mount, generation: kept.generation)),
      let before = Releases.parse(trial.arguments)
    {
      (arguments, settings, files) = (trial.arguments, before, trial.files ?? plan.files)
    }
    guard let app = settings.apps.firstIndex(where: { $0.mount == kept.mount }) else { return nil }
    if settings.apps[app].runtime != nil { return (arguments, settings, app, files) }
    arguments = Settings.arguments(arguments, servingAt: kept.mount, path: kept.source)
    return Releases.parse(arguments).map { (arguments, $0, app, files) }
  }
}
