// gevent and eventlet put green threads, all of one thread, in the place of Python's; the server's threads
// are others.
import Foundation
import Support
import Testing

@Suite struct GreenThreadTests {
  private func output(_ module: String, threads: Int) throws -> String {
    let home = "\(Repository.root)/.build/frameworks"
    let options = ["-H", home, "--pythonpath", Python.folder + "/frameworks", "--threads", "\(threads)"]
    return try Python.run(module, options) { (server) throws in
      for _ in 0..<20 { #expect(try server.get("/").text == "green") }
    }
  }

  @Test("patched threads are warned of when the application is loaded", arguments: ["gevent", "eventlet"])
  func warned(library: String) throws {
    let warning = "\(library) has patched Python's threads"
    let several = try output("\(library)_app", threads: 4)
    let lines = several.split(separator: "\n").filter { $0.contains(warning) }
    #expect(lines.count == 1 && lines[0].contains("--threads 1"), "\(several)")
    #expect(try !output("\(library)_app", threads: 1).contains(warning))
  }
}
