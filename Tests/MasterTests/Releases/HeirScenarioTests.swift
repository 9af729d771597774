// Upgrades, step by step: what the new master goes on with, and heirs that come late or not at all.
import Config
import Control
import Testing

@testable import Master

@Suite struct HeirScenarioTests {
  /// A master that follows the one of a script, with what that one has left.
  private func heir(of script: Script, after seconds: Double = 1) -> Script {
    let current = script.releases.current!
    let bequest = Orders(Self.orders(script.releases.bequest).message)!.bequest
    let kept = bequest.kept.map { Build($0, copy: 9, path: "/new/\($0.generation)") }
    var heir = Script(
      following: Past(builds: kept, counters: bequest.counters, trial: bequest.trial), current)
    heir.now = script.now &+ UInt64(seconds * 1e9)
    heir.begin()
    heir.settle()
    return heir
  }

  private static func orders(_ bequest: Bequest) -> Orders {
    var orders = Orders(.master)
    orders.bequest = bequest
    return orders
  }

  private func swapped(_ probation: Double, workers: Int = 2) -> Script {
    var script = Script(workers: workers) { $0.supervision.probationSeconds = probation }
    script.settle()
    script.swap([script.build()], by: 1)
    script.ready(script.loading[0])
    script.soak()
    script.settle()
    return script
  }

  @Test("a rollback after an upgrade brings the build before back, and numbers go on")
  func history() {
    var heir = heir(of: swapped(0))
    #expect(heir.running == [[2], [2]])
    #expect(heir.releases.history.builds[""]?.map(\.generation) == [1, 2])
    heir.take(.asked(.rollback(mount: nil), by: 2))
    heir.settle()
    #expect(heir.outcome(2).hasPrefix("done") && heir.running == [[1], [1]], "\(heir.outcome(2))")
    #expect(heir.releases.history.nextGeneration("") == 3)
  }

  @Test("after a rollback and an upgrade no number is given twice")
  func numbers() {
    var script = swapped(0)
    script.take(.asked(.rollback(mount: nil), by: 2))
    script.settle()
    var heir = heir(of: script)
    #expect(heir.running == [[1], [1]] && heir.releases.history.nextGeneration("") == 3)
  }

  @Test("the probation goes on for as long as it would have, and means the same")
  func probation() throws {
    let script = swapped(60)
    for crashes in [true, false] {
      var heir = heir(of: script, after: 20)
      let probation = try #require(heir.releases.probation)
      #expect(probation.end == script.releases.probation?.end)
      if crashes {
        heir.die(heir.serving[0])
        heir.settle()
        #expect(heir.releases.current?.builds[0].generation == 1)
        #expect(heir.running.joined().allSatisfy { $0 == 1 }, "\(heir.running)")
        #expect(heir.releases.history.builds[""]?.contains { $0.status.isWithdrawn } == true)
      } else {
        heir.take(.alarm(.probation(release: probation.release)), after: 40)
        heir.die(heir.serving[0])
        heir.settle()
        #expect(heir.running.joined().allSatisfy { $0 == 2 }, "\(heir.running)")
      }
    }
    #expect(heir(of: script, after: 61).releases.probation == nil, "it was over before the new server served")
  }

  @Test("a build that is taken back after an upgrade has the certificates and the key of its time")
  func ownFiles() throws {
    var script = swapped(60)
    let (old, new) = ([HandedFile(path: "/k", text: "old")], [HandedFile(path: "/k", text: "new")])
    script.releases.probation!.previous.files = old
    script.releases.current!.files = new
    var heir = heir(of: script)
    #expect(heir.releases.current?.files == new)
    #expect(heir.releases.probation?.previous.files == old)
    heir.die(heir.serving[0])
    heir.settle()
    #expect(heir.releases.current?.builds[0].generation == 1 && heir.releases.current?.files == old)
    // Those that serve are not handed on twice.
    script.releases.probation!.previous.files = new
    #expect(script.releases.bequest.trial?.files == nil)
  }

  @Test("a runtime's build that was withdrawn and serves on does not end the probation of what follows it")
  func withdrawnRuntime() throws {
    let arguments = ["--plugin=python3", "--module=shop", "--processes=1"]
    let settings = try #require(Releases.parse(arguments))
    #expect(!settings.apps[0].isKeptWhole)
    func build(_ generation: Int) -> Build {
      Build(
        mount: settings.apps[0].mount, source: "shop", generation: generation, copy: 1, path: "/p",
        buildID: "", name: "shop", isKept: false, staged: 0)
    }
    var kept = build(1)
    kept.status = .withdrawn(reason: "it crashed")
    var trial = Bequest.Trial()
    (trial.end, trial.arguments) = (60_000_000_000, arguments)
    trial.previous = [.init(mount: kept.mount, generation: 1)]
    trial.fresh = [.init(mount: kept.mount, generation: 2)]
    let current = Release(number: 0, arguments: arguments, settings: settings, builds: [build(2)])
    var heir = Script(following: Past(builds: [kept], trial: trial), current)
    heir.begin()
    heir.settle()
    let probation = try #require(heir.releases.probation)
    #expect(probation.previous.builds.map(\.generation) == [2] && probation.fresh.count == 1)
    heir.die(heir.serving[0])
    #expect(heir.logged.contains { $0.contains("put the old files back and swap") }, "\(heir.logged)")
    heir.settle()
    #expect(heir.running == [[2]])
  }

  @Test("a withdrawn build stays withdrawn")
  func withdrawn() {
    var script = swapped(60)
    script.die(script.serving[0])
    script.settle()
    var heir = heir(of: script)
    heir.take(.asked(.rollback(mount: nil), by: 2))
    #expect(heir.outcome(2).hasPrefix("refused: there is no build to go back to"), "\(heir.outcome(2))")
  }

  @Test("a new server that comes after its time, or after another was asked for, is ended")
  func lateHeir() {
    var script = Script(workers: 1)
    script.settle()
    script.take(.asked(.upgrade(binary: "/slow"), by: 1))
    script.take(.asked(.upgrade(binary: "/new"), by: 2))
    guard case .handingOver(let first) = script.releases.state else { return }
    script.take(.alarm(.change(first.ticket)), after: 65)
    #expect(script.outcome(1).hasPrefix("refused"))
    guard case .handingOver(let second) = script.releases.state else {
      Issue.record("\(script.releases.state)")
      return
    }
    script.take(.heirReady(ticket: first.ticket, pid: 4711))
    #expect(
      script.actions.contains { if case .killHeir(first.ticket) = $0 { true } else { false } }
        && script.outcome(2) == "0 answers")
    script.take(.heirFailed(ticket: first.ticket, "it was killed"))
    #expect(script.outcome(2) == "0 answers", "the end of one is not that of the other")
    script.take(.heirReady(ticket: second.ticket, pid: 4712))
    #expect(script.outcome(2).hasPrefix("done: the server goes on as pid 4712"), "\(script.outcome(2))")
  }

  @Test("evidence against the build on probation ends an upgrade, and the new server")
  func evidenceMeanwhile() {
    var script = swapped(60)
    script.take(.asked(.upgrade(binary: nil), by: 2))
    script.take(.evidence(release: script.releases.current!.number, "5 of 5 answers were 5xx"))
    #expect(script.actions.contains { if case .killHeir = $0 { true } else { false } })
    #expect(script.outcome(2).contains("is taken back"), "\(script.outcome(2))")
    script.settle()
    #expect(script.running == [[1], [1]])
  }

  @Test("a master that has handed the server over judges no build of it any more")
  func evidenceAfterwards() {
    var script = swapped(60)
    script.take(.asked(.upgrade(binary: nil), by: 2))
    guard case .handingOver(let request) = script.releases.state else { return }
    let release = script.releases.current!.number
    script.take(.heirReady(ticket: request.ticket, pid: 4711))
    script.take(.evidence(release: release, "5 of 5 answers were 5xx"))
    for id in script.leaving { script.die(id, .killed(11)) }
    #expect(!script.logged.contains { $0.contains("taken back") }, "\(script.logged)")
    #expect(!script.counted.contains("taken_back"))
  }
}
