import Control
import Glibc

/// From a place to a worker that serves.
extension Master {
  /// The worker that accepts in a place; nil while there is none.
  func serving(_ place: Int) -> WorkerHandle? {
    workers.values.filter { $0.place == place && $0.state == .serving }.max { $0.id < $1.id }
  }

  /// What a place should run now: half way through a rollout that depends on the place.
  func release(for place: Int) -> Release? {
    guard let rollout else { return current }
    return rollout.hasSwitched(place) ? rollout.target : rollout.previous
  }

  /// An empty place gets a worker.
  func fill(_ place: Int) {
    guard phase != .stopping, let release = release(for: place), place < release.workers else { return }
    guard !workers.values.contains(where: { $0.place == place && $0.state != .retiring }) else { return }
    if spawn(place, release, .fill, states: [:]) == nil { alarms.set(.respawn(place: place), seconds: 1) }
  }

  /// Replaces a worker by one of the same release: new first, then old.
  func replace(_ id: Int, _ sentence: String) {
    guard phase == .serving, let worker = workers[id], worker.state == .serving else { return }
    let hasSuccessor = workers.values.contains {
      $0.place == worker.place && $0.purpose == .succeed && $0.state == .starting
    }
    guard !hasSuccessor, let release = release(for: worker.place) else { return }
    MasterLog.info("\(worker.title) is replaced: \(sentence)")
    worker.sentence = sentence
    saveStates(of: worker) { [unowned self] states in
      guard spawn(worker.place, release, .succeed, states: states) == nil else { return }
      MasterLog.error("\(worker.title) goes on: no process for its successor")
    }
  }

  /// Starts a worker; nil if the system gives no process.
  func spawn(
    _ place: Int, _ release: Release, _ purpose: WorkerHandle.Purpose, states: [Int: SavedState]
  ) -> WorkerHandle? {
    defer { for state in states.values { System.close(state.descriptor) } }
    do {
      let worker = try start(place, release, purpose, states)
      workers[worker.id] = worker
      try watch(worker.processDescriptor, .workerEnd(worker.id))
      try watch(worker.link, .workerLink(worker.id))
      alarms.set(.startTimeout(worker: worker.id), seconds: release.settings.supervision.startSeconds)
      return worker
    } catch {
      MasterLog.error("no worker can be started: \(error)")
      return nil
    }
  }

  private func start(
    _ place: Int, _ release: Release, _ purpose: WorkerHandle.Purpose, _ states: [Int: SavedState]
  ) throws(SystemError) -> WorkerHandle {
    var orders = Orders(.worker)
    (orders.worker, orders.workers, orders.arguments) = (place, release.workers, release.arguments)
    var next = HandedDescriptor.first
    var map: [(Int32, Int32)] = []
    for socket in sockets {
      orders.sockets.append(
        .init(descriptor: next, gateway: socket.gateway.rawValue, address: socket.address))
      map.append((socket.descriptor, next))
      next += 1
    }
    for (app, build) in release.builds.enumerated() {
      var wanted = Orders.Build(app: app, generation: build.generation, path: build.path)
      if let state = states[app] {
        (wanted.state, wanted.stateVersion) = (next, state.version)
        map.append((state.descriptor, next))
        next += 1
      }
      orders.builds.append(wanted)
    }
    let id = nextNumber()
    orders.spoolShare = id % SpoolShares.count
    let board = try System.sealedMemory("scoreboard", Scoreboard.bytes)
    defer { System.close(board) }
    let memory = try System.mapShared(board, Scoreboard.bytes)
    let shared = [(board, HandedDescriptor.scoreboard), (spoolShares, HandedDescriptor.spools)]
    do throws(SystemError) {
      let child = try startChild(orders, map + shared)
      return WorkerHandle(
        id: id, place: place, pid: child.pid, processDescriptor: child.processDescriptor,
        link: child.link, memory: memory, release: release, purpose: purpose)
    } catch {
      System.unmap(memory, Scoreboard.bytes)
      throw error
    }
  }

  /// This very program with orders; the descriptors besides are the caller's.
  func startChild(
    _ orders: Orders, _ map: [(Int32, Int32)], program: String = "/proc/self/exe"
  ) throws(SystemError) -> (pid: Int32, processDescriptor: Int32, link: Int32) {
    let paper = try System.memoryFile("orders", orders.message.bytes)
    defer { System.close(paper) }
    let pair = try System.packetPair()
    defer { System.close(pair.other) }
    let whole = map + [(pair.other, HandedDescriptor.control), (paper, HandedDescriptor.orders)]
    do throws(SystemError) {
      let pid = try System.spawn(program, ["server", ChildRole.name] + orders.title, whole)
      do throws(SystemError) {
        return (pid, try System.processDescriptor(pid), pair.own)
      } catch {
        System.signal(pid, SIGKILL)
        throw error
      }
    } catch {
      System.close(pair.own)
      throw error
    }
  }

  // MARK: Ready

  /// A worker accepts: what follows depends on why it was started.
  func becameReady(_ worker: WorkerHandle, _ apps: [WorkerReport.App]) {
    guard worker.state == .starting else { return }
    worker.state = .serving
    worker.readyAt = System.now()
    alarms.cancel(.startTimeout(worker: worker.id))
    backoffs[worker.place, default: Backoff()].becameReady()
    abandoned.remove(worker.place)
    nameBuilds(worker.release, apps)
    noteLibraries(of: worker)
    let lifetime = worker.release.settings.supervision.maxLifetimeSeconds
    if lifetime > 0 { alarms.set(.lifetime(worker: worker.id), seconds: lifetime) }
    if phase == .stopping {
      worker.send(Message(.stop))
      worker.state = .retiring
      return
    }
    switch worker.purpose {
    case .fill: if phase == .starting { startedOne() }
    case .succeed: retireOthers(than: worker)
    case .rollout: rolloutIsReady(worker)
    }
  }

  private func nameBuilds(_ release: Release, _ apps: [WorkerReport.App]) {
    for app in apps where release.builds.indices.contains(app.place) {
      let build = release.builds[app.place]
      func rename(_ builds: inout [Build]) {
        guard builds.indices.contains(app.place), builds[app.place].generation == build.generation else {
          return
        }
        builds[app.place].name = app.name
        builds[app.place].version = app.version
        builds[app.place].isUnloadable = app.isUnloadable
        builds[app.place].calls = app.calls
      }
      if current != nil { rename(&current!.builds) }
      if rollout != nil { rename(&rollout!.target.builds) }
      history.name(build.mount, build.generation, app.name, app.version, app.isUnloadable)
    }
  }

  /// All first workers serve: the server has started.
  private func startedOne() {
    guard let release = current else { return }
    guard (0..<release.workers).allSatisfy({ serving($0) != nil }) else { return }
    phase = .serving
    for build in release.builds { _ = history.commit(build) }
    if let warning = plan.warning { MasterLog.announce(warning) }
    for build in release.builds {
      MasterLog.announce(
        Spread(mount: build.mount, name: build.name, processes: release.workers, calls: build.calls).line)
    }
    for socket in sockets { MasterLog.announce(socket.readyLine) }
    plan.notify(plan.follows ? "READY=1\nMAINPID=\(System.ownPID)" : "READY=1")
    tellParent(Message(.ready))
    alarms.set(.look, seconds: 1)
    watchFiles()
  }

  // MARK: Leaving

  /// A worker that still loads has nothing to finish, and may never come to read a message.
  func endLoading(_ worker: WorkerHandle) { System.signal(worker.pid, SIGKILL) }

  /// A worker accepts no more; it ends when it has answered what it has.
  func retire(_ worker: WorkerHandle) {
    guard worker.state == .serving || worker.state == .starting else { return }
    if worker.state == .starting { endLoading(worker) }
    worker.state = .retiring
    alarms.cancel(.startTimeout(worker: worker.id))
    alarms.cancel(.lifetime(worker: worker.id))
    worker.send(Message(.retire))
    alarms.set(.mercy(worker: worker.id), seconds: worker.release.settings.limits.gracefulSeconds + 3)
    hastenOldest()
  }

  /// Retired workers wait for clients that ask nothing; only so many may.
  private func hastenOldest() {
    let retired = workers.values.filter { $0.state == .retiring }.sorted { $0.id < $1.id }
    let bound = max(8, 2 * (current?.workers ?? 1))
    for worker in retired.prefix(max(0, retired.count - bound)) { worker.send(Message(.stop)) }
  }

  /// The others of a worker's place have a successor now.
  func retireOthers(than worker: WorkerHandle) {
    for other in workers.values where other.place == worker.place && other.id != worker.id { retire(other) }
  }

  /// A worker that was told to leave has not.
  func mercyIsOver(_ id: Int) {
    guard let worker = workers[id] else { return }
    MasterLog.warning("\(worker.title) did not leave in time and is killed")
    System.signal(worker.pid, SIGKILL)
  }

  /// A worker that never said that it is ready.
  func startTimedOut(_ id: Int) {
    guard let worker = workers[id], worker.state == .starting else { return }
    let seconds = worker.release.settings.supervision.startSeconds
    worker.failure = ("it did not become ready within \(seconds) s (--swap-timeout)", 22)
    System.signal(worker.pid, SIGKILL)
  }
}

extension Orders {
  /// What a list of processes shows: "worker 2 of 4".
  fileprivate var title: [String] {
    role == .worker ? [role.rawValue, "\(worker + 1)", "of", "\(workers)"] : [role.rawValue]
  }
}

/// The first argument of a process that a master starts; its orders are in a descriptor.
public enum ChildRole {
  /// Not for people.
  public static let name = "supervised-child"
}
