import CNSGI
import Config
import Control
import Glibc

/// The process that stages builds: copies each to its private place, inspects it as ELF, and, if the orders
/// say so, runs its load() and probe(). Whatever a build does here, it harms only this process; its master
/// keeps the time.
///
/// It runs as the user that the workers run as, reads the operator's files as that user, and writes into
/// files that its master has made and opened. All copies are made, and these files closed, before any code of
/// a build runs, and before the process becomes the program of an interpreter: that one runs code of its
/// environment as soon as it starts.
public enum StageRole {
  /// Copies and inspects all builds, and reports each; to be called as the workers' user.
  static func copyAll(_ settings: Settings, _ assignment: Assignment) throws(ServerFailure) {
    let orders = assignment.orders
    // After the change of user, which makes the kernel forget it.
    System.dieWithParent()
    guard !orders.builds.isEmpty else { return }
    try AppKey.take(settings, orders.key.map { [$0] } ?? [])
    let loading = AppLoading(settings)
    for build in orders.builds where build.app < settings.apps.count {
      let wanted = settings.apps[build.app]
      let path = try loading.path(of: wanted)
      // The serving library; for a runtime, the plugin belongs to this server.
      let source = wanted.runtime == nil && !build.source.isEmpty ? build.source : path
      try copy(build, wanted, source, settings, assignment)
    }
    assignment.link.send(Message(.step, [.init("step", "start")]))
  }

  /// Checks what the builds need besides, and tries them if the orders say so; to be called after
  /// `Server.enter`.
  ///
  /// - Parameter isGuest: the process has become another program since the copies were made, which has to
  /// load the key again.
  public static func run(_ settings: Settings, _ assignment: Assignment, isGuest: Bool = false) {
    assignment.begin()
    // The kernel forgets it if the program's file has capabilities.
    if isGuest { System.dieWithParent() }
    let orders = assignment.orders
    ProcessSetup.show(.helper("trial"), settings.process)
    do throws(ServerFailure) {
      guard !orders.builds.isEmpty else {
        try TLSIdentities.attempt(settings, orders.files, inPlaceOf: orders.served)
        return assignment.link.send(Message(.certified))
      }
      try StaticFiles.check(settings)
      try RuleBook.check(settings)
      if !orders.files.isEmpty { try TLSIdentities.attempt(settings, orders.files, inPlaceOf: orders.served) }
      guard orders.tries else { return }
      if isGuest { try AppKey.take(settings, orders.key.map { [$0] } ?? []) }
      try ProcessSetup.tellCopiesApart()
      var loading = AppLoading(settings)
      for build in orders.builds where build.app < settings.apps.count {
        try attempt(build, settings.apps[build.app], &loading, settings, assignment)
      }
    } catch { assignment.fail(error.description, code: error.exitCode) }
  }

  /// Makes and inspects the private copy; reports whether it equals the one in use.
  private static func copy(
    _ build: Orders.Build, _ wanted: AppSettings, _ path: String, _ settings: Settings,
    _ assignment: Assignment
  ) throws(ServerFailure) {
    let link = assignment.link
    let place = Message.Field("app", "\(build.app)")
    link.send(Message(.step, [place, .init("step", "copy")]))
    defer { for output in build.outputs { System.close(output) } }
    do throws(LoadError) {
      guard let output = build.outputs.first else { throw .copyFailed(path: path, reason: "no file for it") }
      let copy = try PrivateCopy(of: path, at: build.path, into: output)
      try keepSignature(build, wanted, of: copy, path)
      let image = try copy.inspect(wanted: AppReference(path: path, symbol: wanted.symbol).wanted)
      let kept = build.source.isEmpty ? wanted : KeptFiles.substitute(wanted, .copied(path: build.source))
      try KeptFiles.copy(kept, into: build.outputs.dropFirst())
      let isSame =
        !build.current.isEmpty && copy.equals(build.current)
        && KeptFiles.areSame(wanted, Paths.directory(of: build.path), Paths.directory(of: build.current))
        && (AppKey.shared == nil || AppKey.areSame(build.path, build.current))
      let isKept = wanted.keepsModules && keepModules(build, wanted, settings, assignment.orders)
      let isOwn = wanted.runtime == nil
      let buildID = isOwn ? image.buildID ?? "" : KeptFiles.identifier(wanted, beside: build.path)
      link.send(
        Message(
          .copied,
          [
            place, .init("same", isSame ? "1" : "0"), .init("kept", isKept ? "1" : "0"),
            .init("build", buildID),
          ]))
    } catch { throw error.failure(of: wanted) }
  }

  /// Has the runtime copy an app's modules, or takes them from the copy that this one is made from; false if
  /// there is nothing to keep.
  private static func keepModules(
    _ build: Orders.Build, _ wanted: AppSettings, _ settings: Settings, _ orders: Orders
  ) -> Bool {
    guard let output = build.outputs.last, build.outputs.count > 1 else { return false }
    guard build.source.isEmpty else { return KeptFiles.copyModules(besides: build.source, into: output) }
    let kept = RuntimeProgram(settings, orders).keep(build, into: output)
    if !kept.isKept, !kept.remark.isEmpty {
      Log.shared.warning(
        "no copies of the modules of \(wanted.path) are kept (\(kept.remark)): workers that are started "
          + "later load what lies there then, and no build of it can be brought back")
    }
    if kept.isKept, !kept.remark.isEmpty {
      Log.shared.info(
        "the modules of \(wanted.path) are kept with its build; read from where they lie, after a rollback "
          + "too: \(kept.remark)")
    }
    return kept.isKept
  }

  /// No code of a build has run here yet: what is checked is what the copy contains.
  private static func keepSignature(
    _ build: Orders.Build, _ wanted: AppSettings, of copy: PrivateCopy, _ path: String
  ) throws(LoadError) {
    guard let key = AppKey.shared else { return }
    // From a master that has handed over: it is beside the copy there.
    let signature =
      build.source.isEmpty
      ? try key.readSignature(of: path) : try key.keptSignature(beside: build.source, of: wanted.path)
    try key.check(copy, signature)
    guard build.outputs.count > 1, let output = build.outputs.last else {
      throw .copyFailed(path: path, reason: "no file for its signature")
    }
    do throws(SystemError) { try System.writeAll(output, signature) } catch {
      throw .copyFailed(path: path, reason: error.reason)
    }
  }

  /// load() and probe(), in a place where they can do no harm.
  private static func attempt(
    _ build: Orders.Build, _ wanted: AppSettings, _ loading: inout AppLoading, _ settings: Settings,
    _ assignment: Assignment
  ) throws(ServerFailure) {
    let place = Message.Field("app", "\(build.app)")
    assignment.link.send(Message(.step, [place, .init("step", "load")]))
    let generation = try loading.start(
      wanted.toldOfTrial(settings), from: .copied(path: build.path),
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
