import CLinux
import Config
import Control
import Glibc

/// The process of one worker, as its master starts it: the sockets and the builds are handed over.
extension Server {
  /// Serves until the master says otherwise, or is gone. Settings are those of the orders.
  public static func work(_ settings: Settings, _ assignment: Assignment) throws(ServerFailure) {
    let orders = assignment.orders
    if !ProcessSetup.isSanitized { LastWords.watch() }
    try ProcessSetup.tellCopiesApart()
    try ProcessSetup.enter(settings.process, worker: orders.worker)
    // After the change of user, with which the kernel forgets it.
    System.endWithParent()
    let listeners = try inherit(orders.sockets, settings)
    let signals: Int32
    do { signals = try Worker.takeSignals() } catch {
      throw ServerFailure("signals cannot be read: \(error)")
    }
    let spools = try SpoolRoom.prepare(settings, sharing: orders.spoolShare)
    let board: UnsafeMutableRawPointer
    do {
      board = try System.mapShared(HandedDescriptor.scoreboard, Scoreboard.bytes)
      System.close(HandedDescriptor.scoreboard)
    } catch { throw ServerFailure("the scoreboard cannot be mapped: \(error)") }
    let home = try HomeThread.start(threads: settings.limits.threads)
    let apps = try load(settings, orders, assignment.link, home)
    let worker: Worker
    do {
      worker = try Worker(
        settings: settings, listeners: listeners, mounts: MountTable(apps), log: .shared,
        supervisor: Supervisor(assignment, Scoreboard(board), settings.supervision), spools: spools)
    } catch { throw ServerFailure(loop: error) }
    worker.home = home
    do {
      if try worker.run(signals: signals) { unload(worker) }
    } catch { throw ServerFailure("the event loop failed: \(error)") }
  }

  /// Listeners of sockets that a master hands over; their files are its own.
  static func inherit(
    _ sockets: [Orders.Socket], _ settings: Settings
  ) throws(ServerFailure) -> [Listener] {
    var listeners: [Listener] = []
    for socket in sockets {
      System.closeOnExec(socket.descriptor)
      guard let gateway = ListenerProtocol(rawValue: socket.gateway),
        let address = try? Address(parsing: socket.address)
      else { throw ServerFailure("the master handed over a socket that is none") }
      listeners.append(
        Listener.inherit(
          socket.descriptor, gateway: gateway, address: address,
          ownsFile: settings.listeners.contains { $0.address == address }, limits: settings.limits))
    }
    return listeners
  }

  /// A master that is gone is not waited for, even if a load() waits: it can say nothing more.
  private static func load(
    _ settings: Settings, _ orders: Orders, _ link: ControlLink, _ home: HomeThread?
  ) throws(ServerFailure) -> [App] {
    let watch = SignalWatch { event in
      if System.isHungUp(link.fd) { System.endAtOnce(0) }
      if case .stop = event { return .passed }
      return .heeded
    }
    defer { watch.end() }
    return try home.perform { () throws(ServerFailure) in try load(settings, orders) }
  }

  private static func load(_ settings: Settings, _ orders: Orders) throws(ServerFailure) -> [App] {
    var loading = AppLoading(plugins: settings.pluginDirectories)
    var apps: [App] = []
    for build in orders.builds where build.app < settings.apps.count {
      let wanted = settings.apps[build.app]
      let state = build.state < 0 ? [] : ((try? System.contents(build.state)) ?? [])
      if build.state >= 0 { System.close(build.state) }
      let generation = try loading.start(
        wanted, from: .copied(path: build.path),
        AppLoading.Start(
          number: UInt32(build.generation), worker: UInt32(orders.worker), workers: UInt32(orders.workers),
          saved: Generation.Saved(version: build.stateVersion, bytes: state)))
      apps.append(
        App(
          mount: wanted.mount, name: generation.name, generation: generation,
          threads: settings.limits.threads, place: build.app))
    }
    return apps
  }
}
