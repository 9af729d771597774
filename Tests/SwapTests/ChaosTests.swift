// What happens to a server from outside: workers killed or stopped, the master killed, no descriptors, no
// room for the log, nobody who reads it. The master stays, and who is not hit is served.
//
// `make swap-proof` lets the killing go on for a minute.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct ChaosTests {
    @Test("workers killed at random under load: only what they had under way is lost")
    func killing() throws {
      let server = try SupervisedServer(Fixture.good, workers: 4, gateways: GatewayRequest.gateways)
      let ledger = try Ledger(server, Ledger.Way.allCases + [.httpFresh, .httpFresh])
      try ledger.waitForAnswers(50)
      let before = try #require(ProcessUsage(server.pid))
      let end = Deadline(seconds: Swaps.isProof ? 60 : 3)
      var kills = 0
      while !end.isOver {
        // A worker is killed when it serves: what the test is about is the requests that it has.
        if let victim = try server.status().serving.randomElement() {
          kill(victim.pid, SIGKILL)
          kills += 1
        }
        usleep(200_000)
      }
      try server.wait(for: "four workers", Deadline(seconds: 60)) { status in
        status.serving.count == 4 && status.respawns == kills
      }
      // The kernel ends the connections of a killed process some time after it.
      try ledger.waitForAnswers(200)
      let lost = ledger.losses
      #expect(lost.allSatisfy { [.reset, .unanswered, .truncated].contains($0.kind) }, "\(lost)")
      #expect(lost.count <= kills * 4, "\(kills) kills, \(lost)")
      try ledger.waitForAnswers(200)
      let report = try ledger.finish()
      #expect(report.losses.count == lost.count && report.duplicates.isEmpty, "\(report)")
      let after = try #require(ProcessUsage(server.pid))
      #expect(after.descriptors <= before.descriptors + 8, "from \(before) to \(after)")
      // A sanitizer keeps what was freed.
      let room = Repository.isSanitized ? 8 : 1
      #expect(after.mappings <= before.mappings + 16 * room, "from \(before) to \(after)")
      #expect(after.resident <= before.resident + 8192 * room, "from \(before) to \(after)")
      print("chaos: \(kills) kills, \(report.answered) answered, \(lost.count) lost; master: \(after)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a stopped worker holds up what it has, and nobody else; a swap goes round it")
    func stopped() throws {
      let server = try SupervisedServer(
        Fixture.good, ["--swap-soak", "0", "--swap-probation", "0", "--worker-reload-mercy", "1"])
      let victim = try server.status().workers[0].pid
      func stop() throws {
        kill(victim, SIGSTOP)
        try Deadline.usual.wait(for: "its stop") { ProcessUsage.state(victim) == "T" ? true : nil }
      }
      try stop()
      // What the kernel has woken it for, others get as well: nobody waits for it.
      for _ in 0..<50 { #expect(try server.answering() == "A 1") }
      kill(victim, SIGCONT)
      #expect(try server.ctl("status").exit == 0)
      try stop()
      try server.install(try Fixture.better)
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 0, "\(output)")
      for _ in 0..<20 { #expect(try server.answering() == "B 2") }
      try server.wait(for: "the end of the stopped worker") { status in
        status.workers.allSatisfy { $0.pid != victim }
      }
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("without their master the workers leave, and a restart binds at once")
    func masterKilled() throws {
      let folder = try TemporaryFolder()
      let port = try FreePort.any()
      let options = ["--http-socket", "127.0.0.1:\(port)"]
      func start() throws -> SupervisedServer {
        try SupervisedServer(Fixture.good, gateways: [], options, folder: folder)
      }
      let first = try start()
      let idle = try RawSocket(.tcp(host: "127.0.0.1", port: port))
      try idle.send("GET /?id=0 HTTP/1.1\r\nHost: a\r\n\r\n")
      _ = try idle.receiveReply()
      let busy = try RawSocket(.tcp(host: "127.0.0.1", port: port))
      try busy.send("GET /stream?id=1 HTTP/1.1\r\nHost: a\r\n\r\n")
      _ = try busy.receive(until: "piece 0\n")
      let workers = try first.status().workers.map(\.pid)
      #expect(try first.server.process.stop(SIGKILL) == .signal(SIGKILL))
      // Its control socket and its pid file are left over: no hindrance.
      let second = try start()
      #expect(try second.answering() == "A 1")
      // What was under way is answered; then they leave, and no idle client holds them up.
      #expect(try busy.receive(until: "end A 1 1\n").contains("piece 15"))
      try Deadline.usual.wait(for: "the workers to leave", output: { first.log }) {
        workers.contains { ProcessUsage.isAlive($0) } ? nil : true
      }
      #expect(try idle.receiveAll().isEmpty)
      #expect(try second.ctl("status").exit == 0)
      #expect(try second.stop() == .status(0), "\(second.log)")
    }

    @Test("without descriptors workers serve those that they have, and then the others; the master swaps")
    func noDescriptors() throws {
      let server = try SupervisedServer(
        Fixture.good, workers: 1, ["--max-fd", "80", "--swap-soak", "0", "--swap-probation", "0"])
      var sockets: [RawSocket] = []
      for _ in 0..<150 { sockets.append(try server.server.connect()) }
      try server.waitForLog("new clients wait in the backlog")
      try server.install(try Fixture.better)
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 0, "\(output)")
      #expect(try server.status().serving.count == 1)
      // The kernel accepted those for which no descriptor was left; each is answered when one is.
      for socket in sockets {
        #expect(try socket.ask("/?id=0").status == 200)
        socket.close()
      }
      #expect(try server.answering() == "B 2")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a log that takes nothing holds up nobody: a full disk, a pipe without a reader, one that is full",
      arguments: ["full", "closed", "stuck"])
    func deadLog(kind: String) throws {
      let folder = try TemporaryFolder()
      var pipes: [Int32] = [-1, -1]
      #expect(pipe(&pipes) == 0)
      defer { for end in pipes where end >= 0 { close(end) } }
      if kind == "closed" {
        close(pipes[0])
        pipes[0] = -1
      }
      if kind == "stuck" {
        _ = fcntl(pipes[1], F_SETFL, O_NONBLOCK)
        while write(pipes[1], [UInt8](repeating: 10, count: 4096), 4096) > 0 {}
        _ = fcntl(pipes[1], F_SETFL, 0)
      }
      let (app, control) = (folder.file("app.so"), folder.file("ctl"))
      let socket = folder.file("http.sock")
      try SupervisedServer.replace(app, with: try Fixture.good)
      var words = [
        "--app", app, "--http-socket", socket, "--control-socket", control, "-p", "2", "--swap-soak", "0",
        "--swap-probation", "0", "--app-option", "ledger=\(folder.file("served"))",
      ]
      if kind == "full" { words += ["--logto", "/dev/full"] }
      // A worker waits for who reads its lines; the master does not.
      if kind == "stuck" { words += ["-L"] }
      // The shell puts the pipe in place of standard error.
      let redirection = kind == "full" ? "exec \"$@\"" : "exec \"$@\" 2>&3"
      let server = try ChildProcess(
        "/bin/sh", ["-c", redirection, "sh", Repository.server] + words, descriptors: [pipes[1]])
      func ask() throws -> String {
        try RawSocket(.unix(path: socket)).ask("/?id=0").text
      }
      func ctl(_ words: String...) throws -> (exit: ChildProcess.Exit, output: String) {
        try ServerProcess.run(["ctl", "--control-socket", control] + words)
      }
      try Deadline.usual.wait(for: "the server", output: { server.output }) { try? ask() }
      for _ in 0..<200 { #expect(try ask().hasPrefix("begin A 1")) }
      try SupervisedServer.replace(app, with: try Fixture.better)
      let swap = try ctl("swap")
      #expect(swap.exit == .status(0), "\(swap.output)")
      for _ in 0..<200 { #expect(try ask().hasPrefix("begin B 2")) }
      // A worker that dies says it to nobody, and has a successor.
      let status = try MasterStatus(try ctl("--json", "status").output)
      kill(status.workers[0].pid, SIGKILL)
      try Deadline.usual.wait(for: "a successor") {
        let now = try MasterStatus(try ctl("--json", "status").output)
        return now.serving.count == 2 && now.respawns == 1 ? true : nil
      }
      #expect(try ask().hasPrefix("begin B 2"))
      #expect(try server.stop() == .status(0))
    }
  }
}
