// Certificates on their way to workers: accepted once, asked of each worker that is there, given to each that
// comes.
import Config
import Control
import Testing

@testable import Master

@Suite struct CertificateScenarioTests {
  private static let files = [HandedFile(path: "/a.pem", text: "new")]

  private func script(workers: Int, tls: Bool = true, _ adjust: (inout Settings) -> Void = { _ in }) -> Script
  {
    var script = Script(workers: workers) { settings in
      if tls { settings.listeners = World.sealedListeners }
      adjust(&settings)
    }
    script.settle()
    return script
  }

  /// Asks, and has the children bring the files.
  private func renew(_ script: inout Script, by asker: Int, _ files: [HandedFile] = files) {
    script.take(.asked(.certificates(cause: "ctl"), by: asker))
    guard let ticket = script.releases.request?.ticket else { return }
    #expect(script.did { if case .readCertificates(ticket) = $0 { true } else { false } })
    script.take(.staged(ticket: ticket, .certified(files)), after: 0.1)
  }

  /// The workers that the last event has led to be handed certificates, with their number.
  private func offered(_ script: Script) -> [(id: Int, number: Int)] {
    script.actions.compactMap { if case .present(let id, let number) = $0 { (id, number) } else { nil } }
  }

  @Test("every worker that serves is asked once, and who asked is told when all present them")
  func all() throws {
    var script = script(workers: 3)
    renew(&script, by: 1)
    let asked = offered(script)
    #expect(asked.map(\.id) == script.serving && Set(asked.map(\.number)).count == 1)
    #expect(script.releases.current?.files == Self.files)
    for one in asked {
      #expect(script.outcome(1) == "0 answers")
      script.take(.presents(one.id, certificates: one.number))
      #expect(offered(script).isEmpty)
    }
    #expect(script.outcome(1) == "done: the new certificates are presented")
    renew(&script, by: 2)
    #expect(script.outcome(2).contains("nothing to do") && offered(script).isEmpty)
    #expect(script.counted.suffix(2) == ["tls-reload_done", "tls-reload_unchanged"])
  }

  @Test("a worker that loads meanwhile is asked when it serves, and one that starts later is not")
  func late() throws {
    var script = script(workers: 2)
    script.die(script.serving[0], .killed(11))
    let loading = try #require(script.loading.first)
    renew(&script, by: 1)
    let asked = try #require(offered(script).first)
    script.take(.presents(asked.id, certificates: asked.number))
    #expect(script.outcome(1) == "0 answers")
    script.ready(loading)
    #expect(offered(script).map(\.id) == [loading])
    script.take(.presents(loading, certificates: asked.number))
    #expect(script.outcome(1).hasPrefix("done"))
    script.die(script.serving[0], .killed(11))
    let release = script.actions.compactMap { action -> Release? in
      if case .spawn(_, _, let release, _) = action { release } else { nil }
    }.first
    #expect(release?.files == Self.files)
    script.settle()
    #expect(script.serving.count == 2 && offered(script).isEmpty)
  }

  @Test("a worker that cannot, or does not answer, is followed by one that begins with them")
  func replaced() throws {
    var script = script(workers: 2)
    renew(&script, by: 1)
    let asked = offered(script)
    script.take(.declined(asked[0].id, certificates: asked[0].number, "no memory"))
    script.take(.alarm(.present(worker: asked[1].id)), after: 30)
    #expect(script.loading.count == 2 && script.outcome(1) == "0 answers")
    script.settle()
    #expect(Set(script.serving).isDisjoint(with: asked.map(\.id)) && script.serving.count == 2)
    #expect(script.outcome(1).hasPrefix("done"))
    #expect(script.logged.contains { $0.contains("it cannot present certificates: no memory") })
  }

  @Test("workers that have swapped in place run under the options of the swap, and are asked too")
  func afterInPlaceSwap() throws {
    var script = script(workers: 2) { $0.supervision.swap = .inPlace }
    script.releases.current!.builds[0].isUnloadable = true
    script.take(.asked(.swap(mount: nil, file: "/b.so"), by: 1))
    let ticket = try #require(script.releases.request?.ticket)
    let fresh = script.build(unloadable: true)
    let current = try #require(script.releases.current)
    // The path is another: so are the options.
    let target = Release(
      number: 1000, configuration: 1000, arguments: current.arguments + ["--again"],
      settings: current.settings, builds: [fresh], files: current.files, certificates: current.certificates)
    script.take(.staged(ticket: ticket, .built(target, fresh: [fresh], obstacle: nil)))
    for id in script.serving { script.take(.swapped(id, app: 0, generation: 2)) }
    #expect(script.outcome(1).hasPrefix("done") && script.running == [[2], [2]], "\(script.outcome(1))")
    renew(&script, by: 2)
    let asked = offered(script)
    #expect(asked.map(\.id) == script.serving && script.outcome(2) == "0 answers")
    for one in asked { script.take(.presents(one.id, certificates: one.number)) }
    #expect(script.outcome(2) == "done: the new certificates are presented")
  }

  /// Other options with a new build, on probation; `adjust` says which.
  private func reload(_ script: inout Script, by asker: Int, _ adjust: (inout Settings) -> Void) throws {
    script.take(.asked(.reload(cause: "ctl"), by: asker))
    let (ticket, fresh) = (try #require(script.releases.request?.ticket), script.build())
    let current = try #require(script.releases.current)
    var settings = current.settings
    adjust(&settings)
    let files = [HandedFile(path: "/a.pem", text: "old")] + key(settings)
    let target = Release(
      number: 2000 + ticket, configuration: 2000 + ticket, arguments: current.arguments + ["--again"],
      settings: settings, builds: [fresh], files: files, certificates: 2000 + ticket)
    script.take(.staged(ticket: ticket, .built(target, fresh: [fresh], obstacle: nil)))
    script.ready(script.loading[0])
    script.soak()
    script.settle()
    #expect(script.outcome(asker).hasPrefix("done"), "\(script.outcome(asker))")
  }

  private func key(_ settings: Settings) -> [HandedFile] {
    settings.supervision.appKey.map { [HandedFile(path: $0, text: "the key of \($0)")] } ?? []
  }

  @Test("certificates for options that are taken back meanwhile are not presented, and that is said")
  func optionsTakenBack() throws {
    var script = script(workers: 1) { $0.supervision.probationSeconds = 60 }
    try reload(&script, by: 1) { $0.tls.ticketHours = 1 }
    let number = try #require(script.releases.current?.number)
    renew(&script, by: 2)
    let asked = try #require(offered(script).first)
    script.take(.evidence(release: number, "5 of 5 answers were 5xx", mount: ""))
    #expect(script.outcome(2).hasPrefix("refused: the options that they are for"), "\(script.outcome(2))")
    #expect(script.releases.current?.files == [], "what serves is from before the options")
    script.take(.presents(asked.id, certificates: asked.number))
    script.settle()
    #expect(script.running == [[1]])
  }

  @Test("a build that is taken back has the new certificates, and the key that it was signed with")
  func ownKey() throws {
    var script = script(workers: 1) {
      $0.supervision.probationSeconds = 60
      $0.supervision.appKey = "/old.pub"
    }
    script.releases.current!.files =
      [HandedFile(path: "/a.pem", text: "first")]
      + key(script.releases.current!.settings)
    try reload(&script, by: 1) { $0.supervision.appKey = "/new.pub" }
    let current = try #require(script.releases.current)
    renew(&script, by: 2, [HandedFile(path: "/a.pem", text: "new")] + key(current.settings))
    let asked = try #require(offered(script).first)
    script.take(.presents(asked.id, certificates: asked.number))
    #expect(script.outcome(2).hasPrefix("done"))
    script.take(.evidence(release: current.number, "5 of 5 answers were 5xx", mount: ""))
    let expected = [
      HandedFile(path: "/a.pem", text: "new"), HandedFile(path: "/old.pub", text: "the key of /old.pub"),
    ]
    #expect(script.releases.current?.files == expected, "\(script.releases.current?.files ?? [])")
    script.settle()
    #expect(script.running == [[1]])
  }

  @Test("what was refused changes nothing, and without TLS nothing is read")
  func refused() throws {
    var script = script(workers: 1)
    script.take(.asked(.certificates(cause: "ctl"), by: 1))
    let ticket = try #require(script.releases.request?.ticket)
    script.take(.staged(ticket: ticket, .failed("the certificate a has expired")))
    #expect(
      script.outcome(1) == "refused: the certificate a has expired; the certificates before serve on")
    #expect(script.releases.current?.files == [] && offered(script).isEmpty)
    var plain = self.script(workers: 1, tls: false)
    plain.take(.asked(.certificates(cause: "ctl"), by: 1))
    #expect(plain.outcome(1).hasPrefix("refused: no socket speaks TLS"))
  }

  @Test("a build that is taken back brings no certificates back")
  func takenBack() throws {
    var script = script(workers: 1) { $0.supervision.probationSeconds = 60 }
    let fresh = script.build()
    script.roll(fresh, by: 1)
    renew(&script, by: 2)
    let asked = try #require(offered(script).first)
    // While they are on their way.
    script.take(
      .evidence(release: try #require(script.releases.current?.number), "5 of 5 answers were 5xx", mount: ""))
    #expect(
      script.releases.current?.files == Self.files && script.releases.current?.builds[0].generation == 1)
    script.take(.presents(asked.id, certificates: asked.number))
    script.settle()
    #expect(script.outcome(2).hasPrefix("done") && script.running == [[1]])
    let certificates = script.serving.map { script.releases.workers[$0]?.certificates }
    #expect(certificates == [script.releases.current?.certificates])
  }
}
