import Control
import Glibc

/// A worker that died while it served.
struct Crash {
  /// Seconds of the calendar.
  let at: Int64
  /// The whole sentence of the log.
  let sentence: String
  let mount: String?
  let generation: Int?
  static let kept = 20
}

/// How workers end, and what the log says about it.
extension Master {
  /// A worker's process is gone.
  func workerEnded(_ id: Int) {
    guard let worker = workers[id] else { return }
    // Its last messages may still be in the socket.
    workerSpeaks(id)
    guard let ending = System.ending(of: worker.pid) else { return }
    let phase = phase(of: worker)
    let board = worker.board
    let requests = board[.requests].count
    let (mounts, count) = (worker.release.builds.map(\.mount), "exits_\(cause(worker, phase))")
    if hasHandedOver { tellFollower(of: id, board, mounts: mounts, count: count) }
    statistics.keep(board, mounts: mounts, seat: worker.seat)
    statistics.count(count)
    workers[id] = nil
    introductions.forget(id)
    dropCommonMemory()
    freeSpoolNumber(of: id)
    traced(id)
    recalled(id)
    alarms.cancel(.lifetime(worker: id))
    unwatch(worker.link)
    unwatch(worker.processDescriptor)
    savingEnded(worker)
    var end = WorkerEnding(
      ending: ending, sentence: sentence(worker, ending, phase), code: worker.failure?.code ?? 22,
      requests: requests)
    end.app = culprit(board, ending).flatMap { $0 < worker.release.builds.count ? $0 : nil }
    inform(.ended(id, end))
  }

  /// The place of the application that killed a worker, as far as that is known: the one whose request its
  /// crashed thread was in. For an exit, which writes nothing, it is the one of all requests in progress; a
  /// signal of which nothing was written came from outside, whatever was in progress.
  private func culprit(_ board: Scoreboard, _ ending: Ending) -> Int? {
    if board[.crashedSlot].value > 0 { return board.crashed?.app }
    guard board[.crashSignal].value == 0, case .exited = ending else { return nil }
    let apps = Set(board.entries.map(\.app))
    return apps.count == 1 ? apps.first : nil
  }

  /// Why a worker ended, for the counters: it was told to leave, could not start, hung, or died by itself.
  private func cause(_ worker: WorkerHandle, _ phase: Worker.Phase?) -> String {
    switch phase {
    case .leaving, nil: "left"
    case .loading: "start"
    case .serving: worker.isStuck ? "stuck" : "crash"
    }
  }

  /// The sentence about a worker's end, which goes to the log too if it is news.
  private func sentence(_ worker: WorkerHandle, _ ending: Ending, _ phase: Worker.Phase?) -> String {
    switch phase {
    case .serving:
      respawns += 1
      return record(worker, ending)
    case .loading:
      if case .killed = ending, worker.failure == nil { _ = record(worker, ending) }
      if let failure = worker.failure { return failure.reason }
      let isFirst = if case .starting = releases.state { true } else { false }
      let who = isFirst ? "application cannot be loaded: the worker" : "it"
      return "\(who) ended with \(ending.description) before it was ready"
    case .leaving, nil:
      if case .killed(let signal) = ending, signal != SIGKILL { return record(worker, ending) }
      return ending.description
    }
  }

  /// Reports what the worker died of, and what it was doing, and remembers it.
  private func record(_ worker: WorkerHandle, _ ending: Ending) -> String {
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
    // It has left by itself, and said why.
    if case .exited = ending, let failure = worker.failure {
      sentence += ": \(Message.cut(failure.reason, Message.nameBytes))"
    }
    MasterLog.error(sentence)
    crashes.append(Crash(at: System.seconds(), sentence: sentence, mount: mount, generation: generation))
    if crashes.count > Crash.kept { crashes.removeFirst() }
    return sentence
  }

  /// The application's name, as reported by the youngest worker.
  private func name(of build: Build) -> String {
    releases.current?.builds.first { $0.mount == build.mount }?.name ?? build.name
  }
}
