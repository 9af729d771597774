// `server ctl` and the other ways to ask for a swap: what they do, what they say, how they end.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct SwapTests {
    private func server(_ options: [String] = [], workers: Int? = 2) throws -> SupervisedServer {
      try SupervisedServer(
        Fixture.good, workers: workers, ["--swap-soak", "0", "--swap-probation", "0"] + options)
    }

    @Test("a swap says its steps, ends with 0, and from then on the new build answers")
    func swaps() throws {
      let server = try server()
      #expect(try server.answering() == "A 1")
      try server.install(try Fixture.better)
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 0, "\(output)")
      let lines = output.split(separator: "\n")
      #expect(lines.count >= 3 && lines.last?.hasPrefix("serving ledger generation 2") == true, "\(output)")
      for _ in 0..<20 { #expect(try server.answering() == "B 2") }
      #expect(server.log.contains("swap: serving ledger generation 2"), "\(server.log)")
      let status = try server.status()
      #expect(status.generations == [2] && status.last.contains("generation 2"), "\(status.text)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("the same build again is nothing to do, said so, with 0 and the same workers")
    func sameBuild() throws {
      let server = try server()
      let before = try server.status()
      for words in [["swap"], ["swap", "ledger"], ["swap", "/"]] {
        let (exit, output) = try server.ctl(words, .usual)
        #expect(exit == 0 && output.contains("nothing to do"), "\(output)")
        #expect(output.contains("generation 1"), "\(output)")
      }
      let (exit, json) = try server.ctl("--json", "swap")
      #expect(exit == 0 && json.contains("\"changed\":false"), "\(json)")
      #expect(try server.status().workers == before.workers)
      // The numbers of what was never put to work are free again.
      try server.install(try Fixture.better)
      #expect(try server.ctl("swap").exit == 0)
      #expect(try server.answering() == "B 2")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("an app is named by mount point or name, and FILE takes the place of its path")
    func names() throws {
      let server = try server()
      let other = server.folder.file("other.so")
      try SupervisedServer.replace(other, with: try Fixture.better)
      #expect(try server.ctl("swap", "ledger", other).exit == 0)
      #expect(try server.answering() == "B 2")
      // FILE stays the app's path.
      #expect(try server.ctl("swap", "/").output.contains("nothing to do"))
      #expect(try server.ctl("swap", "/", server.app).exit == 0)
      #expect(try server.answering() == "A 3")
      // With one app its name can be left out.
      #expect(try server.ctl("swap", other).exit == 0)
      #expect(try server.answering() == "B 4")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "what cannot be asked for is refused with 1 and the reason",
      arguments: [
        (["swap", "shop"], "no application `shop`"), (["rollback", "shop"], "no application `shop`"),
        (["generations", "shop"], "no application `shop`"), (["rollback"], "no build to go back to"),
        (["swap", "/", "/nowhere/a.so"], "does not exist"), (["dance"], "dance"),
      ])
    func refusals(words: [String], sentence: String) throws {
      let server = try server(workers: 1)
      let (exit, output) = try server.ctl(words, .usual)
      #expect(exit == 1 && output.contains(sentence), "\(output)")
      #expect(try server.answering() == "A 1")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("one of two apps is swapped and the other left alone")
    func twoApps() throws {
      let folder = try TemporaryFolder()
      let shop = folder.file("shop.so")
      try SupervisedServer.replace(shop, with: try Fixture.good)
      let server = try server(["--mount", "/shop=\(shop)"])
      try SupervisedServer.replace(shop, with: try Fixture.better)
      try server.install(try Fixture.better)
      #expect(try server.ctl("swap", "/shop").exit == 0)
      #expect(try server.get("/shop/?id=0").text.contains("begin B 2"))
      #expect(try server.answering() == "A 1")
      #expect(try server.status().generations.sorted() == [1, 2])
      // Of all: only what has changed.
      #expect(try server.ctl("swap").exit == 0)
      #expect(try server.status().generations == [2, 2])
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("rollback brings the build before back, also when its file is gone")
    func rollback() throws {
      let server = try server()
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
      try server.install(try Fixture.better)
      #expect(try server.ctl("swap").exit == 0)
      try FileManager.default.removeItem(atPath: server.app)
      let (exit, output) = try server.ctl("rollback")
      #expect(exit == 0 && output.contains("serving ledger generation 1"), "\(output)")
      #expect(try server.answering() == "A 1")
      #expect(try server.ctl("rollback", "ledger").exit == 0)
      #expect(try server.answering() == "B 2")
      try ledger.waitForAnswers(20)
      #expect(try ledger.finish().losses.isEmpty)
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("the last three builds are kept and shown, and no copy of the others stays on the disk")
    func generations() throws {
      let server = try server(workers: 1)
      for swap in 2...6 {
        try server.install(try Fixture.ledger("LETTER='\(swap)'"))
        #expect(try server.ctl("swap").exit == 0)
      }
      let (exit, output) = try server.ctl("generations")
      let lines = output.split(separator: "\n")
      #expect(exit == 0 && lines.count == 3, "\(output)")
      #expect(lines.last?.contains("/ generation 6 serving ledger 1") == true, "\(output)")
      #expect(lines.first?.contains("generation 4 retired") == true, "\(output)")
      #expect(try server.ctl("generations", "ledger").output == output)
      let status = try server.wait(for: "old workers to leave") { $0.workers.count == 1 }
      let maps = try #require(ProcessUsage.text(status.workers[0].pid, "maps"))
      let copy = try #require(maps.split(separator: "\n").first { $0.contains("/gen-") })
      let path = try #require(copy.split(separator: " ").last)
      let directory = path.split(separator: "/").dropLast(2).joined(separator: "/")
      let kept = try FileManager.default.contentsOfDirectory(atPath: "/" + directory)
      #expect(kept.count { $0.hasPrefix("gen-") } == 3, "\(kept)")
      #expect(try server.stop() == .status(0), "\(server.log)")
      #expect(!FileManager.default.fileExists(atPath: "/" + directory))
      #expect(!FileManager.default.fileExists(atPath: server.control))
    }

    @Test("swaps asked for at once are carried out one after the other")
    func atOnce() throws {
      let server = try server()
      try server.install(try Fixture.better)
      let asking = try (0..<4).map { _ in
        try ChildProcess(Repository.server, ["ctl", "--control-socket", server.control, "swap"])
      }
      for one in asking { #expect(try one.wait() == .status(0), "\(one.output)") }
      #expect(asking.count { $0.output.contains("nothing to do") } == 3)
      #expect(try server.answering() == "B 2")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("the control socket is the owner's alone, and survives nonsense")
    func controlSocket() throws {
      let server = try server(workers: 1)
      var status = stat()
      #expect(lstat(server.control, &status) == 0 && status.st_mode & 0o777 == 0o600)
      let long = String(repeating: "x", count: 100_000)
      for text in ["", "\n", "swap\n", "text\n", "json \u{1}\n", "text swap %zz %\n", long] {
        let socket = try RawSocket(.unix(path: server.control))
        try socket.send(text)
        socket.endSending()
        _ = try? socket.receiveAll()
      }
      // One that asks and takes no answer, one that asks nothing.
      let mute = try RawSocket(.unix(path: server.control))
      for _ in 0..<50 {
        let socket = try RawSocket(.unix(path: server.control))
        try socket.send("text status\n")
        socket.resetOnClose()
      }
      let (exit, output) = try server.ctl("status")
      #expect(exit == 0, "\(output)")
      mute.close()
      let gone = try ServerProcess.run(["ctl", "--control-socket", "/nowhere/ctl", "status"])
      #expect(gone.exit == .status(1) && gone.output.contains("/nowhere/ctl"), "\(gone.output)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("ctl waits for its turn where the control socket's queue is full")
    func fullQueue() throws {
      let server = try server(workers: 1)
      server.server.process.send(SIGSTOP)
      defer { server.server.process.send(SIGCONT) }
      // One more than the queue has places (listen(2)).
      let waiting = try (0..<17).map { _ in try RawSocket(.unix(path: server.control)) }
      let asking = try ChildProcess(Repository.server, ["ctl", "--control-socket", server.control, "status"])
      try Deadline.usual.wait(for: "a ctl that connects", output: { asking.output }) {
        let place = try String(contentsOfFile: "/proc/\(asking.pid)/wchan", encoding: .utf8)
        return place.hasPrefix("unix_wait") ? () : nil
      }
      server.server.process.send(SIGCONT)
      #expect(try asking.wait() == .status(0), "\(asking.output)")
      waiting.forEach { $0.close() }
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("ctl stop answers what is under way and ends with the server")
    func stop() throws {
      let server = try server()
      let socket = try server.server.connect()
      try socket.send("GET /stream?id=7 HTTP/1.1\r\nHost: localhost\r\n\r\n")
      _ = try socket.receive(until: "piece 0\n")
      let (exit, output) = try server.ctl("stop")
      #expect(exit == 0, "\(output)")
      #expect(try socket.receive(until: "end A 1 7\n").contains("piece 15"))
      #expect(try server.server.process.wait() == .status(0), "\(server.log)")
    }
  }
}
