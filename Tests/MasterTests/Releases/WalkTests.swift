// Random walks: changes asked for at any time, workers that do anything, messages that are late or missing.
// Everybody who asks is told once, and when the trouble is over all seats come to run one release.
import Foundation
import Testing

@testable import Master

@Suite struct ReleaseWalkTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let seed = UInt64(environment["WALK_SEED"] ?? "") ?? UInt64.random(in: 0..<1 << 40)
  private static let walks = Int(environment["WALKS"] ?? "") ?? 40

  private func walk(_ seed: UInt64) -> (problems: [String], events: Int, log: String) {
    var world = World(seed: seed, workers: Int(seed % 4) + 1)
    var events = 0
    world.trouble = seed % 10 == 0
    while case .starting = world.releases.state, world.step() { events += 1 }
    world.trouble = true
    let askers = 60
    // Some end with a stop.
    world.plan(asks: askers, seconds: 600, stops: seed % 6 == 5)
    for _ in 0..<8000 where world.step() { events += 1 }
    world.calm(seconds: 60)
    for _ in 0..<20_000 where world.step() { events += 1 }
    for asker in 1...askers where world.asked[asker] != nil && world.answers[asker] == nil {
      world.problems.append("asker \(asker) was never answered")
    }
    switch world.releases.state {
    case .serving: world.checkEnd()
    // A start fails if no place can start.
    case .stopping where world.releases.isDone: break
    default: world.problems.append("in the end it is \(world.releases.state)")
    }
    var problems: [String] = []
    for problem in world.problems where !problems.contains(problem) { problems.append(problem) }
    if Self.walks < 20 { print(world.ends.sorted { $0.value > $1.value }) }
    return (problems, events, world.log.suffix(40).joined(separator: "\n"))
  }

  @Test("walks that have once ended badly do not again", arguments: [1183, 871_532_425_205])
  func found(seed: UInt64) {
    let (problems, _, log) = walk(seed)
    #expect(problems.isEmpty, "\(problems.prefix(5).joined(separator: "\n")) \(log)")
  }

  @Test("whatever happens, everybody who asks is told once, and all seats come to run one release")
  func walks() {
    var events = 0
    for index in 0..<Self.walks {
      let seed = Self.seed &+ UInt64(index)
      let (problems, count, log) = walk(seed)
      events += count
      #expect(problems.isEmpty, "WALK_SEED=\(seed): \(problems.prefix(5).joined(separator: "\n")) \(log)")
      if !problems.isEmpty { break }
    }
    print("\(events) events from WALK_SEED=\(Self.seed)")
  }
}
