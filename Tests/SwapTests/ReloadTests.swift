// Signals, files and the configuration as ways to a swap.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct ReloadTests {
    private static let quick = ["--swap-soak", "0", "--swap-probation", "0"]

    @Test("SIGHUP swaps every app and loses nothing")
    func hangUp() throws {
      let server = try SupervisedServer(Fixture.good, gateways: GatewayRequest.gateways, Self.quick)
      let ledger = try Ledger(server)
      try ledger.waitForAnswers(20)
      try server.install(try Fixture.better)
      server.server.process.send(SIGHUP)
      try server.wait(for: "the new build") { $0.generations == [2] }
      ledger.expect(generation: 2)
      try ledger.waitForAnswers(50)
      let report = try ledger.finish()
      #expect(report.losses.isEmpty && report.duplicates.isEmpty, "\(report)")
      #expect(try server.answering() == "B 2")
      // A bad build leaves what serves.
      try server.install(try FixtureApp.path("no_entry"))
      server.server.process.send(SIGHUP)
      try server.waitForLog("reload refused: ")
      #expect(try server.answering() == "B 2")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("touching the file of --touch-reload swaps")
    func touchReload() throws {
      let folder = try TemporaryFolder()
      try folder.write("", to: "reload")
      let server = try SupervisedServer(
        Fixture.good, Self.quick + ["--touch-reload", folder.file("reload")])
      try server.install(try Fixture.better)
      utimes(folder.file("reload"), nil)
      try server.wait(for: "the new build") { $0.generations == [2] }
      #expect(try server.answering() == "B 2")
      // Written anew, and made anew.
      try server.install(try Fixture.good)
      try folder.write("again", to: "reload")
      try server.wait(for: "the new build") { $0.generations == [3] }
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("files that are touched at once ask for one reload; what was taken out asks for none")
    func manyFiles() throws {
      let folder = try TemporaryFolder()
      let files = (1...4).map { folder.file("touch\($0)") }
      for number in 1...4 { try folder.write("", to: "touch\(number)") }
      let ini = try folder.write(
        "[server]\n" + files.map { "touch-reload = \($0)\n" }.joined()
          + "touch-logreopen = \(files[3])\n", to: "server.ini")
      let server = try SupervisedServer(Fixture.good, Self.quick + ["--ini", ini], folder: folder)
      func touch() throws { #expect(try ChildProcess.run("/usr/bin/touch", files).exit == .status(0)) }
      func reloads() -> Int { server.log.split(separator: "\n").count { $0.contains("info: reload: ") } }
      try touch()
      try server.waitForLog("info: reload: ")
      try server.waitForLog("logs are opened again (--touch-logreopen)")
      #expect(try server.ctl("reload").exit == 0)
      #expect(reloads() == 2, "\(server.log)")
      try folder.write("[server]\n", to: "server.ini")
      #expect(try server.ctl("reload").exit == 0)
      try touch()
      // The next look at the files comes after that.
      try folder.write("[server]\ntouch-reload = \(folder.file("other"))\n", to: "server.ini")
      try folder.write("", to: "other")
      #expect(try server.ctl("reload").exit == 0)
      let before = reloads()
      #expect(before == 4, "\(server.log)")
      utimes(folder.file("other"), nil)
      try Deadline.usual.wait(for: "the reload", output: { server.log }) { reloads() > before ? () : nil }
      #expect(reloads() == before + 1, "\(server.log)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("--watch swaps what is moved to the app's path, and what is written there")
    func watch() throws {
      let server = try SupervisedServer(Fixture.good, Self.quick + ["--watch"])
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
      try ledger.waitForAnswers(20)
      try server.install(try Fixture.better)
      try server.wait(for: "the new build") { $0.generations == [2] }
      #expect(try server.answering() == "B 2")
      // A linker writes in pieces: only the whole is a build.
      let whole = try Data(contentsOf: URL(fileURLWithPath: try Fixture.good))
      let file = try #require(FileHandle(forWritingAtPath: server.app))
      try file.truncate(atOffset: 0)
      for start in stride(from: 0, to: whole.count, by: 2000) {
        try file.write(contentsOf: whole[start..<min(start + 2000, whole.count)])
        usleep(5000)
      }
      try file.close()
      try server.wait(for: "the build before") { $0.generations == [3] }
      #expect(try server.answering() == "A 3")
      // A bad one is refused once.
      try server.install(try FixtureApp.path("no_entry"))
      try server.waitForLog("swap refused: ")
      try ledger.waitForAnswers(20)
      let report = try ledger.finish()
      #expect(report.losses.isEmpty, "\(report)")
      #expect(try server.answering() == "A 3")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "--watch follows a link that is turned to another release, and a directory that is made anew",
      arguments: [
        "a link on the way", "the link itself", "what the link leads to", "the directory made anew",
        "a hard link",
      ])
    func watchWhatIsMeant(way: String) throws {
      let folder = try TemporaryFolder()
      for (name, library) in [("one", try Fixture.good), ("two", try Fixture.better)] {
        try SupervisedServer.replace(try folder.folder(name) + "/app.so", with: library)
      }
      let (current, files) = (folder.file("current"), FileManager.default)
      switch way {
      case "a link on the way":
        try files.createSymbolicLink(atPath: current, withDestinationPath: folder.file("one"))
      case "the link itself", "what the link leads to":
        try files.createSymbolicLink(
          atPath: try folder.folder("current") + "/app.so", withDestinationPath: folder.file("one/app.so"))
      default: try files.copyItem(atPath: folder.file("one"), toPath: current)
      }
      let (control, served) = (folder.file("ctl"), folder.file("served"))
      let server = try ServerProcess(
        app: current + "/app.so",
        ["--http-socket", "127.0.0.1:0", "--control-socket", control, "-L", "-p", "1", "--watch"]
          + ["--app-option", "ledger=\(served)"] + Self.quick)
      let ledger = try Ledger(
        at: ["http": try server.address("http")], served: served, [.httpFresh, .httpKeepAlive])
      try ledger.waitForAnswers(20)
      switch way {
      case "a link on the way":
        try files.createSymbolicLink(atPath: current + ".new", withDestinationPath: folder.file("two"))
        #expect(rename(current + ".new", current) == 0)
      case "the link itself":
        let link = current + "/app.so"
        try files.createSymbolicLink(atPath: link + ".new", withDestinationPath: folder.file("two/app.so"))
        #expect(rename(link + ".new", link) == 0)
      case "what the link leads to":
        try SupervisedServer.replace(folder.file("one/app.so"), with: try Fixture.better)
      case "a hard link":
        try files.removeItem(atPath: current + "/app.so")
        try files.linkItem(atPath: folder.file("two") + "/app.so", toPath: current + "/app.so")
      default:
        try files.removeItem(atPath: current)
        try files.copyItem(atPath: folder.file("two"), toPath: current)
      }
      _ = try server.process.waitForOutput("the new build") { output in
        output.contains("swap: serving ledger generation 2") ? true : nil
      }
      ledger.expect(generation: 2)
      try ledger.waitForAnswers(20)
      Drill.expect(try ledger.finish(), onlyOf: ["A 1", "B 2"])
      #expect(try server.stop() == .status(0), "\(server.process.output)")
    }

    @Test("--watch takes a build that comes while the first worker still loads the one before")
    func watchFromTheStart() throws {
      let folder = try TemporaryFolder()
      let (app, held) = (folder.file("app.so"), try folder.write("", to: "held"))
      try SupervisedServer.replace(app, with: try Fixture.ledger("LOAD_WAITS_IN=0"))
      let process = try ChildProcess(
        Repository.server,
        ["--app", app, "--http-socket", "127.0.0.1:0", "-L", "-p", "1", "--watch"]
          + ["--runtime-dir", folder.path, "--app-option", "held=\(held)"] + Self.quick)
      try Deadline.usual.wait(for: "the first worker", output: { process.output }) {
        access(held + ".here", F_OK) == 0 ? () : nil
      }
      try SupervisedServer.replace(app, with: try Fixture.better)
      try FileManager.default.removeItem(atPath: held)
      _ = try process.waitForOutput("the new build") { output in
        output.contains("swap: serving ledger generation 2") ? true : nil
      }
      #expect(try process.stop() == .status(0), "\(process.output)")
    }

    @Test("reload rereads the ini: what can change does, what cannot is named")
    func configuration() throws {
      let folder = try TemporaryFolder()
      let ini = try folder.write("[server]\nprocesses = 1\n", to: "server.ini")
      let server = try SupervisedServer(Fixture.good, workers: nil, Self.quick + ["--ini", ini])
      #expect(try server.status().serving.count == 1)
      let ledger = try Ledger(server, [.httpFresh, .httpKeepAlive])
      try ledger.waitForAnswers(20)
      let shop = folder.file("shop.so")
      try SupervisedServer.replace(shop, with: try Fixture.better)
      try folder.write(
        """
        [server]
        processes = 3
        mount = /shop=\(shop)
        limit-post = 100000
        scgi-socket = \(folder.file("scgi.sock"))
        pidfile = \(folder.file("pid"))

        """, to: "server.ini")
      let (exit, output) = try server.ctl("reload")
      #expect(exit == 0, "\(output)")
      #expect(output.contains("sockets") && output.contains("restart"), "\(output)")
      #expect(output.contains("pidfile"), "\(output)")
      #expect(server.log.contains("sockets"), "\(server.log)")
      let status = try server.wait(for: "three workers") { $0.serving.count == 3 && $0.workers.count == 3 }
      #expect(Set(status.workers.map(\.place)) == [1, 2, 3])
      #expect(try server.get("/shop/?id=0").text.contains("begin B 1"))
      #expect(try server.answering() == "A 1")
      let socket = try server.server.connect()
      try socket.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\nConnection: close\r\n\r\n")
      #expect(try socket.receiveReply().status == 413)
      // Fewer again; and what is wrong changes nothing.
      try folder.write("[server]\nprocesses = 2\n", to: "server.ini")
      #expect(try server.ctl("reload").exit == 0)
      try server.wait(for: "two workers") { $0.serving.count == 2 && $0.workers.count == 2 }
      #expect(try server.get("/shop/?id=0").text.contains("begin A"))
      try folder.write("[server]\nproceses = 4\n", to: "server.ini")
      let refused = try server.ctl("reload")
      #expect(refused.exit == 1 && refused.output.contains("proceses"), "\(refused.output)")
      #expect(try server.status().serving.count == 2)
      try ledger.waitForAnswers(20)
      let report = try ledger.finish()
      #expect(report.losses.isEmpty, "\(report)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
