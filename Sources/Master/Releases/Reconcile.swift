import Config
import Control

/// Compares what a seat should run with what it runs.
extension Releases {
  /// What a seat should run now; nil: nothing.
  func wanted(_ seat: Int) -> Release? {
    switch state {
    case .stopping: return nil
    case .rolling(let rolling):
      let hasSwitched = seat <= rolling.seat || rolling.seat >= seats(of: rolling.target)
      let release = hasSwitched ? rolling.target : rolling.previous
      return seat < seats(of: release) ? release : nil
    case .starting(let failures) where failures.contains { $0.seat == seat }: return nil
    case .starting, .serving, .staging, .replaying, .swapping, .presenting, .handingOver:
      guard let current, seat < seats(of: current) else { return nil }
      return current
    }
  }

  /// Whether a worker may stay: it runs the wanted release, or is about to, or may be changed in place.
  private func suits(_ worker: Worker, _ wanted: Release) -> Bool {
    if worker.phase == .loading { return worker.plan == wanted.plan }
    if case .swapping(let swap) = state {
      let isAsked = worker.asked == Worker.Asked(app: swap.app, generation: swap.build.generation)
      if isAsked || swap.target.runs(worker) { return true }
    }
    return wanted.runs(worker)
  }

  /// A seat's old workers go on serving while the first new one soaks beside them. Those whose build could
  /// not be started again, because a runtime made it from files that were not kept, stay until all new ones
  /// serve.
  private func keepsOthers(_ seat: Int) -> Bool {
    guard case .rolling(let rolling) = state, seat <= rolling.seat else { return false }
    if rolling.isSoaking, rolling.seat == seat { return true }
    return rolling.seat < seats(of: rolling.target) && !rolling.previous.isKept
  }

  /// Starts and retires workers until every seat has, or will have, what it should.
  mutating func reconcile() {
    guard let current else { return }
    var count = current.workers
    if case .rolling(let rolling) = state { count = max(count, rolling.target.workers) }
    count = max(count, (workers.values.map { $0.seat + 1 }.max() ?? 0))
    for seat in 0..<count { reconcile(seat) }
  }

  /// Whatever workers say or do, a seat has at most one more than it needs, not counting those that leave.
  private mutating func reconcile(_ seat: Int) {
    let here = workers.filter { $0.value.seat == seat && $0.value.phase != .leaving }
    guard let wanted = wanted(seat) else {
      for id in here.keys.sorted() { retire(id) }
      return
    }
    let good = here.filter { suits($0.value, wanted) }
    let staying = good.filter { $0.value.phase == .serving && !$0.value.wantsOut }.keys.sorted()
    let needed = isHot(seat) ? Seat.mostNeeded : 1
    // A worker that loads a release that is no longer wanted, or not as often, is in nobody's way, but holds
    // memory.
    let loading = good.filter { $0.value.phase == .loading }.keys.sorted().prefix(
      max(0, needed - staying.count))
    for (id, worker) in here where worker.phase == .loading && !loading.contains(id) { give(up: id) }
    // Workers that asked to leave go first, then the oldest.
    let others = here.filter { $0.value.phase == .serving && !staying.contains($0.key) }
      .sorted { ($0.value.wantsOut ? 0 : 1, $0.key) < ($1.value.wantsOut ? 0 : 1, $1.key) }.map(\.key)
    if staying.count >= needed {
      // The youngest stay.
      for id in staying.dropLast(needed) { retire(id) }
      for id in keepsOthers(seat) ? others.dropLast() : others[...] { retire(id) }
      return
    }
    let allowed = needed + 1 - staying.count - loading.count
    for id in others.dropLast(allowed) { retire(id) }
    guard staying.count + loading.count < needed, !isPaused(seat, for: wanted.plan) else { return }
    if others.count >= allowed {
      // One more would be too many. The first new one soaks beside all existing ones, and waits for those
      // that are loading.
      if !loading.isEmpty || keepsOthers(seat) && !staying.isEmpty { return }
      if let id = others.dropFirst(others.count - allowed).first { retire(id) }
    }
    spawn(seat, wanted, follows: (staying + others).max())
  }

  private mutating func spawn(_ seat: Int, _ release: Release, follows old: Int?) {
    let id = nextNumber()
    workers[id] = Worker(seat: seat, plan: release.plan)
    workers[id]!.certificates = release.certificates
    act(.spawn(worker: id, seat: seat, release, follows: old))
    act(.alarm(.start(worker: id), seconds: release.settings.supervision.startSeconds))
  }

  // MARK: Leaving

  mutating func retire(_ id: Int) {
    guard let worker = workers[id], worker.phase != .leaving else { return }
    if worker.phase == .loading { return give(up: id) }
    workers[id]!.phase = .leaving
    act(.retire(id))
    act(.alarm(.leave(worker: id), seconds: graceSeconds))
  }

  /// A worker that still loads has nothing to finish.
  mutating func give(up id: Int) {
    workers[id]?.phase = .leaving
    act(.cancel(.start(worker: id)))
    act(.terminate(id, reason: nil))
    act(.alarm(.leave(worker: id), seconds: 1))
  }

  var graceSeconds: Double { (current?.settings.limits.gracefulSeconds ?? 0) + 3 }
}
