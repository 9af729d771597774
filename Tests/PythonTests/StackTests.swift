// What a request does that takes too long, or long: in the log at --harakiri, in `server ctl status`.
import Foundation
import Support
import Testing

@Suite struct StackTests {
  /// Ways to take long; the function that is to be seen has the name of the path.
  static let ways = ["waits", "computes", "crowds", "holds"]

  @Test(
    "ctl status shows what a long request does: waiting, computing (also in a crowd), or in C",
    arguments: ways)
  func inStatus(way: String) throws { try Self.show(way, []) }

  /// A library that keeps faulthandler's function to itself says nothing of a thread that holds the
  /// interpreter: only Python itself could.
  @Test("so it does with every Python that is here", arguments: Interpreter.others, ["waits", "computes"])
  func inStatus(python: Interpreter, way: String) throws { try Self.show(way, python.options) }

  private static func show(_ way: String, _ options: [String]) throws {
    let server = try SupervisedServer(
      runtime: ["--pythonpath", Python.folder, "-w", "stuck"] + options, workers: 1,
      folder: try TemporaryFolder())
    let socket = try server.server.connect()
    let gate = server.folder.file("gate")
    try socket.send(GatewayRequest.bytes("http", "/\(way)?\(gate)"))
    let text = try Deadline.usual.wait(for: "the stack", output: { server.log }) { () -> String? in
      let (exit, output) = try server.ctl("status")
      #expect(exit == 0)
      return output.contains("in \(way)") ? output : nil
    }
    let lines = text.split(separator: "\n")
    let request = try #require(lines.firstIndex { $0.hasSuffix("ms: GET /\(way)?\(gate)") }, "\(text)")
    #expect(lines[(request + 1)...].contains { $0.contains("stuck.py\", line ") }, "\(text)")
    #expect(lines[(request + 1)...].contains { $0.hasSuffix("in application") }, "\(text)")
    let (_, json) = try server.ctl("--json", "status")
    #expect(json.contains("in \(way)"), "\(json)")
    try server.folder.write("", to: "gate")
    #expect(try socket.receiveReply().text == "done")
    // Nothing is shown of a request that is over.
    #expect(try !server.ctl("status").output.contains("stuck.py"))
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("a request whose time is over leaves its stack in the log", arguments: ways)
  func atHarakiri(way: String) throws {
    let folder = try TemporaryFolder()
    let gate = folder.file("gate")
    let output = try Python.run("stuck", ["--harakiri", "0.5"]) { (server) throws in
      #expect(try server.get("/\(way)?\(gate)").status == 504)
      try folder.write("", to: "gate")
    }
    #expect(output.contains("stack of GET /\(way)?\(gate):"), "\(output)")
    #expect(output.contains("in \(way)") && output.contains("in application"), "\(output)")
  }
}
