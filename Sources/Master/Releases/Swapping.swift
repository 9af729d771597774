import Control

/// The in-place swap: every serving worker, including those that came meanwhile, is asked until all run the
/// build.
extension Releases {
  mutating func proceed(_ before: InPlace) {
    guard before.asked == nil, let swap = soaking(before) else { return }
    let open = workers.filter { $0.value.phase == .serving && !swap.target.runs($0.value) }
    if let id = open.filter({ canTake(swap, $0.value) }).keys.min() {
      if swap.asks < InPlace.rounds * max(1, swap.target.workers) { return ask(id, swap) }
      rollInstead(swap, "workers are replaced faster than they take it")
      return proceed()
    }
    // Waits for those that cannot be asked to answer first, or to be replaced; and somebody has to run it.
    // A connection opened after the commit never meets the build before.
    guard open.isEmpty, !oldMayAccept(swap),
      workers.values.contains(where: { $0.phase == .serving && swap.target.runs($0) })
    else { return wait(swap) }
    let previous = current
    current = swap.target
    _ = history.commit(swap.build)
    if let previous { goOnProbation(with: swap.target, before: previous, [swap.build]) }
    succeed("serving \(serviceText) (in place)")
    act(.watchFiles)
  }

  /// With a gate the first worker that has the build serves beside the others for a while: nil as long as
  /// these wait for it, otherwise how the swap goes on.
  private mutating func soaking(_ before: InPlace) -> InPlace? {
    var swap = before
    let settings = swap.target.settings.supervision
    let serving = workers.values.filter { $0.phase == .serving }
    let hasTaken = serving.contains { swap.target.runs($0) }
    if swap.isSoaking {
      // If the others are gone meanwhile, those that replace them are compared.
      if hasTaken { return nil }
      swap.isSoaking = false
      act(.cancel(.soak(release: swap.target.number)))
      act(.cancel(.change(swap.request.ticket)))
      state = .swapping(swap)
      return swap
    }
    let hasOther = serving.contains { current?.runs($0) ?? false }
    guard hasTaken, hasOther, !swap.hasSoaked, settings.gate != nil, settings.soakSeconds > 0 else {
      return swap
    }
    if swap.isWaiting { act(.cancel(.change(swap.request.ticket))) }
    (swap.isSoaking, swap.isWaiting) = (true, false)
    state = .swapping(swap)
    act(.alarm(.soak(release: swap.target.number), seconds: settings.soakSeconds))
    setDeadline(swap.request, more: settings.soakSeconds)
    tell(swap.request, .progress("one worker serves the new build, and is compared with the others"))
    return nil
  }

  /// The build has failed in its first worker, which is replaced.
  mutating func takeBack(_ swap: InPlace, _ reason: String) {
    act(.cancel(.soak(release: swap.target.number)))
    history.withdraw(swap.build, reason)
    refuse(reason)
  }

  /// A worker that leaves, and has not said yet that it no longer accepts, has the build before.
  private func oldMayAccept(_ swap: InPlace) -> Bool {
    workers.values.contains { worker in
      worker.phase == .leaving && !worker.isDeaf && worker.running != nil && !swap.target.runs(worker)
    }
  }

  /// New processes get the build: nothing of what stands in the way in those that serve is in them.
  private mutating func rollInstead(_ swap: InPlace, _ reason: String) {
    tell(swap.request, .progress("\(reason); worker by worker"))
    roll(
      swap.request, to: swap.target, [swap.build], soaks: swap.target.settings.supervision.soakSeconds > 0)
  }

  /// With the build the worker runs the target, and it has answered earlier requests: if it says that it runs
  /// the build, it runs nothing else.
  private func canTake(_ swap: InPlace, _ worker: Worker) -> Bool {
    guard worker.asked == nil, !worker.wantsOut, let current, var plan = worker.running else { return false }
    guard [current.configuration, swap.target.configuration].contains(plan.configuration),
      plan.generations.indices.contains(swap.app)
    else { return false }
    plan.generations[swap.app] = swap.build.generation
    return plan.generations == swap.target.plan.generations
  }

  private mutating func ask(_ id: Int, _ swap: InPlace) {
    var swap = swap
    if swap.isWaiting { act(.cancel(.change(swap.request.ticket))) }
    (swap.asked, swap.isWaiting) = (id, false)
    swap.asks += 1
    state = .swapping(swap)
    workers[id]!.asked = Worker.Asked(app: swap.app, generation: swap.build.generation)
    act(.swap(id, app: swap.app, swap.build))
    act(.alarm(.swap(worker: id), seconds: swap.target.settings.supervision.startSeconds))
  }

  private mutating func wait(_ swap: InPlace) {
    guard !swap.isWaiting else { return }
    var swap = swap
    swap.isWaiting = true
    state = .swapping(swap)
    setDeadline(swap.request, more: graceSeconds + Double(Worker.mostKills))
  }

  mutating func swapped(_ id: Int, _ app: Int, _ generation: Int) {
    // It may come late, after the change was abandoned: it is still what the worker runs. A build that nobody
    // asked it to load is not.
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

  mutating func keptOld(_ id: Int, _ asked: Worker.Asked, _ reason: String, _ isFull: Bool) {
    guard isAsked(id, asked.app, asked.generation) else { return }
    answered(id)
    // From a leaving worker it says nothing about the build; from an abandoned change, nothing about the next
    // one.
    guard case .swapping(let swap) = state, swap.app == asked.app, swap.build.generation == asked.generation,
      workers[id]?.phase == .serving
    else { return }
    guard isFull else {
      history.withdraw(swap.build, reason)
      return refuse(reason)
    }
    // Too many generations are left over in the process, or it has another library: a new process has neither
    // problem.
    rollInstead(swap, reason)
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

  /// A stuck load cannot be taken back: ends the worker, whatever has become of the change. This is the
  /// master's doing, and no evidence against the worker's builds.
  mutating func swapTimedOut(_ id: Int) {
    guard workers[id]?.asked != nil else { return }
    workers[id]!.phase = .leaving
    act(.terminate(id, reason: nil))
    act(.alarm(.leave(worker: id), seconds: 1))
    guard case .swapping(let swap) = state, swap.asked == id else { return }
    history.withdraw(swap.build, "it did not load in time")
    refuse("place \((workers[id]?.seat ?? 0) + 1) did not load it in time (--swap-timeout)")
  }

  /// For too long no worker could be asked.
  mutating func swappingTimedOut(_ swap: InPlace) {
    if swap.isSoaking { return takeBack(swap, "its soak did not end in time (--swap-timeout)") }
    guard swap.isWaiting else { return }
    let isLoaded = workers.values.contains { $0.phase == .serving && swap.target.runs($0) }
    refuse(
      isLoaded && oldMayAccept(swap)
        ? "the workers before did not leave in time"
        : "no worker could be asked to load it in time (--swap-timeout)")
  }

  // MARK: Generations that workers show

  /// Replaces a worker that shows twice that it runs something else than is believed: one of its answers was
  /// lost, or something in it speaks in its place.
  mutating func shown(_ generations: [Int: [Int]]) {
    if case .stopping = state { return }
    for id in workers.keys.sorted() {
      guard let worker = workers[id], worker.phase == .serving, let believed = worker.running?.generations
      else { continue }
      let shown = generations[id] ?? []
      // A worker that is to load a build may have it already, without having said so.
      guard worker.asked == nil, !worker.wantsOut, !believed.starts(with: shown) else {
        workers[id]!.disagreed = nil
        continue
      }
      workers[id]!.disagreed = shown
      guard worker.disagreed != nil else { continue }
      act(
        .log(
          .warning,
          "the worker of place \(worker.seat + 1) is replaced: it shows that it runs generation "
            + "\(Releases.list(shown)), and has said \(Releases.list(believed))"))
      workers[id]!.wantsOut = true
    }
  }

  private static func list(_ generations: [Int]) -> String {
    generations.map { "\($0)" }.joined(separator: ",")
  }
}
