// Files of the start that are none: nobody waits for what never comes.
import Foundation
import Support
import Testing

@Suite struct FifoTests {
  private func folder() throws -> (TemporaryFolder, fifo: String) {
    let folder = try TemporaryFolder()
    mkfifo(folder.file("fifo"), 0o600)
    return (folder, folder.file("fifo"))
  }

  private static let serving = ["--app", Repository.app("environ"), "--http-socket", "127.0.0.1:0"]

  @Test(
    "a FIFO in place of a file ends the start with a sentence that names it",
    arguments: [
      ["--error-page", "502=FIFO"], ["--mimefile", "FIFO"], ["--pidfile", "FIFO"], ["--yaml", "FIFO"],
      ["--json", "FIFO"], ["--xml", "FIFO"], ["--ini", "DIR/include.ini"], ["--ini", "DIR/value.ini"],
      ["--ini", "DIR/loop.ini"], ["--call-file", "FIFO"],
    ], [["-p", "1"], ["--no-master"]])
  func refused(options: [String], master: [String]) throws {
    let (folder, fifo) = try folder()
    for (name, line) in [("include", "include = "), ("value", "env = A=@("), ("loop", "for-readline = ")] {
      let text = "[server]\n\(line)\(fifo)\(name == "value" ? ")" : "")\n"
      try text.write(toFile: folder.file("\(name).ini"), atomically: false, encoding: .utf8)
    }
    let words = options.map {
      $0.replacing("FIFO", with: fifo).replacing("DIR/", with: folder.path + "/")
    }
    let app = options[0] == "--call-file" ? Array(Self.serving[2...]) : Self.serving
    let (exit, output) = try ServerProcess.run(app + master + words)
    #expect(exit != .status(0) && output.contains(fifo), "\(exit): \(output)")
    if case .signal = exit { Issue.record("\(output)") }
  }

  @Test("a pipe is a configuration, whoever writes it and when")
  func pipes() throws {
    let (folder, fifo) = try folder()
    let text = "[server]\napp = \(Repository.app("environ"))\nhttp-socket = 127.0.0.1:0\nthreads = 7\n"
    try text.write(toFile: folder.file("c.ini"), atomically: false, encoding: .utf8)
    for command in [
      "cat c.ini | \"$0\" --ini /dev/stdin --show-config",
      "\"$0\" --ini <(sleep 0.2; cat c.ini) --show-config",
      "(sleep 0.2; cat c.ini >'\(fifo)') & \"$0\" --ini '\(fifo)' --show-config",
    ] {
      let (exit, output) = try ChildProcess.run(
        "/bin/bash", ["-c", command, Repository.server], directory: folder.path)
      #expect(exit == .status(0) && output.contains("threads = 7"), "\(command): \(output)")
    }
    let (exit, output) = try ServerProcess.run(["--ini", fifo])
    #expect(exit == .status(1) && output.contains("nobody has written into this pipe"), "\(output)")
  }

  @Test("what is neither a file nor a pipe is no configuration", arguments: ["/dev/zero", "/dev/tty", "/"])
  func devices(path: String) throws {
    let (exit, output) = try ServerProcess.run(["--ini", path])
    #expect(exit == .status(1) && output.contains("cannot read \(path)"), "\(output)")
  }
}
