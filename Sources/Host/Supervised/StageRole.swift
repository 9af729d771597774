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
    System.dieWithParent()
    System.leaveNoCore()
    let orders = assignment.orders
    do throws(ServerFailure) {
      try ProcessSetup.tellCopiesApart()
      try ProcessSetup.enter(settings.process, worker: nil)
      var loading = AppLoading(plugins: settings.pluginDirectories)
      for build in orders.builds where build.app < settings.apps.count {
        let wanted = settings.apps[build.app]
        let copy = try copy(build, wanted, try loading.path(of: wanted), assignment.link)
        if orders.tries { try attempt(build, wanted, copy, &loading, assignment) }
      }
    } catch { assignment.fail(error.description, code: error.exitCode) }
  }

  /// The private copy, inspected; says whether it equals the one in use.
  private static func copy(
    _ build: Orders.Build, _ wanted: AppSettings, _ path: String, _ link: ControlLink
  ) throws(ServerFailure) -> PrivateCopy {
    let place = Message.Field("app", "\(build.app)")
    link.send(Message(.step, [place, .init("step", "copy")]))
    do throws(LoadError) {
      let copy = try PrivateCopy(of: path, into: build.path)
      let image = try copy.inspect(wanted: AppReference(path: path, symbol: wanted.symbol).wanted)
      try KeptFiles.copy(wanted, into: build.path)
      let isSame =
        !build.current.isEmpty && copy.equals(build.current)
        && KeptFiles.areSame(wanted, build.path, Paths.directory(of: build.current))
      link.send(
        Message(
          .copied,
          [
            place, .init("path", copy.path), .init("same", isSame ? "1" : "0"),
            .init("build", image.buildID ?? ""),
          ]))
      return copy
    } catch { throw error.failure(of: wanted) }
  }

  /// load() and probe(), where they can do no harm.
  private static func attempt(
    _ build: Orders.Build, _ wanted: AppSettings, _ copy: PrivateCopy, _ loading: inout AppLoading,
    _ assignment: Assignment
  ) throws(ServerFailure) {
    let place = Message.Field("app", "\(build.app)")
    assignment.link.send(Message(.step, [place, .init("step", "load")]))
    let generation = try loading.start(
      wanted, from: .copied(path: copy.path),
      AppLoading.Start(
        number: UInt32(build.generation), workers: UInt32(assignment.orders.workers)))
    assignment.link.send(Message(.loaded, [place] + LoadedLibraries.shared.report.fields))
    assignment.link.send(
      Message(
        .passed,
        [
          place, .init("name", generation.name), .init("version", generation.version),
          .init("unloadable", generation.isUnloadable ? "1" : "0"),
        ]))
    generation.unload()
  }
}
