import Control

/// A new build in the workers that are there, one worker after the other.
struct InPlaceSwap {
  let target: Release
  let previous: Release
  let build: Build
  /// The application's place in the configuration.
  let app: Int
  /// Workers that have not been asked yet.
  var open: [Int]
  /// Workers that run the new build.
  var done: [Int] = []
  /// The one that is loading it.
  var asked: Int?
}

/// The in-place swap.
extension Master {
  /// Puts one build to work in every worker. The change under way ends with it.
  func beginInPlace(_ target: Release, _ build: Build) {
    guard let current, let app = target.builds.firstIndex(where: { $0.mount == build.mount }) else { return }
    let open = workers.values.filter { $0.state == .serving }.map(\.id).sorted()
    inPlace = InPlaceSwap(target: target, previous: current, build: build, app: app, open: open)
    askNext()
  }

  private func askNext() {
    guard var swap = inPlace else { return }
    swap.open.removeAll { workers[$0]?.state != .serving }
    guard let id = swap.open.first, let worker = workers[id] else {
      inPlace = swap
      return commitInPlace(swap)
    }
    swap.open.removeFirst()
    swap.asked = id
    inPlace = swap
    send(worker, swap.build, swap.app)
    alarms.set(.swapTimeout(worker: id), seconds: swap.target.settings.supervision.startSeconds)
  }

  private func send(_ worker: WorkerHandle, _ build: Build, _ app: Int) {
    worker.send(
      Message(
        .swap,
        [
          .init("app", "\(app)"), .init("generation", "\(build.generation)"), .init("path", build.path),
          .init("source", build.source),
        ]))
  }

  /// A worker runs the build.
  func swappedInPlace(_ worker: WorkerHandle, _ app: Int, _ generation: Int) {
    guard let swap = inPlace, swap.asked == worker.id, swap.app == app,
      swap.build.generation == generation
    else { return }
    alarms.cancel(.swapTimeout(worker: worker.id))
    inPlace!.done.append(worker.id)
    inPlace!.asked = nil
    worker.release = swap.target
    askNext()
  }

  /// A worker says why it does not run the build.
  func refusedInPlace(_ worker: WorkerHandle, _ app: Int, _ reason: String, isFull: Bool) {
    guard let swap = inPlace, swap.asked == worker.id, swap.app == app else { return }
    alarms.cancel(.swapTimeout(worker: worker.id))
    if isFull {
      // Too many generations are left over in the process, or it has another library: a new one has not.
      tell(underWay?.watcher, .progress("\(worker.title): \(reason); worker by worker"))
      inPlace = nil
      return beginRollout(swap.target, soak: swap.target.settings.supervision.soakSeconds)
    }
    endInPlace(swap, reason)
  }

  /// A worker died while it loaded the build.
  func inPlaceLost(_ worker: WorkerHandle, _ sentence: String) {
    guard let swap = inPlace, swap.asked == worker.id else { return }
    alarms.cancel(.swapTimeout(worker: worker.id))
    endInPlace(swap, sentence)
  }

  func swapTimedOut(_ id: Int) {
    guard let swap = inPlace, swap.asked == id, let worker = workers[id] else { return }
    endInPlace(swap, "\(worker.title) did not load it in time (--swap-timeout)")
    // What it is stuck in cannot be taken back.
    replace(id, "it is stuck in a swap")
  }

  private func commitInPlace(_ swap: InPlaceSwap) {
    inPlace = nil
    current = swap.target
    _ = history.commit(swap.build)
    for place in 0..<swap.target.workers { fill(place) }
    watchFiles()
    beginProbation(swap.target, before: swap.previous, [swap.build])
    succeed("serving \(serviceText) (in place)")
  }

  /// Workers that run the build get successors that do not.
  private func endInPlace(_ swap: InPlaceSwap, _ reason: String) {
    inPlace = nil
    history.withdraw(swap.build, reason)
    if !swap.done.isEmpty { goBack(to: swap.previous) }
    refuse(reason)
  }
}
