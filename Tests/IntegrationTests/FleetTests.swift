// The files of docs/deploy/fleet by their own tools, HAProxy's agent checks, the playbook over several
// servers, and the model of docs/SCALING.md (Tests/Fleet).
import Foundation
import Support
import Testing

@Suite struct FleetTests {
  private static let files = Repository.files(under: "Tests/Fleet", suffixes: [".py"])
    .compactMap { $0.split(separator: "/").last }.filter { $0.hasPrefix("test_") }
    .map { String($0.dropLast(3)) }

  @Test("configurations for a fleet are taken by their tools, and do what they say", arguments: files)
  func fleet(module: String) throws {
    let python = "\(Repository.root)/.build/fleet/bin/python"
    guard access(python, X_OK) == 0 else { throw SupportError.pythonMissing(python) }
    let (exit, output) = try ChildProcess.run(
      python, ["-m", "unittest", module], environment: ["SERVER_UNDER_TEST": Repository.server],
      directory: "\(Repository.root)/Tests/Fleet", deadline: Deadline(seconds: 1200))
    #expect(exit == .status(0), "\(output)")
  }

  @Test("there are tests of the fleet, and the proof says what it needs where it is not root")
  func needs() throws {
    #expect(Self.files.count >= 4)
    // Another user may not reach the project's folder: the script is told that it is one.
    let script = "\(Repository.root)/scripts/fleet_proof.py"
    let user = "import os, runpy; os.geteuid = lambda: 1000"
    let program = "\(user); runpy.run_path('\(script)', run_name='__main__')"
    let (exit, output) = try ChildProcess.run("/usr/bin/python3", ["-c", program])
    #expect(exit == .status(1) && output.contains("needs root"), "\(output)")
  }
}
