import CLinux
import Config
import Control
import Glibc
import Posix

/// The process of one worker, as started by its master, which hands over the sockets and the builds.
extension Server {
  /// Serves until the master says otherwise, or is gone; to be called after `enter`. The settings are those
  /// of the orders.
  public static func work(_ settings: Settings, _ assignment: Assignment) throws(ServerFailure) {
    try work(settings, assignment, signals: try takeSignals())
  }

  /// - Parameter signals: the descriptor that reads them.
  static func work(
    _ settings: Settings, _ assignment: Assignment, signals: Int32
  ) throws(ServerFailure) {
    assignment.begin()
    let orders = assignment.orders
    let settings = orders.isReplay ? settings.ofReplay : settings
    ProcessSetup.show(orders.isReplay ? .helper("replay") : .worker(orders.worker), settings.process)
    if orders.requestLog >= 0 {
      System.closeOnExec(orders.requestLog)
      LogSink.separateRequests(System.own(orders.requestLog))
    }
    if !ProcessSetup.isSanitized { LastWords.watch() }
    // After the change of user, which makes the kernel forget it.
    orders.isReplay ? System.dieWithParent() : System.endWithParent()
    let listeners = try inherit(orders.sockets, settings)
    let identities = try TLSIdentities.all(settings, orders.files, checksTime: false)
    try AppKey.take(settings, orders.files)
    let spools = try SpoolRoom.prepare(settings, sharing: orders.spoolShare)
    let board: UnsafeMutableRawPointer
    do {
      board = try System.mapShared(HandedDescriptor.scoreboard, Scoreboard.bytes)
      System.close(HandedDescriptor.scoreboard)
    } catch { throw ServerFailure("the scoreboard cannot be mapped: \(error)") }
    let home = try HomeThread.start(threads: settings.limits.threads)
    Extensions.master = assignment.link
    GuestLoops.isOffered = settings.apps.count == 1
    let apps = try load(settings, orders, assignment.link, home)
    HeldFiles.release()
    try serve(at: home) { home throws(ServerFailure) in
      let worker: Worker
      do throws(SystemError) {
        worker = try Worker(
          settings: settings, listeners: listeners, mounts: MountTable(apps), log: .shared,
          supervisor: Supervisor(assignment, Scoreboard(board), settings.supervision), spools: spools,
          presented: Presented(identities, tickets: orders.tickets))
      } catch { throw ServerFailure(loop: error) }
      try checkRoom()
      worker.leading.settle(home)
      do throws(SystemError) {
        if try worker.run(signals: signals) { unload(worker) }
      } catch { throw ServerFailure("the event loop failed: \(error)") }
    }
  }

  /// Makes listeners of sockets that a master hands over; it owns their files.
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

  /// Once the master is gone this process ends, even if a load() waits: no more orders can come.
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
    var loading = AppLoading(settings)
    var apps: [App] = []
    for build in orders.builds where build.app < settings.apps.count {
      let wanted = settings.apps[build.app].told(of: settings, by: orders)
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

extension Settings {
  /// For a worker that only has requests replayed to it: none of them is a client's, so none has a line in
  /// the log, or is remembered.
  fileprivate var ofReplay: Settings {
    var settings = self
    (settings.log.requests, settings.log.clientErrors, settings.log.serverErrors) = (false, false, false)
    settings.log.slowMilliseconds = nil
    settings.supervision.replay.requests = 0
    return settings
  }
}
