import Config
import Control
import Glibc

/// Looks once a second at what the workers do and hold: for their number, and for those that have grown.
extension Master {
  /// Tells how busy the workers are.
  func lookForDemand() {
    guard releases.cheaper != nil else { return }
    let serving = workers.values.filter { phase(of: $0) == .serving }
    let boards = serving.map { (worker: $0, board: $0.board) }
    var total = statistics.own(and: boards.map(\.board))
    for (place, build) in (releases.current?.builds ?? []).enumerated() {
      total += statistics.tally(build.mount, and: boards.map { (board: $0.board, place: place) })
    }
    let places = Set(serving.map(\.seat))
    // A seat with a spare counts as free as long as one of its workers is.
    let free = Set(boards.filter { $0.board.entries.isEmpty }.map(\.worker.seat))
    let look = Cheaper.Look(
      serving: places.count, busy: places.subtracting(free).count,
      microseconds: total.microseconds, requests: total.requests, hasBacklog: hadBacklog,
      residentBytes: serving.reduce(0) { $0 + Int64(System.memory(of: $1.pid).resident) })
    inform(.looked(look))
  }

  /// Kills workers that have grown beyond the operator's limit.
  func lookForGrown() {
    guard let settings = releases.current?.settings.supervision,
      settings.killResidentBytes > 0 || settings.killVirtualBytes > 0
    else { return }
    for worker in workers.values {
      let memory = System.memory(of: worker.pid)
      if settings.killResidentBytes > 0, memory.resident > settings.killResidentBytes {
        MasterLog.error(
          "\(worker.title) is killed: it holds \(memory.resident >> 20) MiB (--evil-reload-on-rss)")
      } else if settings.killVirtualBytes > 0, memory.virtual > settings.killVirtualBytes {
        MasterLog.error(
          "\(worker.title) is killed: its address space is \(memory.virtual >> 20) MiB (--evil-reload-on-as)")
      } else {
        continue
      }
      System.signal(worker.pid, SIGKILL)
    }
  }
}
