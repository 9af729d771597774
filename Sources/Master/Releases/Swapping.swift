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
      workers[id]!.asked = Worker.Asked(app: swap.app, generation: swap.build.generation)
      act(.swap(id, app: swap.app, swap.build))
      act(.alarm(.swap(worker: id), seconds: swap.target.settings.supervision.startSeconds))
      return
    }
    let previous = current
    current = swap.target
    _ = history.commit(swap.build)
    if let previous { goOnProbation(with: swap.target, before: previous, [swap.build]) }
    succeed("serving \(serviceText) (in place)")
    act(.watchFiles)
  }

  mutating func swapped(_ id: Int, _ app: Int, _ generation: Int) {
    // It may come late, when the change is off: it is what the worker runs. What nobody has asked it for is
    // not.
    guard isAsked(id, app, generation), var running = workers[id]?.running,
      running.generations.indices.contains(app)
    else { return }
    running.generations[app] = generation
    if case .swapping(let swap) = state, swap.asked == id, swap.target.plan.generations == running.generations
    {
      running = swap.target.plan
    }
    workers[id]!.running = running
    answered(id)
  }

  mutating func keptOld(_ id: Int, _ reason: String, _ isFull: Bool) {
    guard case .swapping(let swap) = state, swap.asked == id else {
      workers[id]?.asked = nil
      return
    }
    answered(id)
    guard isFull else {
      history.withdraw(swap.build, reason)
      return refuse(reason)
    }
    // Too many generations are left over in the process, or it has another library: a new one has not.
    tell(swap.request, .progress("\(reason); worker by worker"))
    roll(
      swap.request, to: swap.target, [swap.build], soaks: swap.target.settings.supervision.soakSeconds > 0)
  }

  /// Whether a worker was told to put this to work, and has not answered.
  func isAsked(_ id: Int, _ app: Int, _ generation: Int) -> Bool {
    workers[id]?.asked == Worker.Asked(app: app, generation: generation)
  }

  mutating func answered(_ id: Int) {
    act(.cancel(.swap(worker: id)))
    workers[id]?.asked = nil
    guard case .swapping(var swap) = state, swap.asked == id else { return }
    swap.asked = nil
    state = .swapping(swap)
  }

  /// What a worker is stuck in cannot be taken back: it is ended, whatever has become of the change.
  mutating func swapTimedOut(_ id: Int) {
    guard workers[id]?.asked != nil else { return }
    act(.terminate(id, reason: nil))
    act(.alarm(.leave(worker: id), seconds: 1))
    guard case .swapping(let swap) = state, swap.asked == id else { return }
    history.withdraw(swap.build, "it did not load in time")
    refuse("place \((workers[id]?.seat ?? 0) + 1) did not load it in time (--swap-timeout)")
  }
}
