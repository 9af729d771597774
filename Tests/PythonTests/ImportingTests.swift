// Signals while the module of an application is imported.
import Foundation
import Support
import Testing

@Suite struct ImportingTests {
  /// In the server's own program, in workers of a master, in a zygote, and in Python's program.
  static let modes = [
    ["--no-master"], ["-p", "2"], ["-p", "2", "--preload"], ["-p", "1", "--python", "/usr/bin/python3"],
  ]

  @Test("a signal while a module is imported ends the server at once", arguments: modes, [SIGTERM, SIGINT])
  func stops(mode: [String], signal: Int32) throws {
    let folder = try TemporaryFolder()
    let mark = folder.file("mark")
    try folder.write(
      "import os, time\nopen('\(mark)', 'a').write(f'{os.getpid()}\\n')\ntime.sleep(600)\n",
      to: "slow_import.py")
    // Far more mercy than the test waits.
    let server = try ChildProcess(
      Repository.server,
      mode + [
        "--plugin", "python3", "--pythonpath", folder.path, "-w", "slow_import", "-L",
        "--worker-reload-mercy", "60", "--http-socket", "127.0.0.1:0",
      ])
    let importers = try Deadline.usual.wait(for: "the import", output: { server.output }) {
      let pids = ((try? String(contentsOfFile: mark, encoding: .utf8)) ?? "").split(separator: "\n")
        .compactMap { pid_t($0) }
      return pids.isEmpty ? nil : pids
    }
    #expect(try server.stop(signal, Deadline(seconds: 20)) == .status(0), "\(server.output)")
    for importer in importers {
      try Deadline.usual.wait(for: "the end of the process that imports") {
        kill(importer, 0) == 0 ? nil : true
      }
    }
  }
}
