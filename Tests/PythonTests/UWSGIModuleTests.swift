// `import uwsgi` and `uwsgidecorators` in a server with several workers, in the interpreter's program and in
// the server's own.
import Foundation
import Support
import Testing

/// A server for Tests/Fixtures/python/uwsgi_app.py, under a file in uWSGI's words.
struct ModuleServer {
  let folder: TemporaryFolder
  let server: ServerProcess
  var log: String { server.process.output }

  init(_ options: [String] = [], workers: Int = 2, ini: String = "") throws {
    folder = try TemporaryFolder()
    let marks = try folder.folder("marks")
    try folder.write("0", to: "marks/watched")
    try folder.write("0", to: "marks/sum")
    for path in [marks, folder.file("marks/sum"), folder.file("marks/watched")] { chmod(path, 0o777) }
    chmod(folder.path, 0o755)
    try folder.write(
      """
      [uwsgi]
      site = shop
      pythonpath = \(Python.folder)
      module = uwsgi_app
      env = MARKS=\(marks)
      master = true
      enable-threads = true
      processes = \(workers)
      threads = 4
      custom-key = one
      custom-key = two
      vacuum = true
      cache2 = name=pages,items=100,blocksize=4096,keysize=64
      cache2 = name=lru,items=10,blocksize=64,purge_lru=1
      log-format = LINE %(uri) tenant=%(logvar.tenant) other=%(logvar.other) ioerr=%(ioerr)
      \(ini)
      """ + "\n", to: "app.ini")
    server = try ServerProcess(
      app: nil, ["--ini", folder.file("app.ini"), "--http-socket", "127.0.0.1:0"] + options)
  }

  /// What the application answers, as JSON has it.
  func ask(_ target: String) throws -> Any {
    let reply = try server.get(target)
    guard reply.status == 200 else { throw SupportError.malformedReply("\(reply)\n\(log)") }
    return try JSONSerialization.jsonObject(with: Data(reply.body), options: .fragmentsAllowed)
  }

  func text(_ target: String) throws -> String { "\(try ask(target))" }

  func facts() throws -> [String: Any] { try #require(try ask("/facts") as? [String: Any]) }

  /// The lines that handlers have written into a file: the number of a process, and a text.
  func marks(_ name: String) -> [(pid: pid_t, text: String)] {
    let text = (try? String(contentsOfFile: folder.file("marks/\(name)"), encoding: .utf8)) ?? ""
    return text.split(separator: "\n").compactMap { line in
      let parts = line.split(separator: " ", maxSplits: 1)
      return pid_t(parts[0]).map { ($0, parts.count > 1 ? String(parts[1]) : "") }
    }
  }

  /// Waits for so many of them.
  @discardableResult
  func wait(for name: String, _ count: Int = 1) throws -> [(pid: pid_t, text: String)] {
    try Deadline.usual.wait(for: "\(count) marks \(name)", output: { log }) {
      let found = marks(name)
      return found.count >= count ? found : nil
    }
  }

  /// The processes of all workers, found by asking until each has answered.
  func pids(_ count: Int = 2) throws -> [Int: pid_t] {
    var found: [Int: pid_t] = [:]
    try Deadline.usual.wait(for: "an answer of each worker", output: { log }) {
      let facts = try self.facts()
      if let worker = facts["worker"] as? Int, let pid = facts["pid"] as? Int { found[worker] = pid_t(pid) }
      return found.count == count ? () : nil
    }
    return found
  }

  func stop() throws {
    #expect(try server.stop() == .status(0), "\(log)")
  }
}

@Suite struct UWSGIModuleTests {
  static let hostings = [[String](), ["--embed"]]

  @Test(
    "its parts do what their names say, over memory that anybody has written into",
    arguments: ["uwsgi_test", "uwsgi_cache_test"])
  func units(_ file: String) throws {
    let folder = try TemporaryFolder()
    let (exit, output) = try ChildProcess.run(
      "/usr/bin/python3",
      [
        "-B", "-W", "error", "\(Python.folder)/\(file).py", "\(Repository.root)/Plugins/python3/uwsgi",
        folder.path,
      ], deadline: Deadline(seconds: 120))
    #expect(exit == .status(0), "\(output)")
    #expect(output.contains("\nOK"), "\(output)")
  }

  @Test("it says who and what the workers are", arguments: hostings)
  func facts(_ hosting: [String]) throws {
    let site = try ModuleServer(hosting)
    let pids = try site.pids()
    #expect(Set(pids.keys) == [1, 2] && Set(pids.values).count == 2)
    let facts = try site.facts()
    #expect(facts["master"] as? Int == Int(site.server.process.pid))
    #expect(facts["parent"] as? Int == Int(site.server.process.pid))
    #expect(facts["numproc"] as? Int == 2 && facts["mule"] as? Int == 0)
    #expect(facts["loaded"] as? Bool == true && facts["spooler"] as? Bool == false)
    // One with the Address Sanitizer in it is Python's program itself.
    let isEmbedded = !hosting.isEmpty || Repository.isAddressSanitized
    #expect((facts["program"] as? String)?.hasSuffix("/server") == isEmbedded)
    let options = try #require(facts["opt"] as? [String: Any])
    #expect(options["site"] as? String == "b'shop'")
    #expect(options["custom-key"] as? String == "[b'one', b'two']")
    #expect(options["processes"] as? String == "b'2'")
    for name in ["master", "enable-threads"] { #expect(options[name] as? Bool == true) }
    // In the interpreter's program it is loaded once, before there are workers.
    #expect((options["lazy-apps"] as? Bool == true) == isEmbedded)
    let workers = try #require(try site.ask("/workers") as? [[String: Any]])
    #expect(workers.map { $0["pid"] as? Int } == [1, 2].map { pids[$0].map(Int.init) })
    #expect(workers.reduce(0) { $0 + ($1["requests"] as? Int ?? 0) } >= 3, "\(workers)")
    #expect(workers.contains { $0["status"] as? String == "busy" }, "\(workers)")
    #expect((try site.ask("/total") as? Int ?? 0) >= 4)
    #expect((try site.ask("/mem") as? [Int])?.allSatisfy { $0 > 1 << 20 } == true)
    _ = try site.ask("/log")
    #expect(site.log.contains("info: said \\x1b[31m to uwsgi") || site.log.contains("said "))
    #expect(!site.log.contains("\u{1b}"))
    try site.stop()
    #expect(Set(site.marks("exit").map(\.pid)) == Set(pids.values))
  }

  @Test("hostile values are refused with a sentence, and what is not there says what to use")
  func refusals() throws {
    let site = try ModuleServer()
    let found = try #require(try site.ask("/refusals") as? [String])
    #expect(found.count == 43)
    for (index, name) in found.enumerated() {
      let isKnown = [
        "TypeError", "ValueError", "RuntimeError", "NotImplementedError", "AttributeError", "OSError",
      ].contains(name)
      #expect(isKnown, "\(index): \(name)")
    }
    #expect(found.suffix(11).dropLast(2).allSatisfy { $0 == "NotImplementedError" }, "\(found)")
    try site.stop()
  }

  @Test("a cache is that of all workers", arguments: hostings)
  func cache(_ hosting: [String]) throws {
    let site = try ModuleServer(hosting)
    #expect(try site.text("/cache/set/k/v") == "True")
    for _ in 0..<20 { #expect(try site.text("/cache/get/k") == "b'v'") }
    for _ in 0..<20 { #expect(try site.text("/cache/inc/hits") == "True") }
    #expect(try site.text("/cache/num/hits") == "20")
    #expect(try site.text("/cache/set/k/w") == "None")
    #expect(try site.text("/cache/exists/k") == "True")
    #expect(try site.text("/cache/update/short/v/1") == "True")
    try Deadline.usual.wait(for: "the end of an entry") {
      try site.text("/cache/get/short") == "None" ? () : nil
    }
    for number in 0..<15 { #expect(try site.text("/cache/update/k\(number)/x/0/lru") == "True") }
    #expect(try site.text("/cache/keys/lru").split(separator: ",").count == 10)
    // What a worker has written stays when it is killed, and others go on.
    let pids = try site.pids()
    for pid in pids.values { kill(pid, SIGKILL) }
    try Deadline.usual.wait(for: "new workers", output: { site.log }) {
      (try? site.text("/cache/get/k")) == "b'v'" ? () : nil
    }
    #expect(try site.text("/cache/del/k") == "True" && site.text("/cache/clear") == "True")
    #expect(try site.text("/cache/get/k") == "None")
    try site.stop()
  }

  @Test("a lock is that of all workers, and a killed worker does not keep it", arguments: hostings)
  func lock(_ hosting: [String]) throws {
    let site = try ModuleServer(hosting)
    let several = try (0..<8).map { _ in
      let socket = try site.server.connect()
      try socket.send("GET /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      return socket
    }
    for socket in several { #expect(try socket.receiveReply().status == 200) }
    #expect(
      try String(contentsOfFile: site.folder.file("marks/sum"), encoding: .utf8) == "400", "\(site.log)")
    // Held by a worker that is killed.
    let holder = try site.server.connect()
    try holder.send("GET /hold/7/1000 HTTP/1.1\r\nHost: x\r\n\r\n")
    let held = try site.wait(for: "held")
    kill(held[0].pid, SIGKILL)
    #expect(try site.text("/hold/7/0") == "1")
    try site.stop()
  }

  @Test("signals come to the worker that is meant, timers go on when a worker dies", arguments: hostings)
  func signals(_ hosting: [String]) throws {
    let site = try ModuleServer(hosting)
    let pids = try site.pids()
    for _ in 0..<6 { _ = try site.ask("/signal/40") }
    #expect(try site.wait(for: "any", 6).allSatisfy { $0.text == "40" })
    _ = try site.ask("/signal/41")
    #expect(Set(try site.wait(for: "all", 2).map(\.pid)) == Set(pids.values))
    for _ in 0..<3 { _ = try site.ask("/signal/42") }
    #expect(Set(try site.wait(for: "second", 3).map(\.pid)) == [try #require(pids[2])])
    _ = try site.ask("/signal/43")
    try site.wait(for: "fails")
    try Deadline.usual.wait(for: "a line", output: { site.log }) {
      site.log.contains("the handler of signal 43 failed:") ? () : nil
    }
    // One at a time, in whichever worker.
    for _ in 0..<4 { _ = try site.ask("/signal/44") }
    try site.wait(for: "end", 4)
    #expect(site.marks("begin").count == 4)
    #expect(try site.text("/signal/45") == "1")
    try Deadline.usual.wait(for: "a line", output: { site.log }) {
      site.log.contains("signal 45 has no handler") ? () : nil
    }
    try site.folder.write("1 and more", to: "marks/watched")
    try site.wait(for: "filemon")
    #expect(try site.text("/thread") == "beside")
    try site.wait(for: "thread")
    try site.wait(for: "timer", 3)
    // Whoever has the clock: it is one of these.
    for pid in pids.values { kill(pid, SIGKILL) }
    let before = site.marks("timer").count
    let after = try site.wait(for: "timer", before + 3)
    #expect(after.suffix(1).allSatisfy { !pids.values.contains($0.pid) })
    #expect(site.marks("rbtimer").count == 2)
    try site.stop()
  }

  @Test("an application sets variables of its line, and the time of its request", arguments: hostings)
  func requests(_ hosting: [String]) throws {
    let site = try ModuleServer(hosting)
    let noted = try site.ask("/logvar?a%22%0ab%01%ff") as? [String]
    #expect(noted == [#"b'a"\nb\x01\xff'"#, "b'twice'", "None"], "\(String(describing: noted))")
    try Deadline.usual.wait(for: "its line", output: { site.log }) {
      site.log.contains("other=twice ioerr=0") ? () : nil
    }
    #expect(site.log.contains(#"tenant=a\x22\x0ab\x01\xff other=twice"#), "\(site.log)")
    #expect(try site.text("/harakiri/5/0.1") == "1")
    #expect(try site.text("/harakiri/1/1.6/0") == "1")
    #expect(try site.server.get("/harakiri/1/60").status == 504)
    #expect(try site.text("/decorated") == "1")
    try site.stop()
  }

  @Test("a reload that an application asks for replaces all workers, and one that asks often is heard once")
  func reload() throws {
    let site = try ModuleServer()
    let before = try site.pids()
    for _ in 0..<10 { #expect(try site.text("/reload") == "1") }
    try Deadline.usual.wait(for: "new workers", output: { site.log }) {
      Set(try site.pids().values).isDisjoint(with: Set(before.values)) ? () : nil
    }
    let asked = site.log.components(separatedBy: "asks for a reload: the application asks for it").count - 1
    #expect((1...4).contains(asked), "\(site.log)")
    try site.stop()
  }

  @Test("without a master it is there too, but for what takes one")
  func plain() throws {
    let site = try ModuleServer(["--no-master"], workers: 1, ini: "")
    let facts = try site.facts()
    #expect(facts["master"] as? Int == 0 && facts["worker"] as? Int == 1)
    #expect((facts["opt"] as? [String: Any])?["master"] == nil)
    #expect(try site.text("/cache/set/k/v") == "True" && site.text("/cache/get/k") == "b'v'")
    _ = try site.ask("/signal/40")
    try site.wait(for: "any")
    try site.wait(for: "timer", 1)
    #expect(try site.server.get("/reload").status == 500)
    try site.stop()
  }

  @Test("without a cache there are no functions for one, and in our own words there is no module")
  func gates() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      """
      def application(environ, start):
          start('200 OK', [])
          try:
              import uwsgi
          except ImportError as error:
              return [str(error).encode()]
          try:
              uwsgi.cache_get('k')
          except AttributeError as error:
              return [str(error).encode()]

      """, to: "gates.py")
    let words = ["-p", "1", "--pp", folder.path, "-w", "gates", "-L", "--http-socket", "127.0.0.1:0"]
    for (options, answer) in [
      ([], "No module named 'uwsgi'"), (["--uwsgi-module"], "uwsgi.cache_get needs a cache: add cache2 ="),
    ] {
      let server = try ServerProcess(app: nil, words + options)
      #expect(try server.get("/").text.contains(answer), "\(server.process.output)")
      #expect(try server.stop() == .status(0))
    }
  }

  @Test("workers of another user have it as well")
  func user() throws {
    try #require(getuid() == 0, "only root can change its user: run the tests as root, or with sudo")
    for hosting in Self.hostings {
      let site = try ModuleServer(hosting + ["--uid", "nobody", "--gid", "nogroup"])
      #expect(try site.text("/cache/set/k/v") == "True" && site.text("/cache/get/k") == "b'v'")
      #expect(try site.text("/reload") == "1")
      try Deadline.usual.wait(for: "a reload", output: { site.log }) {
        site.log.contains("asks for a reload") ? () : nil
      }
      try site.stop()
    }
  }
}
