import Control

/// The in-place swap: the messages to and from a worker.
extension Master {
  /// Asks a worker to put a build to work in place of the serving one.
  func swap(_ id: Int, _ app: Int, _ build: Build) {
    workers[id]?.send(
      Message(
        .swap,
        [
          .init("app", "\(app)"), .init("generation", "\(build.generation)"), .init("path", build.path),
          .init("source", build.source),
        ]))
  }

  /// A worker runs another generation of an application.
  func swapped(_ worker: WorkerHandle, _ app: Int, _ generation: Int) {
    guard releases.isAsked(worker.id, app, generation) else { return }
    if let build = releases.build(worker.release.builds[app].mount, generation) {
      worker.release.builds[app] = build
    }
    // The answers of the previous build say nothing about this one.
    let board = worker.board
    worker.before[app] = (board[.requests, app: app].count, board[.errors, app: app].count)
    inform(.swapped(worker.id, app: app, generation: generation))
  }
}
