import Config
import Control
import Glibc

/// A worker that a signal ended while it served.
struct Crash {
  /// Seconds of the calendar.
  let at: Int64
  /// The whole sentence of the log.
  let sentence: String
  let mount: String?
  let generation: Int?
  static let kept = 20
}

/// What workers say, and how they end.
extension Master {
  /// Takes what a worker says; what is left of a lot comes with the next turn.
  func workerSpeaks(_ id: Int) {
    for _ in 0..<Limits.messagesPerTurn {
      guard let worker = workers[id] else { return }
      do throws(SystemError) {
        let bytes = try System.receivePacket(worker.link)
        guard !bytes.isEmpty else { return unlink(worker) }
        guard worker.hearing.admits(at: System.now()) else { return silence(worker) }
        guard let report = WorkerReport(bytes, apps: worker.release.builds.count) else {
          misheard(worker)
          continue
        }
        heed(worker, report)
      } catch {
        if error.code == EMSGSIZE {
          misheard(worker)
        } else {
          if !error.wouldBlock { unlink(worker) }
          return
        }
      }
    }
  }

  /// It floods the master: nothing more is read of it, and its place gets another.
  private func silence(_ worker: WorkerHandle) {
    unlink(worker)
    MasterLog.error(
      "\(worker.title) said more than \(Limits.messagesPerSecond) things within a second and is ended; "
        + "something in it writes to descriptor \(HandedDescriptor.control)")
    System.signal(worker.pid, SIGKILL)
  }

  private func misheard(_ worker: WorkerHandle) {
    guard worker.hearing.misspeaks() else { return }
    MasterLog.warning(
      "\(worker.title) said what no worker says; something in it writes to descriptor "
        + "\(HandedDescriptor.control), which is not its own")
  }

  /// Its end of the socket is closed: the process ends, or has ended.
  private func unlink(_ worker: WorkerHandle) {
    System.unwatch(epoll, worker.link)
    sources[worker.link] = nil
  }

  private func heed(_ worker: WorkerHandle, _ report: WorkerReport) {
    switch report {
    case .loaded(let libraries): worker.libraries = libraries
    case .ready(let apps): becameReady(worker, apps)
    case .failed(let reason, let code): worker.failure = (reason, code)
    case .expired(let reason): replace(worker.id, reason)
    case .retiring:
      worker.isDeaf = true
      rolloutProgress()
    case .saved(let app, let hasState): saved(worker, app, hasState: hasState)
    case .traced: traced(worker.id)
    case .swapped(let app, let generation): swappedInPlace(worker, app, generation)
    case .refused(let app, let reason, let isFull): refusedInPlace(worker, app, reason, isFull: isFull)
    }
  }

  /// A worker's process is gone.
  func workerEnded(_ id: Int) {
    guard let worker = workers[id] else { return }
    // Its last words may still be in the socket.
    workerSpeaks(id)
    guard let ending = System.ending(of: worker.pid) else { return }
    workers[id] = nil
    // Its spools are gone with it, however it ended.
    System.clear(spoolShares, at: SpoolShares.offset(of: id))
    traced(id)
    for action in [Alarms.Action.startTimeout(worker: id), .mercy(worker: id), .lifetime(worker: id)] {
      alarms.cancel(action)
    }
    sources[worker.link] = nil
    System.unwatch(epoll, worker.link)
    System.close(worker.link)
    unwatch(worker.processDescriptor)
    let before = worker.state
    worker.state = .ended
    savingEnded(worker)
    switch before {
    case .starting: failedToStart(worker, ending)
    case .serving: died(worker, ending)
    case .retiring:
      if case .killed(let signal) = ending, signal != SIGKILL { record(worker, ending) }
    case .ended: break
    }
    rolloutProgress()
    removeUnused()
  }

  // MARK: At the start

  private func failedToStart(_ worker: WorkerHandle, _ ending: Ending) {
    guard phase != .stopping else { return }
    if case .killed = ending, worker.failure == nil { record(worker, ending) }
    let reason = worker.failure?.reason ?? "it ended with \(ending.description) before it was ready"
    if phase == .starting {
      let code = worker.failure?.code ?? 22
      tellParent(Message(.failed, [Message.reason(reason), .init("code", "\(code)")]))
      MasterLog.announce(
        worker.failure == nil ? "application cannot be loaded: the worker \(reason.dropFirst(3))" : reason)
      return stop(code: code)
    }
    switch worker.purpose {
    case .rollout: rolloutFailed(worker, reason)
    case .succeed: MasterLog.error("the successor in place \(worker.place + 1) cannot start: \(reason)")
    case .fill: tryAgain(worker, served: 0, reason)
    }
  }

  // MARK: While it served

  private func died(_ worker: WorkerHandle, _ ending: Ending) {
    let served = System.now() &- worker.readyAt
    if ending == .exited(0), phase != .stopping {
      MasterLog.info("\(worker.title) has left by itself")
    } else {
      record(worker, ending)
    }
    respawns += 1
    let reason = crashes.last?.sentence ?? ending.description
    if ending != .exited(0) { crashed(worker, reason, isKill: ending == .killed(SIGKILL)) }
    tryAgain(worker, served: max(1, served), reason)
  }

  /// Says what the worker died of, and what it was doing, and remembers it.
  private func record(_ worker: WorkerHandle, _ ending: Ending) {
    var sentence = "\(worker.title) died of \(ending.description)"
    let board = worker.board
    let entry = board.crashed
    var mount: String?
    var generation: Int?
    if let entry, entry.app < worker.release.builds.count {
      let build = worker.release.builds[entry.app]
      (mount, generation) = (build.mount, Int(entry.generation))
      sentence += " in \(name(of: build)) generation \(entry.generation) while serving \(entry.line)"
    }
    let others = board.entries.count - (entry == nil ? 0 : 1)
    if others > 0 { sentence += ", with \(others) other request\(others == 1 ? "" : "s") under way" }
    MasterLog.error(sentence)
    crashes.append(Crash(at: System.seconds(), sentence: sentence, mount: mount, generation: generation))
    if crashes.count > Crash.kept { crashes.removeFirst() }
  }

  /// The application's name, as the youngest worker has told it.
  func name(of build: Build) -> String {
    current?.builds.first { $0.mount == build.mount }?.name ?? build.name
  }

  /// The place gets another worker, later each time.
  private func tryAgain(_ worker: WorkerHandle, served: UInt64, _ reason: String) {
    guard phase == .serving else { return }
    guard let wait = backoffs[worker.place, default: Backoff()].died(served: served) else {
      abandoned.insert(worker.place)
      MasterLog.error(
        "place \(worker.place + 1) is given up: \(Backoff.starts) workers in a row could not start, the last "
          + "because \(reason)")
      let places = 0..<(current?.workers ?? 0)
      if places.allSatisfy({ abandoned.contains($0) }) {
        MasterLog.announce("no worker can start: \(reason)")
        stop(code: 22)
      }
      return
    }
    if wait > 0 {
      MasterLog.info("place \(worker.place + 1) waits \(wait / 1_000_000) ms for its next worker")
    }
    wait == 0 ? fill(worker.place) : alarms.set(.respawn(place: worker.place), in: wait)
  }
}
