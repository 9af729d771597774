// New versions of an ASGI application while it serves: streams, uploads and background tasks come to their
// end, the lifespan is shut down behind them, and a startup that fails does not go live.
import Foundation
import Support
import Testing

@Suite(.serialized) struct ASGISwapTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Puts a version where the server imports it; of another size: Python trusts its compiled copy by size
  /// and whole seconds.
  private func install(_ letter: String, startup: String? = nil) throws {
    let size = String(repeating: "#", count: Int(letter.unicodeScalars.first!.value))
    var text = try Repository.text("Tests/Fixtures/python/asgi_ledger.py")
      .replacingOccurrences(of: "LETTER = \"A\"", with: "LETTER = \"\(letter)\"  \(size)")
    if let startup { text = text.replacingOccurrences(of: "  note(\"startup\")", with: "  \(startup)") }
    try text.write(toFile: folder.file("asgi_ledger.py"), atomically: true, encoding: .utf8)
  }

  private func serve(_ options: [String] = [], gateways: [String] = ["http"]) throws -> SupervisedServer {
    try SupervisedServer(
      runtime: ["--pythonpath", folder.path, "-w", "asgi_ledger", "--env", "LEDGER=\(folder.file("served"))"]
        + ["--swap-soak", "0", "--swap-probation", "0"] + options, gateways: gateways, folder: folder)
  }

  /// What the lifespans and the background tasks have written down.
  private func marks(_ word: String) throws -> Int {
    let text = (try? String(contentsOfFile: folder.file("served.marks"), encoding: .utf8)) ?? ""
    return text.split(separator: "\n").count { $0.hasPrefix(word) }
  }

  @Test("no request is lost under load of every kind, and streams end whole", arguments: [[], ["--preload"]])
  func swaps(options: [String]) throws {
    try install("A")
    let server = try serve(options, gateways: GatewayRequest.gateways)
    let ledger = try Ledger(server)
    try ledger.waitForAnswers(50)
    let streams = try (0..<20).map { _ in try server.server.connect() }
    for socket in streams { try socket.send(GatewayRequest.bytes("http", "/long")) }
    for socket in streams { _ = try socket.receive(until: "begin A 1") }
    #expect(try server.server.get("/later").status == 200)
    try install("B")
    let (exit, output) = try server.ctl("swap")
    #expect(exit == 0, "\(output)")
    try server.wait(for: "the new version") { $0.generations == [2] }
    ledger.expect(generation: 2)
    for socket in streams {
      let rest = String(decoding: try socket.receiveAll(), as: UTF8.self)
      #expect(rest.contains("piece 19") && rest.contains("end A 1"), "\(rest.suffix(100))")
    }
    try ledger.waitForAnswers(100)
    let report = try ledger.finish()
    #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
    #expect(report.generations["A 1"] ?? 0 > 0 && report.generations["B 2"] ?? 0 > 0, "\(report.generations)")
    #expect(try server.stop() == .status(0), "\(server.log)")
    #expect(try marks("background") == 1)
    // Every process that has begun has come to its end: workers of both versions, and the trial.
    #expect(try marks("startup") == marks("shutdown"), "\(server.log)")
    #expect(try marks("startup B") > 0 && marks("shutdown A") > 0)
  }

  @Test(
    "a startup that fails or hangs refuses the swap, and the old version goes on",
    arguments: [
      (
        "return await send({'type': 'lifespan.startup.failed', 'message': 'no database'})",
        "the startup of its lifespan failed: no database"
      ),
      ("await asyncio.sleep(3600)", "the startup of its lifespan has not come to an end within"),
    ])
  func refused(line: String, sentence: String) throws {
    try install("A")
    // A trial on a busy machine, or with a sanitizer, takes seconds before its startup begins.
    let server = try serve(["--swap-timeout", Repository.isAddressSanitized ? "20" : "12"])
    let ledger = try Ledger(server, [.httpKeepAlive, .httpFresh, .stream, .upload])
    try ledger.waitForAnswers(20)
    try install("B", startup: line)
    let (exit, output) = try server.ctl("swap")
    #expect(exit == 1 && output.contains("refused: ") && output.contains(sentence), "\(output)")
    #expect(output.contains("still serving"), "\(output)")
    try ledger.waitForAnswers(20)
    let report = try ledger.finish()
    #expect(report.losses.isEmpty && report.duplicates.isEmpty, "\(report)")
    #expect(try server.answering() == "A 1")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("under --preload the loop and the lifespan begin in each worker, after the fork")
  func preload() throws {
    try install("A")
    let server = try SupervisedServer(
      runtime: ["--preload", "--pythonpath", folder.path, "-w", "asgi_ledger", "--env"]
        + ["LEDGER=\(folder.file("served"))"], workers: 3, folder: folder)
    #expect(try server.answering() == "A 1")
    let status = try server.status()
    #expect(status.zygotes.count == 1)
    #expect(try marks("startup") == 3)
    #expect(try server.stop() == .status(0), "\(server.log)")
    #expect(try marks("shutdown") == 3, "\(server.log)")
  }
}
