// New versions of an application that is preloaded, and where preloading means nothing.
import Foundation
import Support
import Testing

@Suite(.serialized) struct PreloadSwapTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Puts a version of the ledger where the server imports it. Each letter makes a file of another size:
  /// Python trusts its compiled copy by size and whole seconds.
  private func install(_ letter: String, adding more: String = "") throws {
    let size = String(repeating: "#", count: Int(letter.unicodeScalars.first!.value))
    let text = try Repository.text("Tests/Fixtures/python/ledger.py")
      .replacingOccurrences(of: "LETTER = \"A\"", with: "LETTER = \"\(letter)\"  \(size)\n\(more)")
    try text.write(toFile: folder.file("ledger.py"), atomically: true, encoding: .utf8)
  }

  private func serve(
    _ options: [String] = [], gateways: [String] = ["http"]
  ) throws -> SupervisedServer {
    try SupervisedServer(
      runtime: ["--preload", "--pythonpath", folder.path, "-w", "ledger"]
        + ["--env", "LEDGER=\(folder.file("served"))", "--swap-soak", "0", "--swap-probation", "0"]
        + options, gateways: gateways, folder: folder)
  }

  @Test(
    "a new version is loaded by another zygote, under load of every kind, and no request is lost",
    arguments: ["ctl", "SIGHUP"])
  func swaps(trigger: String) throws {
    try install("A")
    let server = try serve(gateways: GatewayRequest.gateways)
    let first = try server.status().zygotes
    let ledger = try Ledger(server)
    try ledger.waitForAnswers(50)
    #expect(try server.answering() == "A 1")
    try install("B")
    if trigger == "ctl" {
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 0, "\(output)")
    } else {
      server.server.process.send(SIGHUP)
    }
    try server.wait(for: "the new version") { $0.generations == [2] }
    ledger.expect(generation: 2)
    try ledger.waitForAnswers(100)
    let report = try ledger.finish()
    #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
    #expect(report.generations["A 1"] ?? 0 > 0 && report.generations["B 2"] ?? 0 > 0, "\(report.generations)")
    let zygotes = try server.wait(for: "the end of the first zygote") { $0.zygotes.count == 1 }.zygotes
    #expect(zygotes[0].generations == [2] && zygotes[0].pid != first[0].pid)
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("workers that are replaced under load are forked, and no request is lost")
  func replacements() throws {
    try install("A")
    let server = try serve(["--max-requests", "40"], gateways: GatewayRequest.gateways)
    let workers = try server.status().workers
    let ledger = try Ledger(server)
    try server.wait(for: "other workers under load") { status in
      status.serving.count == 2 && Set(status.serving.map(\.pid)).isDisjoint(with: workers.map(\.pid))
    }
    try ledger.waitForAnswers(100)
    let report = try ledger.finish()
    #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
    #expect(try server.status().zygotes.count == 1, "\(server.log)")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test(
    "what cannot be loaded is refused, and the version before goes on with its own zygote",
    arguments: [
      ("import no_such_module_at_all", "No module named 'no_such_module_at_all'"),
      (
        "import threading\nthreading.Thread(target=threading.Event().wait, name='pump', daemon=True).start()",
        "it has started the thread 'pump'"
      ),
    ])
  func refused(line: String, sentence: String) throws {
    try install("A")
    let server = try serve()
    let before = try server.status()
    try install("B", adding: line)
    let (exit, output) = try server.ctl("swap")
    #expect(exit == 1 && output.contains("refused: ") && output.contains(sentence), "\(output)")
    #expect(output.contains("still serving"), "\(output)")
    let after = try server.wait(for: "the end of the other zygote") { $0.zygotes.count == 1 }
    #expect(after.workers == before.workers && after.zygotes == before.zygotes)
    // The files are those of the new version by now: a worker of the old one is forked all the same.
    kill(after.workers[0].pid, SIGKILL)
    try server.wait(for: "another worker") { $0.serving.count == 2 && $0.workers != before.workers }
    for _ in 0..<8 { #expect(try server.answering() == "A 1") }
    try install("C")
    #expect(try server.ctl("swap").exit == 0)
    // The files are gone, and their copies are there.
    let (code, answer) = try server.ctl("rollback")
    #expect(code == 0, "\(answer)")
    #expect(try server.answering() == "A 1")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("on probation the version before has its zygote still: whoever goes back to it does so at once")
  func probation() throws {
    try install("A")
    let server = try serve(["--swap-probation", "30"])
    try install("B")
    #expect(try server.ctl("swap").exit == 0)
    let status = try server.status()
    #expect(Set(status.zygotes.map(\.generations)) == [[1], [2]], "\(status.text)")
    #expect(status.change.contains("probation"), "\(status.text)")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("a new master has a zygote of its own, and a killed one takes its zygote along")
  func masters() throws {
    try install("A")
    let server = try serve()
    let before = try server.status()
    let (exit, output) = try server.ctl("upgrade")
    #expect(exit == 0, "\(output)")
    let after = try server.wait(for: "the new master") { $0.pid != before.pid && $0.serving.count == 2 }
    #expect(after.zygotes.count == 1 && after.zygotes[0].state == "ready", "\(after.text)")
    #expect(try server.answering() == "A 1")
    try Deadline.usual.wait(for: "the end of the first zygote", output: { server.log }) {
      ProcessUsage.isAlive(before.zygotes[0].pid) ? nil : ()
    }
    kill(after.pid, SIGKILL)
    try Deadline.usual.wait(for: "the end of all others", output: { server.log }) {
      let pids = after.workers.map(\.pid) + [after.zygotes[0].pid]
      return pids.contains { ProcessUsage.isAlive($0) } ? nil : ()
    }
  }

  // MARK: Where it is the default, and where it means nothing

  private func zygotes(_ options: [String]) throws -> (count: Int, log: String) {
    let control = folder.file("own-ctl")
    let server = try ServerProcess(
      app: nil, options + ["--control-socket", control, "-L", "--http-socket", "127.0.0.1:0"])
    #expect(try server.get("/").status == 200, "\(server.process.output)")
    let (exit, output) = try ChildProcess.run(
      Repository.server, ["ctl", "--control-socket", control, "--json", "status"])
    #expect(exit == .status(0), "\(output)")
    let status = try MasterStatus(output)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    return (status.zygotes.count { $0.state == "ready" }, server.process.output)
  }

  @Test("a file in uWSGI's words preloads, unless it says otherwise; own words do when they say so")
  func defaults() throws {
    try install("A")
    let words = "pythonpath = \(folder.path)\nmodule = ledger\nenv = LEDGER=\(folder.file("served"))\n"
    for (text, count) in [
      ("[uwsgi]\n", 1), ("[uwsgi]\nlazy-apps = true\n", 0), ("[uwsgi]\nlazy = 1\n", 0),
      ("[uwsgi]\nlazy-apps = false\n", 1), ("[server]\n", 0), ("[server]\npreload = true\n", 1),
    ] {
      try folder.write(text + words + "processes = 2\n", to: "site.ini")
      #expect(try zygotes(["--ini", folder.file("site.ini")]).count == count, "\(text)")
    }
  }

  @Test("where the applications have no program of their own, one line says that it means nothing")
  func nothing() throws {
    try install("A")
    let python = ["--pythonpath", folder.path, "-w", "ledger", "--env", "LEDGER=\(folder.file("served"))"]
    let embedded = try zygotes(python + ["--preload", "--embed", "-p", "2"])
    #expect(embedded.count == 0)
    #expect(embedded.log.components(separatedBy: "preload means nothing here").count == 2, "\(embedded.log)")
    let silent = try zygotes(python + ["--lazy-apps=false", "--embed", "-p", "2"])
    #expect(silent.count == 0 && !silent.log.contains("preload"), "\(silent.log)")
    let native = try zygotes(
      ["--app", Repository.app("hello_world_app"), "--preload", "-p", "2"])
    #expect(native.count == 0)
    let plain = try ServerProcess(
      app: nil, python + ["--preload", "--no-master", "--http-socket", "127.0.0.1:0"])
    #expect(try plain.get("/").status == 200)
    #expect(try plain.stop() == .status(0))
    #expect(plain.process.output.contains("preload means nothing with no-master"), "\(plain.process.output)")
  }

  @Test("several applications, and native ones beside them, are served by the same workers")
  func several() throws {
    try install("A")
    try folder.write(
      """
      import os
      made = []
      def make(word):
        made.append(word)
        def application(environ, start):
          start('200 OK', [])
          return [f'{word} {len(made)} {os.getpid()}'.encode()]
        return application
      """, to: "other.py")
    let server = try serve([
      "--mount", "/one=other:make('x')", "--mount", "/two=other:make('y')",
      "--mount", "/native=\(Repository.app("hello_world_app"))",
    ])
    let pids = try server.status().serving.map { "\($0.pid)" }
    for _ in 0..<4 {
      let (one, two) = (try server.get("/one").text, try server.get("/two").text)
      #expect(pids.contains { one == "x 2 \($0)" } && pids.contains { two == "y 2 \($0)" }, "\(one), \(two)")
      #expect(try server.get("/native").status == 200)
    }
    #expect(try server.answering() == "A 1")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }
}
