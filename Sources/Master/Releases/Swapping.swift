import Control

/// The in-place swap: every worker that serves, also one that came meanwhile, is asked until all run the
/// build.
extension Releases {
  mutating func proceed(_ swap: InPlace) {
    guard swap.asked == nil else { return }
    let open = workers.filter { $0.value.phase == .serving && !swap.target.runs($0.value) }
    if let id = open.keys.min() {
      var swap = swap
      swap.asked = id
      state = .swapping(swap)
      act(.swap(id, app: swap.app, swap.build))
      act(.alarm(.swap(worker: id), seconds: swap.target.settings.supervision.startSeconds))
      return
    }
    let previous = current
    current = swap.target
    _ = history.commit(swap.build)
    if let previous { beginProbation(swap.target, before: previous, [swap.build]) }
    succeed("serving \(serviceText) (in place)")
    act(.watchFiles)
  }

  mutating func swapped(_ id: Int, _ app: Int, _ generation: Int) {
    guard var running = workers[id]?.running, running.generations.indices.contains(app) else { return }
    // Whether it was asked for or not: this is what it runs.
    running.generations[app] = generation
    if case .swapping(let swap) = state, swap.asked == id, swap.target.plan.generations == running.generations
    {
      running = swap.target.plan
    }
    workers[id]!.running = running
    answered(id)
  }

  mutating func keptOld(_ id: Int, _ reason: String, _ isFull: Bool) {
    guard case .swapping(let swap) = state, swap.asked == id else { return }
    answered(id)
    guard isFull else {
      history.withdraw(swap.build, reason)
      return refuse(reason)
    }
    // Too many generations are left over in the process, or it has another library: a new one has not.
    act(.tell(swap.request.asker, .progress("\(reason); worker by worker")))
    roll(
      swap.request, to: swap.target, [swap.build], soaks: swap.target.settings.supervision.soakSeconds > 0)
  }

  private mutating func answered(_ id: Int) {
    act(.cancel(.swap(worker: id)))
    guard case .swapping(var swap) = state, swap.asked == id else { return }
    swap.asked = nil
    state = .swapping(swap)
  }

  /// What a worker is stuck in cannot be taken back: it is ended.
  mutating func swapTimedOut(_ id: Int) {
    guard case .swapping(let swap) = state, swap.asked == id else { return }
    history.withdraw(swap.build, "it did not load in time")
    act(.terminate(id, reason: nil))
    refuse("place \((workers[id]?.seat ?? 0) + 1) did not load it in time (--swap-timeout)")
  }
}
