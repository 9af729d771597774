// What must hold for everything that a worker can say and show to its master.
import Control

/// Reads `input` as a packet, in each of the ways in which master, workers and children read packets. Returns
/// what is wrong; empty if all is well.
public func verifyMessage(_ input: [UInt8]) -> [String] {
  var problems: [String] = []
  for apps in [0, 1, 3] {
    if let report = WorkerReport(input, apps: apps) { problems += check(report, apps: apps) }
  }
  switch JobReport(input, apps: [0, 2]) {
  case .copied(let app, _, _, let buildID):
    if ![0, 2].contains(app) { problems.append("a copy of app \(app)") }
    problems += shortness(buildID)
  case .passed(let app, let name, let version, _):
    if ![0, 2].contains(app) { problems.append("app \(app) has passed") }
    problems += shortness(name) + shortness(version)
  case .loaded(let app, let libraries):
    if ![0, 2].contains(app) { problems.append("libraries of app \(app)") }
    problems += bounds(libraries)
  case .failed(_, let code) where !(1...255).contains(code): problems.append("exit code \(code)")
  case .replayed(let app, let report):
    if ![0, 2].contains(app) { problems.append("a replay of app \(app)") }
    problems += bounds(report)
  case .unreplayed(let reason): if reason.isEmpty { problems.append("no reason") }
  case .step, .configured, .certified, .failed, nil: break
  }
  guard let message = Message(input) else { return problems }
  if Message(message.bytes) != message { problems.append("the message is another when it is read again") }
  if let orders = Orders(message) {
    if Orders(orders.message) != orders { problems.append("the orders are others when they are read again") }
    if orders.builds.contains(where: { $0.app < 0 || $0.generation < 0 }) { problems.append("build below 0") }
    if let shared = orders.shared, min(shared.memory, shared.reading, shared.writing) < 0 {
      problems.append("descriptors of what is shared below 0")
    }
    if orders.held.contains(where: { $0.descriptor < 0 || $0.path.isEmpty }) {
      problems.append("a held file that is none")
    }
    if let replay = orders.replay, replay.requests < 0 || replay.heads.contains(where: { $0 < 0 }) {
      problems.append("a replay below 0")
    }
    if orders.worker < 0 || orders.worker >= orders.workers { problems.append("worker \(orders.worker)") }
  }
  return problems
}

private func check(_ report: WorkerReport, apps: Int) -> [String] {
  let places = 0..<apps
  switch report {
  case .ready(let list):
    return list.flatMap { app in
      var problems = shortness(app.name) + shortness(app.version) + generation(app.generation)
      if !places.contains(app.place) { problems.append("app \(app.place) of \(apps)") }
      if !(0...Message.mostCalls).contains(app.calls) { problems.append("\(app.calls) calls at once") }
      return problems
    }
  case .failed(let reason, let code):
    return ((1...255).contains(code) && !reason.isEmpty ? [] : ["exit code \(code), \(reason)"])
  case .saved(let app, _): return places.contains(app) ? [] : ["app \(app) of \(apps)"]
  case .swapped(let app, let number), .refused(let app, let number, _, _):
    return (places.contains(app) ? [] : ["app \(app) of \(apps)"]) + generation(number)
  case .loaded(let libraries): return bounds(libraries)
  case .declined(_, let reason): return reason.isEmpty ? ["no reason"] : []
  case .expired, .renew, .retiring, .presents, .traced, .topics, .recalled: return []
  }
}

/// Not more libraries than a process may tell of, and none with a name beyond all measure.
private func bounds(_ libraries: LibraryReport) -> [String] {
  let longest = libraries.identities.map { max($0.key.utf8.count, $0.value.utf8.count) }.max() ?? 0
  // A byte that is no UTF-8 becomes a mark of three bytes.
  return libraries.identities.count <= LibraryReport.most + 1 && longest <= 6 * LibraryReport.mostBytes
    ? [] : ["\(libraries.identities.count) libraries, \(longest) bytes"]
}

/// Counts and figures that can be added up, and no more text than is shown.
private func bounds(_ report: ReplayReport) -> [String] {
  let counts = [report.remembered, report.replayed, report.skipped, report.differing, report.noisy]
  var problems: [String] = []
  if (counts + report.counts.values).contains(where: { $0 < 0 || $0 > ReplayReport.mostRequests }) {
    problems.append("counts of a replay: \(report)")
  }
  if report.differences.count > ReplayReport.mostDifferences { problems.append("too many differences") }
  for difference in report.differences {
    // A byte that is no UTF-8 becomes a mark of three bytes.
    if difference.request.utf8.count > ReplayReport.requestBytes + 3
      || difference.text.utf8.count > ReplayReport.textBytes + 3
    {
      problems.append("a difference of many bytes")
    }
  }
  if report.lines("").isEmpty || report.json("").description.isEmpty { problems.append("nothing to show") }
  return problems
}

/// A number that a build may have.
private func generation(_ number: Int) -> [String] {
  Message.generations.contains(number) ? [] : ["generation \(number)"]
}

/// Not longer than a name may be, but for the mark of half a character.
private func shortness(_ text: String) -> [String] {
  text.utf8.count <= Message.nameBytes + 3 ? [] : ["a name of \(text.utf8.count) bytes"]
}

/// Writes `input` onto a scoreboard, as places (three bytes), counts (one byte) and as many bytes, and reads
/// everything that a master reads, against an inaccessible page. Returns what is wrong.
public func verifyScoreboard(_ input: [UInt8]) -> [String] {
  var page = [UInt8](repeating: 0, count: Scoreboard.bytes)
  var rest = input[...]
  while rest.count > 4 {
    let place = rest.prefix(3).reduce(0) { $0 << 8 | Int($1) } % page.count
    let bytes = rest.dropFirst(4).prefix(Int(rest[rest.startIndex + 3]))
    for (index, byte) in bytes.enumerated() where place + index < page.count { page[place + index] = byte }
    rest = rest.dropFirst(4 + bytes.count)
  }
  let memory = GuardedMemory(capacity: page.count)
  let board = Scoreboard(memory.place(page[...]).baseAddress!)
  var problems: [String] = []
  var counts = Scoreboard.Total.allCases.map { board[$0].count }
  for app in [Int.min, -1, 0, Scoreboard.apps, Int.max] {
    counts += Scoreboard.Count.allCases.map { board[$0, app: app].count }
  }
  if counts.contains(where: { $0 < 0 || $0 > 1 << 48 }) { problems.append("a count of no range: \(counts)") }
  for slot in [Int.min, -1, Scoreboard.slots, Int.max] where board.entry(at: slot) != nil {
    problems.append("an entry at \(slot)")
  }
  let entries = board.entries
  if entries.count > Scoreboard.slots { problems.append("\(entries.count) entries") }
  for entry in entries + [board.crashed].compactMap({ $0 }) {
    if !(0..<Scoreboard.slots).contains(entry.slot) { problems.append("an entry in slot \(entry.slot)") }
    // A byte that is no UTF-8 becomes a mark of three bytes.
    if entry.line.utf8.count > 3 * (Scoreboard.textBytes + Scoreboard.nameBytes) {
      problems.append("a line of many bytes")
    }
    if let stack = board.stack(of: entry), stack.utf8.count > 3 * Scoreboard.stackBytes {
      problems.append("a stack of \(stack.utf8.count) bytes")
    }
  }
  return problems
}
