import CNSGI
import Config
import Control
import Glibc

/// The process that stages builds: copies each to its private place, inspects it as ELF, and, where the
/// orders say so, runs its load() and probe(). Whatever a build does here, it does to this process alone;
/// its master keeps the time.
///
/// It runs as the user that the workers run as, reads the operator's files as that user, and writes into
/// files that its master has made and opened. Before anything of a build runs, all copies are made.
public enum StageRole {
  /// A copy that was made.
  private struct Copied {
    let build: Orders.Build
    let wanted: AppSettings
    let copy: PrivateCopy
  }

  /// Does it, and says each step; after `Server.enter`.
  public static func run(_ settings: Settings, _ assignment: Assignment) {
    assignment.begin()
    let orders = assignment.orders
    ProcessSetup.show(.helper("trial"), settings.process)
    do throws(ServerFailure) {
      try StaticFiles.check(settings)
      try RuleBook.check(settings)
      if !orders.files.isEmpty { _ = try TLSIdentities.all(settings, orders.files, checksTime: true) }
      // After the change of user, with which the kernel forgets it.
      System.dieWithParent()
      var loading = AppLoading(plugins: settings.pluginDirectories)
      var copied: [Copied] = []
      for build in orders.builds where build.app < settings.apps.count {
        let wanted = settings.apps[build.app]
        let path = try loading.path(of: wanted)
        // The library that serves; of a runtime the plugin belongs to this server.
        let source = wanted.runtime == nil && !build.source.isEmpty ? build.source : path
        let copy = try copy(build, wanted, source, assignment.link)
        copied.append(Copied(build: build, wanted: wanted, copy: copy))
      }
      guard orders.tries else { return }
      for one in copied { try attempt(one.build, one.wanted, one.copy, &loading, settings, assignment) }
    } catch { assignment.fail(error.description, code: error.exitCode) }
  }

  /// The private copy, inspected; says whether it equals the one in use.
  private static func copy(
    _ build: Orders.Build, _ wanted: AppSettings, _ path: String, _ link: ControlLink
  ) throws(ServerFailure) -> PrivateCopy {
    let place = Message.Field("app", "\(build.app)")
    link.send(Message(.step, [place, .init("step", "copy")]))
    defer { for output in build.outputs { System.close(output) } }
    do throws(LoadError) {
      guard let output = build.outputs.first else { throw .copyFailed(path: path, reason: "no file for it") }
      let copy = try PrivateCopy(of: path, at: build.path, into: output)
      let image = try copy.inspect(wanted: AppReference(path: path, symbol: wanted.symbol).wanted)
      let kept = build.source.isEmpty ? wanted : KeptFiles.substitute(wanted, .copied(path: build.source))
      try KeptFiles.copy(kept, into: build.outputs.dropFirst())
      let isSame =
        !build.current.isEmpty && copy.equals(build.current)
        && KeptFiles.areSame(wanted, Paths.directory(of: build.path), Paths.directory(of: build.current))
      link.send(
        Message(.copied, [place, .init("same", isSame ? "1" : "0"), .init("build", image.buildID ?? "")]))
      return copy
    } catch { throw error.failure(of: wanted) }
  }

  /// load() and probe(), where they can do no harm.
  private static func attempt(
    _ build: Orders.Build, _ wanted: AppSettings, _ copy: PrivateCopy, _ loading: inout AppLoading,
    _ settings: Settings, _ assignment: Assignment
  ) throws(ServerFailure) {
    let place = Message.Field("app", "\(build.app)")
    assignment.link.send(Message(.step, [place, .init("step", "load")]))
    let generation = try loading.start(
      wanted.toldOfTrial(settings), from: .copied(path: copy.path),
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
