// The modules of a generation are kept with it: what lies at their paths later does not change what its
// workers run, and going back brings them back.
import Foundation
import Support
import Testing

@Suite(.serialized) struct KeptModulesTests {
  private let folder: TemporaryFolder
  private let project: String

  init() throws {
    folder = try TemporaryFolder()
    project = try folder.folder("project")
  }

  /// A project of every kind of module: a package with modules in it, a namespace, one that is imported by a
  /// call. All versions have the same length, and are written within one tick of what compiled copies are
  /// known by.
  private func install(_ letter: String) throws {
    for place in ["shop", "space/inner"] { _ = try folder.folder("project/\(place)") }
    try write("\(letter) of a module", "plain.py")
    try write("\(letter) of a package", "shop/__init__.py")
    try write("\(letter) in a package", "shop/stock.py")
    try write("\(letter) in a namespace", "space/inner/deep.py")
    try write("\(letter) of a call", "late.py")
    try folder.write(
      """
      import plain, shop, shop.stock, space.inner.deep
      words = [plain.word, shop.word, shop.stock.word, space.inner.deep.word]
      def application(environ, start):
          import late
          start('200 OK', [])
          if environ['PATH_INFO'] == '/raise': late.fail()
          if environ['PATH_INFO'] == '/again':
              import importlib
              importlib.reload(plain)
              return [plain.word.encode()]
          if environ['PATH_INFO'] == '/die':
              import ctypes
              ctypes.string_at(0)
          return ['; '.join(words + [late.word]).encode()]
      """, to: "project/website.py")
  }

  private func write(_ word: String, _ name: String) throws {
    let letter = word.prefix(1)
    try folder.write(
      "word = '\(word)'\ndef fail():\n    raise ValueError('this is \(letter)')  # line of \(letter)\n",
      to: "project/\(name)")
  }

  private func words(_ letter: String) -> String {
    ["of a module", "of a package", "in a package", "in a namespace", "of a call"]
      .map { "\(letter) \($0)" }.joined(separator: "; ")
  }

  private func remove() throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: project) {
      try FileManager.default.removeItem(atPath: "\(project)/\(name)")
    }
  }

  private func serve(_ options: [String] = []) throws -> SupervisedServer {
    try SupervisedServer(
      runtime: ["--pythonpath", project, "-w", "website", "--swap-soak", "0", "-p", "2"] + options,
      gateways: ["http"], folder: folder)
  }

  /// Ends both workers, and waits for others.
  private func replaceWorkers(_ server: SupervisedServer) throws {
    for seat in 0..<2 {
      let before = try server.wait(for: "both workers") { $0.serving.count == 2 }
      kill(before.workers[seat].pid, SIGKILL)
      try server.wait(for: "another worker") { $0.serving.count == 2 && $0.workers != before.workers }
    }
  }

  private func expect(_ letter: String, _ server: SupervisedServer) throws {
    for _ in 0..<6 { #expect(try server.get("/").text == words(letter), "\(server.log)") }
  }

  /// A server of version A, whose workers were replaced when B lay there: they run A like those before.
  private func replaced(
    _ options: [String], installing install: (String) throws -> Void
  ) throws -> SupervisedServer {
    try install("A")
    let server = try serve(["--swap-probation", "0"] + options)
    try expect("A", server)
    try install("B")
    try replaceWorkers(server)
    try expect("A", server)
    return server
  }

  @Test("a worker that is replaced runs the modules of its generation", arguments: [[], ["--preload"]])
  func replaced(options: [String]) throws {
    let server = try replaced(options, installing: install)
    #expect(try server.status().generations == [1])
    try remove()
    try replaceWorkers(server)
    try expect("A", server)
    try install("C")
    #expect(try server.ctl("swap").exit == 0)
    try expect("C", server)
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  /// Compiles what lies in the project, and gives all of it the time that a build that can be repeated does.
  private func compile(_ mode: String) throws {
    let (exit, output) = try ChildProcess.run(
      "/usr/bin/python3",
      [
        "-c",
        """
        import os, sys, py_compile
        for folder, _, names in os.walk(sys.argv[1]):
            for path in [f"{folder}/{one}" for one in names if one.endswith(".py")]:
                os.utime(path, (1600000000, 1600000000))
                mode = getattr(py_compile.PycInvalidationMode, sys.argv[2])
                py_compile.compile(path, doraise=True, invalidation_mode=mode)
        """, project, mode,
      ])
    try #require(exit == .status(0), "\(output)")
  }

  @Test(
    "compiled forms of other texts are not used, whatever time and size they name",
    arguments: ["UNCHECKED_HASH", "CHECKED_HASH", "TIMESTAMP"], [[], ["--preload"]])
  func compiled(mode: String, options: [String]) throws {
    func install(_ letter: String) throws {
      try self.install(letter)
      try compile(mode)
    }
    let server = try replaced(options, installing: install)
    #expect(try server.ctl("swap").exit == 0)
    try expect("B", server)
    #expect(try server.ctl("rollback").exit == 0)
    try expect("A", server)
    try replaceWorkers(server)
    try expect("A", server)
    // What is compiled there is of what lies there.
    let (_, words) = try ChildProcess.run(
      "/usr/bin/python3", ["-c", "import plain, late; print(plain.word, late.word)"], directory: project)
    #expect(words == "B of a module B of a call\n")
    // No new forms: those that lie there are of the text before, and name the same time and size.
    try self.install("C")
    for name in ["plain", "late"] { try touch("\(name).py") }
    #expect(try server.ctl("swap").exit == 0)
    try expect("C", server)
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  private func touch(_ name: String) throws {
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 1_600_000_000)], ofItemAtPath: "\(project)/\(name)")
  }

  @Test("a file that does not come to rest is not copied, and the log names it")
  func restless() throws {
    try install("A")
    let writer = try ChildProcess(
      "/bin/sh", ["-c", "echo begun; while :; do echo \"now = $((n += 1))\" > busy.py; done"],
      directory: project)
    defer { writer.send(SIGKILL) }
    _ = try writer.waitForOutput("the writer") { $0.contains("begun") ? true : nil }
    // The writer may have had no turn while the server looked.
    try Deadline(seconds: 60).wait(for: "a start that finds the file changing") {
      let server = try serve()
      let hasSaid = server.log.contains("\(project)/busy.py changes while it is copied")
      #expect(try server.stop() == .status(0), "\(server.log)")
      return hasSaid ? true : nil
    }
    // One in another tree costs that tree alone.
    let elsewhere = try folder.folder("elsewhere")
    for name in try FileManager.default.contentsOfDirectory(atPath: project) where name != "busy.py" {
      try FileManager.default.moveItem(atPath: "\(project)/\(name)", toPath: "\(elsewhere)/\(name)")
    }
    let other = try SupervisedServer(
      runtime: [
        "--pythonpath", elsewhere, "--pythonpath", project, "-w", "website", "--swap-soak", "0", "-p", "2",
      ], gateways: ["http"], folder: try TemporaryFolder())
    #expect(!other.log.contains("no copies of the modules"), "\(other.log)")
    try expect("A", other)
    #expect(try other.stop() == .status(0), "\(other.log)")
  }

  @Test("going back brings modules back whose files are others or gone", arguments: [[], ["--preload"]])
  func rollback(options: [String]) throws {
    try install("A")
    let server = try serve(["--swap-probation", "0"] + options)
    try install("B")
    #expect(try server.ctl("swap").exit == 0)
    try expect("B", server)
    let generations = try server.ctl("generations").output
    let builds = generations.matches(of: /build [0-9a-f]{12}/).map { String($0.output) }
    #expect(builds.count == 2 && Set(builds).count == 2, "\(generations)")
    try remove()
    let (exit, output) = try server.ctl("rollback")
    #expect(exit == 0, "\(output)")
    try expect("A", server)
    try replaceWorkers(server)
    try expect("A", server)
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("a version that crashes on probation is taken back")
  func takenBack() throws {
    try install("A")
    let server = try serve(["--swap-probation", "60"])
    try install("B")
    #expect(try server.ctl("swap").exit == 0)
    try expect("B", server)
    _ = try? server.get("/die")
    // The record says so at once; its workers come one after the other.
    try server.wait(for: "the version before") {
      $0.serving.count == 2 && $0.workers.allSatisfy { $0.generations == [1] }
    }
    try expect("A", server)
    #expect(server.log.contains("is taken back"), "\(server.log)")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("a new master goes on with what was kept")
  func upgrade() throws {
    try install("A")
    let server = try serve(["--swap-probation", "0"])
    try install("B")
    #expect(try server.ctl("swap").exit == 0)
    try install("C")
    let (exit, output) = try server.ctl("upgrade")
    #expect(exit == 0, "\(output)")
    try expect("B", server)
    #expect(try server.ctl("rollback").exit == 0)
    try expect("A", server)
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("a traceback shows the lines that run")
  func traceback() throws {
    try install("A")
    let server = try serve()
    try install("B")
    #expect(try server.get("/raise").status == 500)
    try server.wait(for: "the traceback") { _ in server.log.contains("this is A") }
    #expect(server.log.contains("# line of A") && !server.log.contains("# line of B"), "\(server.log)")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("what an application loads again itself is what lies there")
  func again() throws {
    try install("A")
    let server = try serve(["-p", "1"])
    try install("B")
    #expect(try server.get("/again").text == "B of a module")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("a script of any name is kept, with what lies beside it")
  func script() throws {
    try install("A")
    try FileManager.default.copyItem(atPath: "\(project)/website.py", toPath: "\(project)/website.wsgi")
    let server = try SupervisedServer(
      runtime: ["--wsgi-file", "\(project)/website.wsgi", "-p", "2", "--swap-probation", "0"],
      gateways: ["http"], folder: folder)
    try expect("A", server)
    try remove()
    try replaceWorkers(server)
    try expect("A", server)
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("what is too much to be kept is said once, and going back is refused")
  func tooMuch() throws {
    try install("A")
    let padding = "#" + String(repeating: " ", count: 20 << 20) + "\n"
    for name in ["one.py", "two.py"] { try folder.write(padding, to: "project/\(name)") }
    let server = try serve(["--swap-probation", "0"])
    let sentence = "no copies of the modules of website are kept (its modules come to more than 32 MiB)"
    #expect(server.log.contains(sentence), "\(server.log)")
    try install("B")
    #expect(try server.ctl("swap").exit == 0)
    try expect("B", server)
    let (exit, output) = try server.ctl("rollback")
    #expect(exit == 1 && output.contains("of were not kept"), "\(output)")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("virtual environments and packages of others in the project are not copied")
  func foreign() throws {
    try install("A")
    for place in ["env/lib", "node_modules", "site-packages", ".hidden"] {
      _ = try folder.folder("project/\(place)")
      try folder.write("#" + String(repeating: " ", count: 20 << 20), to: "project/\(place)/large.py")
      try folder.write("#" + String(repeating: " ", count: 20 << 20), to: "project/\(place)/larger.py")
    }
    try folder.write("home = /usr/bin\n", to: "project/env/pyvenv.cfg")
    // An archive is not copied, which is said.
    try folder.write("PK", to: "more.zip")
    let server = try serve(["--pythonpath", folder.file("more.zip"), "--chdir", project])
    #expect(!server.log.contains("no copies of the modules"), "\(server.log)")
    let leftOut = "the archive \(folder.file("more.zip"))"
    #expect(server.log.contains("after a rollback too: \(leftOut)"), "\(server.log)")
    try expect("A", server)
    #expect(try server.stop() == .status(0), "\(server.log)")
  }
}
