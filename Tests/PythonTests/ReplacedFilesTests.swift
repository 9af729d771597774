// Files of the server that a package replaces while it runs: whoever is started later runs those of its
// master, and an upgrade goes over to what is there now.
import Foundation
import Support
import Testing

@Suite(.serialized) struct ReplacedFilesTests {
  private let folder: TemporaryFolder
  private let copy: ServerCopy

  init() throws {
    folder = try TemporaryFolder()
    copy = try ServerCopy(in: try folder.folder("installed"))
    try install("A")
  }

  /// Puts a version of the ledger where the server imports it. Each letter makes a file of another size:
  /// Python trusts its compiled copy by size and whole seconds.
  private func install(_ letter: String) throws {
    let size = String(repeating: "#", count: Int(letter.unicodeScalars.first!.value))
    let text = try Repository.text("Tests/Fixtures/python/ledger.py")
      .replacingOccurrences(of: "LETTER = \"A\"", with: "LETTER = \"\(letter)\"  \(size)")
    try text.write(toFile: folder.file("ledger.py"), atomically: true, encoding: .utf8)
  }

  private func serve(_ options: [String] = []) throws -> SupervisedServer {
    try SupervisedServer(
      runtime: ["--pythonpath", folder.path, "-w", "ledger", "--env", "LEDGER=\(folder.file("served"))"]
        + ["--swap-soak", "0", "--swap-probation", "0"] + options, folder: folder, program: copy.server)
  }

  /// Ends both workers, one after the other, and waits for others.
  private func replaceWorkers(_ server: SupervisedServer) throws {
    for seat in 0..<2 {
      let before = try server.wait(for: "both workers") { $0.serving.count == 2 }
      kill(before.workers[seat].pid, SIGKILL)
      try server.wait(for: "another worker") { $0.serving.count == 2 && $0.workers != before.workers }
    }
  }

  /// Whether a worker has loaded a worker library that is at its path no more.
  private func runsReplacedLibrary(_ worker: MasterStatus.Worker) throws -> Bool {
    let maps = try #require(ProcessUsage.text(worker.pid, "maps"))
    #expect(maps.contains("/installed/libnsgi_worker.so"), "\(maps)")
    return maps.contains("/installed/libnsgi_worker.so (deleted)")
  }

  @Test(
    "a worker that is started after the files were replaced runs those of its master",
    arguments: [[], ["--preload"], ["--embed"]] as [[String]])
  func later(options: [String]) throws {
    // A server with a sanitizer in it has no other program, and so no zygote.
    guard !Repository.isSanitized || options != ["--preload"] else { return }
    let server = try serve(options)
    let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
    try ledger.waitForAnswers(20)
    try copy.spoil()
    if options == ["--preload"] {
      let zygote = try server.status().zygotes[0].pid
      try #require(zygote > 0)
      kill(zygote, SIGKILL)
      try server.wait(for: "another zygote") {
        $0.zygotes.first?.state == "ready" && $0.zygotes[0].pid != zygote
      }
    }
    try replaceWorkers(server)
    for _ in 0..<6 { #expect(try server.answering() == "A 1", "\(server.log)") }
    if options != ["--embed"], !Repository.isSanitized {
      for worker in try server.status().serving { #expect(try runsReplacedLibrary(worker)) }
    }
    // The trial of a new version, and the workers of it, have the plugin of the master.
    try install("B")
    let (exit, output) = try server.ctl("swap")
    #expect(exit == 0, "\(output) \(server.log)")
    ledger.expect(generation: 2)
    #expect(try server.answering() == "B 2")
    try ledger.waitForAnswers(20)
    let report = try ledger.finish()
    // Each of the two that were killed took along what it had.
    #expect(report.losses.count <= 4 && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("a package that is taken away takes no worker along")
  func removed() throws {
    let server = try serve()
    try copy.remove()
    try replaceWorkers(server)
    for _ in 0..<6 { #expect(try server.answering() == "A 1", "\(server.log)") }
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("an upgrade goes over to the files that are there now, and is refused if one of them is broken")
  func upgrade() throws {
    let server = try serve()
    let libraries = ["libpython3_plugin.so"] + (Repository.isSanitized ? [] : ["libnsgi_worker.so"])
    for broken in libraries {
      try copy.install()
      try copy.spoil([broken])
      let (exit, output) = try server.ctl("upgrade")
      #expect(exit == 1 && output.contains("refused: "), "\(broken): \(output)")
      #expect(try server.status().pid == server.pid && server.answering() == "A 1", "\(server.log)")
    }
    try copy.install()
    try replaceWorkers(server)
    if !Repository.isSanitized {
      for worker in try server.status().serving { #expect(try runsReplacedLibrary(worker)) }
    }
    let (exit, output) = try server.ctl("upgrade")
    #expect(exit == 0, "\(output) \(server.log)")
    let after = try server.wait(for: "the new master") { $0.pid != server.pid && $0.serving.count == 2 }
    #expect(try server.answering() == "A 1", "\(server.log)")
    if !Repository.isSanitized {
      for worker in after.serving { #expect(try !runsReplacedLibrary(worker)) }
    }
    #expect(try server.ctl("stop").exit == 0)
  }

  @Test("a server in an environment runs the Python of that one still, once its program was replaced")
  func environment() throws {
    let home = folder.file("venv")
    let (exit, output) = try ChildProcess.run(
      Interpreter.system.path, ["-m", "venv", "--without-pip", home], deadline: Deadline(seconds: 60))
    #expect(exit == .status(0), "\(output)")
    let own = try ServerCopy(in: "\(home)/bin")
    try folder.write(
      """
      import sys
      def application(environ, start):
        start('200 OK', [])
        return [sys.prefix.encode()]

      """, to: "whose.py")
    let server = try SupervisedServer(
      runtime: ["--pythonpath", folder.path, "-w", "whose"], folder: folder, program: own.server)
    #expect(try server.get("/").text == home, "\(server.log)")
    try own.spoil()
    try replaceWorkers(server)
    for _ in 0..<6 { #expect(try server.get("/").text == home, "\(server.log)") }
    #expect(try server.stop() == .status(0), "\(server.log)")
  }
}
