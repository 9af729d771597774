import CNSGI
import Config
import Control
import Glibc

/// The process that stages builds: copies each to its private place, inspects it as ELF, and, where the
/// orders say so, runs its load() and probe(). Whatever a build does here, it does to this process alone;
/// its master keeps the time.
public enum StageRole {
  /// Does it, and says each step.
  public static func run(_ settings: Settings, _ assignment: Assignment) {
    System.endWithParent()
    System.leaveNoCore()
    do throws(ServerFailure) {
      try ProcessSetup.enter(settings.process, worker: nil)
    } catch { return assignment.fail(error.description, code: error.exitCode) }
    for build in assignment.orders.builds where build.app < settings.apps.count {
      do throws(LoadError) {
        try stage(build, settings.apps[build.app], assignment)
      } catch { return assignment.fail("\(error)", code: 22) }
    }
  }

  private static func stage(
    _ build: Orders.Build, _ wanted: AppSettings, _ assignment: Assignment
  ) throws(LoadError) {
    let place = Message.Field("app", "\(build.app)")
    let link = assignment.link
    link.send(Message(.step, [place, .init("step", "copy")]))
    let copy = try PrivateCopy(of: wanted.path, into: build.path)
    let reference = AppReference(path: wanted.path, symbol: wanted.symbol)
    let image = try copy.inspect(wanted: reference.wanted)
    let isSame = !build.current.isEmpty && copy.equals(build.current)
    link.send(
      Message(.copied, [place, .init("path", copy.path), .init("same", isSame ? "1" : "0"),
        .init("build", image.buildID ?? "")]))
    guard assignment.orders.tries else { return }
    link.send(Message(.step, [place, .init("step", "load")]))
    let generation = try Generation.load(
      copy, reference, options: wanted.options.map { Generation.Option(key: $0.key, value: $0.value) },
      number: UInt32(build.generation), host: HostTable.shared)
    try generation.start(worker: 0, workers: UInt32(assignment.orders.workers))
    link.send(Message(.step, [place, .init("step", "probe")]))
    try generation.probe()
    link.send(
      Message(.passed, [place, .init("name", generation.name), .init("version", generation.version),
        .init("unloadable", generation.isUnloadable ? "1" : "0")]))
    generation.unload()
  }
}
