import Control

/// `server ctl status` shows what long requests are doing: it asks their workers first.
extension Master {
  /// Nanoseconds after which a request counts as long.
  private static let longRequest: UInt64 = 1_000_000_000
  /// Nanoseconds that a worker has for its answer; a worker that is too late is shown as it was before.
  private static let patience: UInt64 = 500_000_000

  /// Answers with the status, at once if there are no long requests.
  func askForStatus(_ id: Int) {
    let now = System.now()
    let asked = workers.values.filter { worker in
      guard let phase = phase(of: worker), phase != .loading else { return false }
      return worker.board.entries.first.map { now > $0.began && now - $0.began > Master.longRequest } ?? false
    }
    guard !asked.isEmpty else { return tell(id, status()) }
    for worker in asked { worker.send(Message(.trace)) }
    clients[id]?.awaited = Set(asked.map(\.id))
    alarms.set(.stacks(client: id), in: Master.patience)
  }

  /// A worker has shown what its requests are doing, or is gone.
  func traced(_ worker: Int) {
    for (id, client) in clients where client.awaited.contains(worker) {
      clients[id]!.awaited.remove(worker)
      if clients[id]!.awaited.isEmpty { stacksAreShown(to: id) }
    }
  }

  /// All have answered, or the time is up.
  func stacksAreShown(to id: Int) {
    alarms.cancel(.stacks(client: id))
    clients[id]?.awaited = []
    tell(id, status())
  }
}
