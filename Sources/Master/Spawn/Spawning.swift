import Control
import Glibc
import Posix

/// A worker that is to be started: everything but its process.
final class Launch {
  let id: Int
  let seat: Int
  let release: Release
  /// The states that the previous worker has written for it.
  let states: [Int: SavedState]

  init(id: Int, seat: Int, release: Release, states: [Int: SavedState]) {
    (self.id, self.seat, self.release, self.states) = (id, seat, release, states)
  }

  deinit { for state in states.values { System.close(state.descriptor) } }
}

/// What a worker gets: orders, the descriptors that these name, and its scoreboard.
struct Outfit {
  var orders: Orders
  /// Our descriptors, and the worker's.
  var map: [(Int32, Int32)]
  /// The scoreboard; the caller owns it.
  let board: Int32
  /// The same, mapped.
  let memory: UnsafeRawPointer
}

/// From a seat to a process.
extension Master {
  /// Starts the worker of a seat, with the state of the one that it follows.
  func launch(_ id: Int, _ seat: Int, _ release: Release, follows old: Int?) {
    launching.insert(id)
    saveStates(of: old.flatMap { workers[$0] }) { [unowned self] states in
      let launch = Launch(id: id, seat: seat, release: release, states: states)
      guard launching.contains(id) else { return }
      release.preloads ? preload(launch) : begin(launch)
    }
  }

  /// Starts the process of a worker, which loads the applications itself.
  func begin(_ launch: Launch) {
    guard launching.remove(launch.id) != nil else { return }
    do throws(SystemError) {
      let outfit = try outfit(launch)
      defer { System.close(outfit.board) }
      do throws(SystemError) {
        let child = try startChild(
          outfit.orders, outfit.map, speaks: .workerLink(launch.id), ended: .workerEnd(launch.id))
        workers[launch.id] = WorkerHandle(
          id: launch.id, seat: launch.seat, pid: child.pid, processDescriptor: child.processDescriptor,
          link: child.link, memory: outfit.memory, release: launch.release)
      } catch {
        System.unmap(outfit.memory, Scoreboard.bytes)
        throw error
      }
      statistics.started(launch.seat)
    } catch { failed(launch, "no process for a new worker: \(error)", code: 1, hadProcess: false) }
  }

  /// It could not get a process.
  func failed(_ launch: Launch, _ sentence: String, code: Int32, hadProcess: Bool = true) {
    launching.remove(launch.id)
    freeSpoolNumber(of: launch.id)
    var end = WorkerEnding(ending: .exited(1), sentence: sentence, code: code)
    end.hadProcess = hadProcess
    inform(.ended(launch.id, end))
  }

  /// What a worker is given, however it is created.
  func outfit(_ launch: Launch) throws(SystemError) -> Outfit {
    let release = launch.release
    try mend(release.builds)
    var orders = Orders(.worker)
    (orders.worker, orders.workers, orders.arguments) = (launch.seat, release.workers, release.arguments)
    (orders.files, orders.tickets) = (releases.files(of: release), tickets.keys)
    var handed = HandedMap()
    for socket in sockets { handed.add(socket, to: &orders) }
    for (app, build) in release.builds.enumerated() {
      var wanted = Orders.Build(app: app, generation: build.generation, path: build.path)
      if let state = launch.states[app] {
        (wanted.state, wanted.stateVersion) = (handed.add(state.descriptor), state.version)
      }
      orders.builds.append(wanted)
    }
    if let pipes { orders.requestLog = handed.add(pipes.requests.write) }
    if let common = try commonMemory(of: release) {
      orders.shared = Orders.Shared(
        memory: handed.add(common.memory), reading: handed.add(common.pipe.read),
        writing: handed.add(common.pipe.write))
    }
    orders.program = plan.program
    for file in heldFiles(of: release) { handed.add(file, to: &orders) }
    orders.spoolShare = spoolNumbers.take(for: launch.id)
    let board = try System.sealedMemory("scoreboard", Scoreboard.bytes)
    do throws(SystemError) {
      let shared = [(board, HandedDescriptor.scoreboard), (spoolShares, HandedDescriptor.spools)]
      return Outfit(
        orders: orders, map: handed.map + shared, board: board,
        memory: try System.mapShared(board, Scoreboard.bytes))
    } catch {
      System.close(board)
      throw error
    }
  }

  /// Starts this same program with orders; the caller owns the other descriptors. Its messages and its end
  /// are reported to the given sources; if anything fails on the way, nothing of it is left.
  ///
  /// - Parameter words: the beginning of its arguments.
  func startChild(
    _ orders: Orders, _ map: [(Int32, Int32)], words: [String] = [], speaks: Source, ended: Source,
    newSession: Bool = false
  ) throws(SystemError) -> (pid: Int32, processDescriptor: Int32, link: Int32) {
    var orders = orders
    let held = hold(for: &orders, beside: map)
    let paper = try System.memoryFile("orders", orders.message.bytes)
    defer { System.close(paper) }
    let pair = try System.packetPair()
    defer { System.close(pair.other) }
    let own = [(pair.other, HandedDescriptor.control), (paper, HandedDescriptor.orders)]
    let whole = map + held + own
    do throws(SystemError) {
      try watch(pair.own, speaks)
      let line = ["server"] + words + [ChildRole.name] + orders.title
      let pid = try Spawn(
        "/proc/self/exe", line, descriptors: whole, family: newSession ? .ownSession : .parents
      ).start()
      return (pid, try watchEnd(of: pid, ended), pair.own)
    } catch {
      unwatch(pair.own)
      throw error
    }
  }

  /// A process whose end nobody would notice must not exist.
  func watchEnd(of pid: Int32, _ source: Source) throws(SystemError) -> Int32 {
    do throws(SystemError) {
      let descriptor = try System.processDescriptor(pid)
      do throws(SystemError) { try watch(descriptor, source) } catch {
        System.close(descriptor)
        throw error
      }
      return descriptor
    } catch {
      System.signal(pid, SIGKILL)
      unwatched.append(pid)
      throw error
    }
  }

  /// Once a second: reaps processes that were killed because nobody could watch them.
  func reapUnwatched() { unwatched.removeAll { System.ending(of: $0) != nil } }

  // MARK: Ready

  /// A worker accepts, and reports what it runs.
  func becameReady(_ worker: WorkerHandle, _ apps: [WorkerReport.App]) {
    let sorted = apps.sorted { $0.place < $1.place }
    let generations = sorted.map(\.generation)
    // Its report matches what it was told to run, or none of it is believed.
    guard sorted.map(\.place) == Array(worker.release.builds.indices),
      releases.expects(worker.id, generations)
    else { return inform(.ready(worker.id, generations: generations)) }
    for app in apps { releases.name(worker.release.builds[app.place], app) }
    noteLibraries(of: worker)
    let lifetime = worker.release.settings.supervision.maxLifetimeSeconds
    if lifetime > 0 {
      let delta = worker.release.settings.supervision.lifetimeDeltaSeconds * Double(worker.seat)
      alarms.set(.lifetime(worker: worker.id), seconds: lifetime + delta)
    }
    if releases.isStopAnnounced { worker.send(Message(.unready)) }
    inform(.ready(worker.id, generations: generations))
  }

  // MARK: Leaving

  /// Replaces a worker by one that runs what its seat should run: new first, then old.
  func replace(_ id: Int, _ sentence: String) {
    guard let worker = workers[id], phase(of: worker) == .serving else { return }
    MasterLog.info("\(worker.title) is replaced: \(sentence)")
    inform(.wantsOut(id))
  }

  /// Stops a worker from accepting; it ends when it has answered its requests.
  func retire(_ id: Int) {
    alarms.cancel(.lifetime(worker: id))
    workers[id]?.send(Message(.retire))
    hastenOldest()
  }

  /// Retired workers wait for idle clients; only so many may.
  private func hastenOldest() {
    let retired = workers.values.filter { phase(of: $0) == .leaving }.sorted { $0.id < $1.id }
    let bound = max(8, 2 * (releases.current?.workers ?? 1))
    for worker in retired.prefix(max(0, retired.count - bound)) { worker.send(Message(.stop)) }
  }

  /// Ends a worker's process; `reason` is given in the log.
  func end(_ id: Int, _ reason: String?) {
    // It waits for the state of its predecessor: there is no process yet.
    if launching.remove(id) != nil {
      dropForking(id)
      giveUp(id, reason)
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

/// The first argument of a process that a master starts; its orders are in a descriptor.
public enum ChildRole {
  /// Not for use by people.
  public static let name = "supervised-child"
  /// Comes before the program of the new master, and its arguments: it is started so that it ends with this
  /// master until it says otherwise.
  public static let heir = "supervised-heir"
}
