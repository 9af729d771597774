// `import uwsgi` where the application is loaded once, in a zygote, before there are workers.
import Foundation
import Support
import Testing

@Suite struct UWSGIPreloadTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write("0", to: "sum")
  }

  private func serve(_ words: String, python: Interpreter = .system) throws -> SupervisedServer {
    try folder.write(
      """
      [uwsgi]
      site = shop
      pythonpath = \(Python.folder)
      module = uwsgi_preloaded
      env = MARKS=\(folder.path)
      master = true
      processes = 3
      threads = 2
      cache2 = name=pages,items=100
      \(words)

      """, to: "app.ini")
    return try SupervisedServer(
      runtime: ["--ini", folder.file("app.ini")] + python.options, workers: 3, folder: folder)
  }

  private func marks(_ name: String) -> [pid_t] {
    let text = (try? String(contentsOfFile: folder.file(name), encoding: .utf8)) ?? ""
    return text.split(separator: "\n").compactMap { pid_t($0) }
  }

  /// What each worker answers, by its process.
  private func answers(_ server: SupervisedServer) throws -> [pid_t: [String: Any]] {
    var found: [pid_t: [String: Any]] = [:]
    try Deadline.usual.wait(for: "an answer of each worker", output: { server.log }) {
      let answer = try server.server.object("/")
      found[pid_t(try #require(answer["pid"] as? Int))] = answer
      return found.count == 3 ? true : nil
    }
    return found
  }

  @Test(
    "it is loaded once, with its options at hand; what belongs to a worker is each one's own",
    arguments: Interpreter.all)
  func once(_ python: Interpreter) throws {
    let server = try serve("", python: python)
    let zygote = try #require(try server.status().zygotes.first).pid
    let answers = try answers(server)
    #expect(Set(answers.values.compactMap { $0["worker"] as? Int }) == [1, 2, 3])
    for (pid, answer) in answers {
      let loaded = try #require(answer["import"] as? [String: Any])
      #expect(loaded["pid"] as? Int == Int(zygote) && loaded["worker"] as? Int == 0, "\(loaded)")
      #expect(loaded["site"] as? String == "shop" && loaded["numproc"] as? Int == 3)
      #expect(loaded["master"] as? Int == Int(server.pid) && loaded["lazy"] as? Bool == false)
      #expect(loaded["cached"] as? Bool == true && loaded["logvar"] is NSNull)
      #expect((loaded["reload"] as? String)?.contains("no master") == true, "\(loaded)")
      #expect(loaded["threads"] as? Int == 1, "\(loaded)")
      let forked = try #require(answer["forked"] as? [[Int]])
      #expect(forked == [[Int(pid), try #require(answer["worker"] as? Int)]])
    }
    #expect(Set(marks("postfork")) == Set(answers.keys) && marks("postfork").count == 3)
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("files that it opens while it is loaded are what they were, in each worker")
  func files() throws {
    try folder.write(
      """
      import os, uwsgi
      here = os.environ['MARKS']
      for number in range(12):
        with open(f'{here}/file{number}', 'w') as file: file.write(str(number))
      files = [open(f'{here}/file{number}') for number in range(12)]
      def application(environ, start):
        start('200 OK', [])
        return [' '.join(os.pread(file.fileno(), 8, 0).decode() for file in files).encode()]

      """, to: "opens.py")
    try folder.write(
      """
      [uwsgi]
      pythonpath = \(folder.path)
      module = opens
      env = MARKS=\(folder.path)
      master = true
      processes = 2

      """, to: "app.ini")
    let server = try SupervisedServer(runtime: ["--ini", folder.file("app.ini")], folder: folder)
    let numbers = (0..<12).map { "\($0)" }.joined(separator: " ")
    for _ in 0..<6 { #expect(try server.get("/").text == numbers, "\(server.log)") }
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("locks, signals and timers are those of all workers, and none of the zygote")
  func together() throws {
    let server = try serve("")
    let workers = Set(try answers(server).keys)
    let sockets = try (0..<6).map { _ in
      let socket = try server.server.connect()
      try socket.send("GET /sum HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      return socket
    }
    for socket in sockets { #expect(try socket.receiveReply().text == "true") }
    #expect(try String(contentsOfFile: folder.file("sum"), encoding: .utf8) == "300", "\(server.log)")
    #expect(try server.get("/signal").text == "true")
    try Deadline.usual.wait(for: "the signal in all workers", output: { server.log }) {
      Set(marks("heard")) == workers ? true : nil
    }
    // The clock goes on with another worker when the one that has it dies.
    try Deadline.usual.wait(for: "the timer") { marks("timer").count >= 2 ? true : nil }
    let keeper = try #require(marks("timer").last)
    #expect(workers.contains(keeper))
    kill(keeper, SIGKILL)
    try Deadline.usual.wait(for: "the timer in another worker", output: { server.log }) {
      marks("timer").last != keeper ? true : nil
    }
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test(
    "what is cached while it is loaded is for all workers, once: a worker that follows brings nothing back")
  func cache() throws {
    let server = try serve("")
    for pid in try answers(server).keys { _ = pid }
    #expect(try server.get("/get?loaded").text == "\"once\"", "\(server.log)")
    #expect(try server.get("/get?short").text == "\"lived\"")
    #expect(try server.get("/del?loaded").text == "true")
    let killed = try server.status().serving.map(\.pid)
    for pid in killed { kill(pid, SIGKILL) }
    try server.wait(for: "other workers") {
      $0.serving.count == 3 && Set($0.serving.map(\.pid)).isDisjoint(with: killed)
    }
    for _ in 0..<6 { #expect(try server.get("/get?loaded").text == "null", "\(server.log)") }
    #expect(marks("postfork").count == 6)
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("it has the title of a helper, as the workers have theirs")
  func title() throws {
    let server = try serve("auto-procname = true\nprocname-prefix = 1 shop:")
    func title(_ pid: pid_t) -> String {
      let bytes = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
      return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self).trimmingCharacters(in: .whitespaces)
    }
    let status = try server.status()
    #expect(title(try #require(status.zygotes.first).pid) == "1 shop:uWSGI zygote")
    #expect(Set(status.workers.map { title($0.pid) }) == Set((1...3).map { "1 shop:uWSGI worker \($0)" }))
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("each worker loads it itself with lazy-apps, and says so")
  func lazy() throws {
    let server = try serve("lazy-apps = true")
    #expect(try server.status().zygotes.isEmpty)
    for (pid, answer) in try answers(server) {
      let loaded = try #require(answer["import"] as? [String: Any])
      #expect(loaded["pid"] as? Int == Int(pid) && loaded["lazy"] as? Bool == true)
      #expect(loaded["worker"] as? Int == answer["worker"] as? Int)
    }
    #expect(try server.stop() == .status(0), "\(server.log)")
  }
}
