import Config
import Control

/// A new build in place of the serving one, in the same process.
extension Worker {
  /// Leader: begins what the master asks for. Loading takes its time, on a thread of its own; requests go
  /// on meanwhile, except with `--threads 1`, where apps are loaded on the thread that calls them.
  func swapInPlace(_ message: Message) {
    guard let link = supervisor?.link, let wanted = SwapOrder(message, apps: settings.apps.count),
      let index = apps.mounts.index(of: wanted.app)
    else { return }
    guard !departure.isUnderWay else { return refuse(wanted, "the worker leaves", link) }
    guard !common.isFull else {
      return refuse(
        wanted, "\(CommonFacts.mostLeftOver) replaced generations are still in memory", link, isFull: true)
    }
    let old = apps.mounts[index]
    let isStarted = doAtHome { [unowned(unsafe) self] in
      do throws(ServerFailure) {
        if common.hasBegunToStop { throw ServerFailure("the worker leaves") }
        let app = try load(wanted, from: old.generation)
        common.leaveOver()
        replace(index, with: app) { [unowned(unsafe) self] old in
          if old.generation.close() { common.removeLeftOver() }
        }
      } catch { refuse(wanted, error.description, link, isFull: error.needsNewProcess) }
    }
    if !isStarted { refuse(wanted, "the system gives no thread", link) }
  }

  private func refuse(_ wanted: SwapOrder, _ reason: String, _ link: ControlLink, isFull: Bool = false) {
    link.send(
      Message(
        .refused,
        [
          .init("app", "\(wanted.app)"), .init("generation", "\(wanted.generation)"), Message.reason(reason),
          .init("full", isFull ? "1" : "0"),
        ]))
  }

  /// Loads, starts and probes the build with the state of the serving one; on any thread.
  private func load(_ wanted: SwapOrder, from old: Generation) throws(ServerFailure) -> App {
    let app = settings.apps[wanted.app]
    var state: [UInt8] = []
    if let fd = try? System.unnamedFile(in: "/dev/shm") {
      defer { System.close(fd) }
      if old.save(into: fd) ?? 0 > 0 { state = (try? System.contents(fd)) ?? [] }
    }
    var loading = AppLoading(settings)
    loading.libraries = .exact
    let generation = try loading.start(
      AppSettings(mount: app.mount, path: wanted.source, symbol: app.symbol, options: app.options),
      from: .copied(path: wanted.path),
      AppLoading.Start(
        number: wanted.generation, worker: old.worker, workers: old.workers,
        saved: Generation.Saved(version: old.version, bytes: state)))
    return App(
      mount: app.mount, name: generation.name, generation: generation, threads: settings.limits.threads,
      place: wanted.app)
  }
}

extension Supervisor {
  /// Leader: requests go to the new build from now on.
  func installed(_ app: App) {
    board[.generation, app: app.place].value = UInt64(app.generation.number)
    link.send(Message(.loaded, LoadedLibraries.shared.report.fields))
    link.send(
      Message(
        .swapped, [.init("app", "\(app.place)"), .init("generation", "\(app.generation.number)")]))
  }
}

/// The swap that the master asks for.
private struct SwapOrder: Sendable {
  let app: Int
  let generation: UInt32
  /// The private copy.
  let path: String
  /// The operator's file.
  let source: String

  init?(_ message: Message, apps: Int) {
    guard let app = message.place("app", of: apps),
      let generation = message.number("generation").flatMap({ UInt32(exactly: $0) }),
      let path = message["path"], let source = message["source"]
    else { return nil }
    (self.app, self.generation, self.path, self.source) = (app, generation, path, source)
  }
}
