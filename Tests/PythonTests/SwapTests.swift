// New versions of a Python application while it serves: however they are asked for, no request is lost, and
// what cannot be imported does not go live.
import Foundation
import Support
import Testing

@Suite(.serialized) struct PythonSwapTests {
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
      runtime: ["--pythonpath", folder.path, "-w", "ledger", "--env", "LEDGER=\(folder.file("served"))"]
        + ["--swap-soak", "0", "--swap-probation", "0"] + options, gateways: gateways, folder: folder)
  }

  /// What asks for the new version.
  enum Trigger: String, CaseIterable, Sendable {
    case ctl, hangUp, touchReload, autoreload, watch

    var options: [String] {
      switch self {
      case .touchReload: ["--touch-reload", "DIR/reload"]
      case .autoreload: ["--py-autoreload", "1"]
      case .watch: ["--watch"]
      case .ctl, .hangUp: []
      }
    }
  }

  @Test(
    "a new version goes live under load of every kind, and no request is lost",
    arguments: Trigger.allCases)
  func swaps(trigger: Trigger) throws { try swap(trigger, []) }

  @Test("so it does with every Python that is here", arguments: Interpreter.others)
  func swaps(python: Interpreter) throws { try swap(.ctl, python.options) }

  private func swap(_ trigger: Trigger, _ options: [String]) throws {
    try install("A")
    try folder.write("", to: "reload")
    let server = try serve(trigger.options + options, gateways: GatewayRequest.gateways)
    let ledger = try Ledger(server)
    try ledger.waitForAnswers(50)
    #expect(try server.answering() == "A 1")
    try install("B")
    switch trigger {
    case .ctl:
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 0, "\(output)")
    case .hangUp: server.server.process.send(SIGHUP)
    case .touchReload: utimes(folder.file("reload"), nil)
    case .autoreload, .watch: break
    }
    try server.wait(for: "the new version") { $0.generations == [2] }
    ledger.expect(generation: 2)
    try ledger.waitForAnswers(100)
    let report = try ledger.finish()
    #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
    #expect(report.generations["A 1"] ?? 0 > 0 && report.generations["B 2"] ?? 0 > 0, "\(report.generations)")
    #expect(try server.answering() == "B 2")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test(
    "what cannot be imported is refused with its traceback, and the old version goes on",
    arguments: [
      ("import no_such_module_at_all", "No module named 'no_such_module_at_all'"),
      ("this is no Python (", "SyntaxError"), ("raise RuntimeError('closed today')", "closed today"),
      ("import sys; sys.exit(3)", "SystemExit: 3"),
    ])
  func refused(line: String, sentence: String) throws {
    try install("A")
    let server = try serve(gateways: ["http", "fastcgi"])
    let ledger = try Ledger(server, [.httpKeepAlive, .httpFresh, .fastcgiKeepAlive, .upload])
    try ledger.waitForAnswers(20)
    let before = try server.status()
    try install("B", adding: line)
    let (exit, output) = try server.ctl("swap")
    #expect(exit == 1 && output.contains("refused: ") && output.contains(sentence), "\(output)")
    #expect(output.contains("still serving"), "\(output)")
    #expect(server.log.contains("ledger.py\", line ") && server.log.contains(sentence), "\(server.log)")
    let after = try server.status()
    #expect(after.workers == before.workers && after.generations == [1])
    #expect(try server.answering() == "A 1")
    // What was refused holds nothing up.
    try install("C")
    #expect(try server.ctl("swap").exit == 0)
    try ledger.waitForAnswers(20)
    let report = try ledger.finish()
    #expect(report.losses.isEmpty && report.duplicates.isEmpty, "\(report)")
    #expect(try server.answering().hasPrefix("C "))
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("what only a later worker cannot import is refused, and no place runs it")
  func refusedInALaterWorker() throws {
    try install("A")
    let server = try serve()
    let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
    let workers = try server.status().workers
    // The trial and the first worker can, the second cannot.
    let marks = try folder.folder("marks")
    try install(
      "B",
      adding: "import os\nopen('\(marks)/%d' % os.getpid(), 'w').close()\n"
        + "assert len(os.listdir('\(marks)')) < 3, 'one too many'")
    let (exit, output) = try server.ctl("swap")
    #expect(exit == 1 && output.contains("one too many"), "\(output)")
    try server.wait(for: "the new workers to leave") { $0.workers.count == 2 }
    let places = try server.wait(for: "the old version in every place") { $0.serving.count == 2 }
    #expect(places.workers[1] == workers[1], "the place that was not reached has served on")
    for _ in 0..<8 { #expect(try server.answering() == "A 1") }
    try ledger.waitForAnswers(20)
    let report = try ledger.finish()
    #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("signals that come in a row are one or two changes")
  func signals() throws {
    try install("A")
    let server = try serve()
    let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
    for _ in 0..<15 { server.server.process.send(SIGHUP) }
    try server.wait(for: "the last change") { $0.change.isEmpty && $0.generations[0] > 1 }
    usleep(300_000)
    let status = try server.wait(for: "the last change") { $0.change.isEmpty }
    #expect(status.generations[0] <= 3, "\(server.log)")
    try ledger.waitForAnswers(20)
    let report = try ledger.finish()
    #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("a rollback brings the old modules back, under load, and no request is lost")
  func rollback() throws {
    try install("A")
    let server = try serve(gateways: GatewayRequest.gateways)
    let ledger = try Ledger(server)
    try install("B")
    #expect(try server.ctl("swap").exit == 0)
    try ledger.waitForAnswers(50)
    let (exit, output) = try server.ctl("rollback")
    #expect(exit == 0, "\(output)")
    #expect(try server.answering() == "A 1")
    try ledger.waitForAnswers(50)
    let report = try ledger.finish()
    #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }
}
