import Config
import Control

/// The builds that the master before this one keeps for a rollback, copied into this one's directory.
extension Master {
  /// Stages them one after the other; one that cannot be copied any more is left out.
  func stageKept(
    _ rest: ArraySlice<Bequest.Kept>, after done: [Build] = [], then: @escaping ([Build]) -> Void
  ) {
    guard let kept = rest.first else { return then(done) }
    let others = rest.dropFirst()
    if kept.withdrawn != nil {
      return stageKept(others, after: done + [Build(kept, copy: 0, path: "")], then: then)
    }
    guard let (arguments, settings, app) = place(of: kept) else {
      return stageKept(others, after: done, then: then)
    }
    var served = Orders.Build(app: app, generation: kept.generation, path: kept.path)
    served.source = kept.path
    stage(arguments, settings, [], apps: [app], of: [served], tries: false, ticket: 0) {
      [unowned self] outcome, copied in
      guard case .starting = releases.state else { return }
      var done = done
      switch outcome {
      case .staged:
        let copy = copied.copies[app]!
        done.append(Build(kept, copy: copy.number, path: copy.path))
      case .failed(let reason, _):
        MasterLog.warning("\(kept.name) generation \(kept.generation) is not kept any more: \(reason)")
      case .configured: break
      }
      stageKept(others, after: done, then: then)
    }
  }

  /// The options that serve a kept build, and its application's place in them.
  private func place(of kept: Bequest.Kept) -> (arguments: [String], settings: Settings, app: Int)? {
    guard let app = plan.settings.apps.firstIndex(where: { $0.mount == kept.mount }) else { return nil }
    if plan.settings.apps[app].runtime != nil { return (plan.arguments, plan.settings, app) }
    let arguments = Settings.arguments(plan.arguments, servingAt: kept.mount, path: kept.source)
    return Releases.parse(arguments).map { (arguments, $0, app) }
  }
}
