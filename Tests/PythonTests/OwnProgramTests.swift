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

  @Test("so does that of an environment, which reaches no copy; and --embed stays in the server's own")
  func environment() throws {
    let home = folder.file("venv")
    let (exit, output) = try ChildProcess.run(
      Interpreter.system.path, ["-m", "venv", "--without-pip", home], deadline: Deadline(seconds: 60))
    #expect(exit == .status(0), "\(output)")
    let (marks, control) = (try folder.folder("marks"), folder.file("ctl"))
    try note(in: home, marks)
    let server = try serve(
      ["-p", "1", "-H", home, "--control-socket", control, "--swap-soak", "0", "--swap-probation", "0"])
    let answer = try server.object("/")
    #expect((answer["executable"] as? String)?.hasPrefix("\(home)/bin/python3") == true, "\(answer)")
    #expect(answer["prefix"] as? String == home)
    let swap = try ChildProcess.run(Repository.server, ["ctl", "--control-socket", control, "swap"])
    #expect(swap.exit == .status(0), "\(swap.output)")
    let names = try FileManager.default.contentsOfDirectory(atPath: marks)
    #expect(names.count >= 3, "a worker, the trial and the next worker: \(names)")
    for name in names {
      let open = try String(contentsOfFile: "\(marks)/\(name)", encoding: .utf8)
      #expect(open.isEmpty, "code of the environment could write to \(open)")
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    let embedded = try serve(["-p", "1", "-H", home, "--embed"])
    let inside = try embedded.object("/")
    #expect(inside["prefix"] as? String == home)
    #expect((inside["program"] as? String)?.hasSuffix("/server") == true, "\(inside)")
    #expect(try embedded.stop() == .status(0), "\(embedded.process.output)")
  }

  /// Has an environment run code as soon as its Python starts (`*.pth`), which notes to which files of
  /// private copies it could write.
  private func note(in home: String, _ marks: String) throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: "\(home)/lib")
    let release = try #require(names.first { $0.hasPrefix("python3.") }, "\(names)")
    try folder.write(
      """
      import os
      found = []
      for name in os.listdir('/proc/self/fd'):
          try:
              with open(f'/proc/self/fdinfo/{name}') as info:
                  flags = int(info.read().split('flags:')[1].split()[0], 8)
              place = os.readlink(f'/proc/self/fd/{name}')
          except OSError:
              continue
          if flags & 3 and '/gen-' in place:
              found.append(place)
      with open(f'\(marks)/{os.getpid()}', 'w') as mark:
          mark.write(' '.join(found))

      """, to: "venv/lib/\(release)/site-packages/noting.py")
    try folder.write("import noting\n", to: "venv/lib/\(release)/site-packages/noting.pth")
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

  @Test("a Python of another machine ends the start with a sentence")
  func otherMachine() throws {
    // A program of 64 bits, for a machine that is none.
    let nothing = String(repeating: "\u{0}", count: 9)
    let text =
      "\u{7f}ELF\u{02}\u{01}\u{01}\(nothing)\u{02}\u{0}\u{1}\u{7e}" + String(repeating: nothing, count: 20)
    _ = try folder.folder("bin")
    let program = try folder.program(text, "bin/python3.11")
    let (exit, output) = try ServerProcess.run(
      ["--pythonpath", folder.path, "-w", "inside", "--http-socket", "127.0.0.1:0", "--python", program])
    #expect(exit != .status(0))
    let wanted = "\(program) cannot be started (Exec format error); correct --python, or use --embed"
    #expect(output.contains(wanted), "\(output)")
  }

  @Test("native applications are served beside, by the same worker")
  func beside() throws {
    let server = try serve(["-p", "1", "--mount", "/native=\(Repository.app("hello_world_app"))"])
    #expect(try server.get("/native").status == 200, "\(server.process.output)")
    #expect((try server.object("/")["program"] as? String)?.contains("python3") == true)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
