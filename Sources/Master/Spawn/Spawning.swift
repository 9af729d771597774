import Control
import Glibc

/// From a seat to a process.
extension Master {
  /// Starts the worker of a seat, with the state of the one that it follows.
  func launch(_ id: Int, _ seat: Int, _ release: Release, follows old: Int?) {
    launching.insert(id)
    saveStates(of: old.flatMap { workers[$0] }) { [unowned self] states in
      defer { for state in states.values { System.close(state.descriptor) } }
      guard launching.remove(id) != nil else { return }
      do throws(SystemError) {
        let worker = try start(id, seat, release, states)
        workers[id] = worker
        try watch(worker.processDescriptor, .workerEnd(id))
        try watch(worker.link, .workerLink(id))
      } catch { notStarted(id, "no process for a new worker: \(error)") }
    }
  }

  private func notStarted(_ id: Int, _ reason: String) {
    if let worker = workers[id] { return System.signal(worker.pid, SIGKILL) }
    inform(.ended(id, WorkerEnding(ending: .exited(1), sentence: reason, code: 1)))
  }

  private func start(
    _ id: Int, _ seat: Int, _ release: Release, _ states: [Int: SavedState]
  ) throws(SystemError) -> WorkerHandle {
    var orders = Orders(.worker)
    (orders.worker, orders.workers, orders.arguments) = (seat, release.workers, release.arguments)
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
    orders.spoolShare = id % SpoolShares.count
    let board = try System.sealedMemory("scoreboard", Scoreboard.bytes)
    defer { System.close(board) }
    let memory = try System.mapShared(board, Scoreboard.bytes)
    let shared = [(board, HandedDescriptor.scoreboard), (spoolShares, HandedDescriptor.spools)]
    do throws(SystemError) {
      let child = try startChild(orders, map + shared)
      return WorkerHandle(
        id: id, seat: seat, pid: child.pid, processDescriptor: child.processDescriptor,
        link: child.link, memory: memory, release: release)
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

  /// A worker accepts, and says what it runs.
  func becameReady(_ worker: WorkerHandle, _ apps: [WorkerReport.App]) {
    guard apps.count == worker.release.builds.count else {
      worker.failure = ("it did not say what it runs", 1)
      return System.signal(worker.pid, SIGKILL)
    }
    for app in apps { releases.name(worker.release.builds[app.place], app) }
    noteLibraries(of: worker)
    let lifetime = worker.release.settings.supervision.maxLifetimeSeconds
    if lifetime > 0 { alarms.set(.lifetime(worker: worker.id), seconds: lifetime) }
    let generations = apps.sorted { $0.place < $1.place }.map(\.generation)
    inform(.ready(worker.id, generations: generations))
  }

  // MARK: Leaving

  /// A worker is to be followed by another of what its seat should run: new first, then old.
  func replace(_ id: Int, _ sentence: String) {
    guard let worker = workers[id], phase(of: worker) == .serving else { return }
    MasterLog.info("\(worker.title) is replaced: \(sentence)")
    inform(.wantsOut(id))
  }

  /// A worker accepts no more; it ends when it has answered what it has.
  func retire(_ id: Int) {
    alarms.cancel(.lifetime(worker: id))
    workers[id]?.send(Message(.retire))
    hastenOldest()
  }

  /// Retired workers wait for clients that ask nothing; only so many may.
  private func hastenOldest() {
    let retired = workers.values.filter { phase(of: $0) == .leaving }.sorted { $0.id < $1.id }
    let bound = max(8, 2 * (releases.current?.workers ?? 1))
    for worker in retired.prefix(max(0, retired.count - bound)) { worker.send(Message(.stop)) }
  }

  /// Ends a worker's process; `reason` is what is said of it.
  func end(_ id: Int, _ reason: String?) {
    // It waits for the state of the one before it: there is no process yet.
    if launching.remove(id) != nil {
      return inform(.ended(id, WorkerEnding(ending: .exited(0), sentence: reason ?? "it was not needed")))
    }
    guard let worker = workers[id] else { return }
    if let reason {
      if phase(of: worker) == .loading { worker.failure = (reason, 22) }
      if phase(of: worker) == .leaving { MasterLog.warning("\(worker.title) is killed: \(reason)") }
    }
    System.signal(worker.pid, SIGKILL)
  }

  /// How far a worker has come; nil once it has ended.
  func phase(of worker: WorkerHandle) -> Worker.Phase? { releases.workers[worker.id]?.phase }
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
