// The interpreter's own program as the worker.
import Foundation
import Support
import Testing

@Suite struct OwnProgramTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write(Self.application, to: "inside.py")
  }

  private static let application = """
    import json, os, sys, threading
    imported = threading.current_thread() is threading.main_thread()
    def application(environ, start):
      start('200 OK', [('Content-Type', 'application/json')])
      here = threading.current_thread() is threading.main_thread()
      return [json.dumps({'program': os.path.realpath('/proc/self/exe'), 'executable': sys.executable,
        'argv': sys.argv, 'imported': imported, 'here': here, 'path': sys.path[0],
        'home': os.environ.get('A'),
        'prefix': sys.prefix, 'multithread': environ['wsgi.multithread']}).encode()]

    """

  private func serve(
    _ options: [String], environment: [String: String] = [:]
  ) throws -> ServerProcess {
    try ServerProcess(
      app: nil,
      ["--master", "--pythonpath", folder.path, "-w", "inside", "-L", "--http-socket", "127.0.0.1:0"]
        + options,
      environment: environment)
  }

  @Test("a worker is the program of the Python that was named", arguments: Interpreter.all)
  func isTheProgram(python: Interpreter) throws {
    let server = try serve(["-p", "2", "--pyargv", "a b", "--env", "A=1"] + python.options)
    for _ in 0..<4 {
      let answer = try server.object("/")
      #expect(
        answer["program"] as? String == Repository.realPath(python.path), "\(answer)")
      #expect(answer["argv"] as? [String] == ["server", "a", "b"])
      #expect(answer["path"] as? String == folder.path)
      #expect(answer["home"] as? String == "1")
      #expect(answer["imported"] as? Bool == true)
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("so does that of an environment, and --embed stays in the server's own")
  func environment() throws {
    let home = folder.file("venv")
    let (exit, output) = try ChildProcess.run(
      Interpreter.system.path, ["-m", "venv", "--without-pip", home], deadline: Deadline(seconds: 60))
    #expect(exit == .status(0), "\(output)")
    let server = try serve(["-p", "1", "-H", home])
    let answer = try server.object("/")
    #expect((answer["executable"] as? String)?.hasPrefix("\(home)/bin/python3") == true, "\(answer)")
    #expect(answer["prefix"] as? String == home)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    let embedded = try serve(["-p", "1", "-H", home, "--embed"])
    let inside = try embedded.object("/")
    #expect(inside["prefix"] as? String == home)
    #expect((inside["program"] as? String)?.hasSuffix("/server") == true, "\(inside)")
    #expect(try embedded.stop() == .status(0), "\(embedded.process.output)")
  }

  @Test("with one thread all is done on the program's first one")
  func oneThread() throws {
    let server = try serve(["-p", "1", "--threads", "1"])
    for _ in 0..<20 {
      let answer = try server.object("/")
      #expect(answer["here"] as? Bool == true && answer["imported"] as? Bool == true)
      #expect(answer["multithread"] as? Bool == false)
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("nothing of the environment runs before the change of user")
  func user() throws {
    try #require(getuid() == 0, "only root can change its user: run the tests as root, or with sudo")
    let marks = try folder.folder("marks")
    chmod(folder.path, 0o755)
    chmod(marks, 0o777)
    try folder.write(
      "import os\nwho = os.getuid(), os.getgid(), os.getgroups()\n"
        + "open(f'\(marks)/{os.getpid()}', 'w').write('%d %d %s' % who)\n",
      to: "sitecustomize.py")
    let server = try serve(
      ["-p", "2", "--uid", "nobody", "--gid", "nogroup"], environment: ["PYTHONPATH": folder.path])
    _ = try server.object("/")
    // Nobody but root can trace them, or read their memory.
    let workers = try ChildProcess.run("/bin/ps", ["-o", "pid=", "--ppid", "\(server.process.pid)"]).output
      .split(whereSeparator: \.isWhitespace)
    for worker in workers {
      var status = stat()
      #expect(stat("/proc/\(worker)/environ", &status) == 0 && status.st_uid == 0, "\(worker)")
    }
    #expect(workers.count >= 2)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    let names = try FileManager.default.contentsOfDirectory(atPath: marks)
    #expect(names.count >= 2, "\(names)")
    for name in names {
      let found = try String(contentsOfFile: "\(marks)/\(name)", encoding: .utf8)
      #expect(found.hasPrefix("65534 65534 ") && !found.contains("[0"), "\(found)")
    }
  }

  @Test("a program that is no Python, or does not load the server, ends the start with a sentence")
  func noPython() throws {
    let program = try folder.folder("bin") + "/python3.11"
    // By another process: a child that a test starts while this one writes would hold the file open, and what
    // is open for writing cannot be executed.
    let copied = try ChildProcess.run("/usr/bin/install", ["-m", "755", "/bin/false", program])
    #expect(copied.exit == .status(0), "\(copied.output)")
    let (exit, output) = try ServerProcess.run(
      ["--pythonpath", folder.path, "-w", "inside", "--http-socket", "127.0.0.1:0", "--python", program])
    #expect(exit != .status(0))
    let lines = output.split(separator: "\n").filter { !$0.contains("apps run as root") }
    #expect(lines.count == 1 && lines[0].hasPrefix("server: "), "\(output)")
    #expect(output.contains("exit code 1"), "\(output)")
  }

  @Test("native applications are served beside, by the same worker")
  func beside() throws {
    let server = try serve(["-p", "1", "--mount", "/native=\(Repository.app("hello_world_app"))"])
    #expect(try server.get("/native").status == 200, "\(server.process.output)")
    #expect((try server.object("/")["program"] as? String)?.contains("python3") == true)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
