// Apps that make copies of their process by fork(): a copy is the app's, and never a second server.
import Foundation
import Support
import Testing

@Suite struct ForkTests {
  private static let loops = ["epoll", "auto"]
  private static let misuse = "12 of 12 misuse, 0 descriptors"

  private func server(_ entry: String = "", _ options: [String] = []) throws -> ServerProcess {
    let app = try FixtureApp.path("forks")
    return try ServerProcess(
      app: entry.isEmpty ? app : "\(app):\(entry)", ["--http-socket", "127.0.0.1:0", "-L"] + options)
  }

  @Test(
    "however a copy ends, the client gets one answer, the app's own", arguments: loops, [true, false])
  func endings(io: String, hasMaster: Bool) throws {
    let server = try server("", ["--io", io] + (hasMaster ? ["-p", "1"] : ["--no-master"]))
    for (path, status) in [("/return", 0), ("/fail", 1), ("/exit", 3), ("/exec", 4)] {
      #expect(try server.textOfOneAnswer(path) == "\(Self.misuse), status \(status)", "\(path)")
    }
    // SIGABRT, which is not told as a crash of the worker's request.
    #expect(try server.textOfOneAnswer("/abort") == "\(Self.misuse), status 262")
    #expect(!server.process.output.contains("while serving"), "\(server.process.output)")
    #expect(try server.textOfOneAnswer("/vfork") == "program 6, system 5")
    let raw = try server.textOfOneAnswer("/raw")
    #expect(raw.hasPrefix("12 of 12 misuse") && raw.hasSuffix("status 0"), "\(raw)")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a copy shares no pipe of the server's", arguments: loops, [["-p", "1"], ["--no-master"]])
  func pipes(io: String, options: [String]) throws {
    let server = try server("", ["--io", io] + options)
    #expect(try server.textOfOneAnswer("/pipes") == "0 shared")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("many copies on both loops leave nothing behind", arguments: loops)
  func manyCopies(io: String) throws {
    let server = try server("", ["--io", io, "-p", "1"])
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      for _ in 0..<20 {
        let reply = try? server.connect().ask("/return")
        #expect(reply?.text == "\(Self.misuse), status 0")
      }
    }
    #expect(try server.textOfOneAnswer("/plain") == "plain")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("the plain form, and a thread of the app", arguments: loops, ["plain", "async_nsgi_entry"])
  func otherForms(io: String, entry: String) throws {
    let server = try server(entry, ["--io", io])
    for _ in 0..<5 { #expect(try server.connect().ask("/").text == "status 0") }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a copy that lives on holds neither connections nor the address", arguments: loops)
  func livingCopy(io: String) throws {
    let server = try server("", ["--io", io, "-p", "1"])
    let address = try server.address("http")
    let socket = try RawSocket(address)
    try socket.send("GET /lives HTTP/1.0\r\n\r\n")
    // To its end: a copy that had the socket would keep the connection.
    let reply = try Reply(gateway: try socket.receiveAll())
    let copy = try #require(pid_t(reply.text), "\(reply.text)")
    defer { kill(copy, SIGKILL) }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    #expect(kill(copy, 0) == 0)
    #expect(throws: SupportError.self) { try RawSocket(address) }
  }

  @Test(
    "a copy that returns from another function of the app",
    arguments: ["load", "probe", "thread", "leave", "drain", "unload"], [["-p", "1"], ["--no-master"]])
  func otherFunctions(function: String, options: [String]) throws {
    let server = try server("", options + ["--app-option", "fork=\(function)"])
    #expect(try server.connect().ask("/plain").text == "plain")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    #expect(server.process.output.contains("the copy made in \(function) ended with 0"))
    #expect(server.process.output.split(separator: "\n").count { $0.hasSuffix("ready") } == 1)
  }

  @Test("server check is not deceived by a copy")
  func underCheck() throws {
    let app = try FixtureApp.path("forks")
    for function in ["load", "probe", "drain", "unload"] {
      let (exit, output) = try ServerProcess.run(["check", "--load", app, "--app-option", "fork=\(function)"])
      #expect(exit == .status(0), "\(output)")
      #expect(output.split(separator: "\n").count { $0.contains("forks.so") } == 1, "\(output)")
    }
    // Its exercise makes copies while other threads call the host.
    guard !Repository.isThreadSanitized else { return }
    let (exit, output) = try ServerProcess.run(["check", app, "--exercise", "--path", "/return"])
    #expect(exit == .status(0), "\(output)")
  }

  @Test("under CGI there is one answer, without what the app prints, and it ends though a copy lives")
  func underCGI() throws {
    let app = try FixtureApp.path("forks")
    func run(_ path: String) throws -> String {
      let folder = try TemporaryFolder()
      let command =
        "'\(Repository.server)' --cgi -L --app '\(app)' | cat >'\(folder.file("out"))'"
      _ = try ChildProcess.run(
        "/bin/sh", ["-c", command],
        environment: [
          "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "QUERY_STRING": "", "PATH_INFO": path,
        ])
      return try String(contentsOfFile: folder.file("out"), encoding: .utf8)
    }
    let answer = try run("/return")
    #expect(answer.hasPrefix("Status: 200") && answer.hasSuffix("\(Self.misuse), status 0"), "\(answer)")
    #expect(answer.components(separatedBy: "Status:").count == 2 && !answer.contains("printed"))
    let living = try run("/lives")
    let copy = try #require(pid_t(living.components(separatedBy: "\r\n\r\n").last ?? ""), "\(living)")
    #expect(kill(copy, SIGKILL) == 0)
  }

  @Test("programs that an app starts find SIGPIPE and the other signals as usual", arguments: [true, false])
  func signals(hasMaster: Bool) throws {
    let server = try server("", hasMaster ? ["-p", "1"] : ["--no-master"])
    let lines = try server.connect().ask("/signals").text.split(separator: "\n")
    #expect(lines.count == 2)
    for line in lines {
      let mask = try #require(UInt64(line.split(separator: "\t").last ?? "", radix: 16), "\(line)")
      // Two of libc's own come behind the 31 of everybody.
      #expect(mask & 0x7fff_ffff == 0, "\(line)")
    }
    #expect(try server.stop() == .status(0))
  }

  @Test("a function of a C library that forks")
  func ffi() throws {
    let server = try ServerProcess(
      app: nil, ["--http-socket", "127.0.0.1:0", "-L", "--call", "libc.so.6:fork() -> i32"])
    for _ in 0..<3 {
      let reply = try Curl.post("\(server.url)/fork", [])
      #expect(reply.status == 200 && reply.text.hasPrefix("{\"result\":") && reply.text != "{\"result\":0}")
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("programs do not get a listening socket as their standard input")
  func standardInput() throws {
    let folder = try TemporaryFolder()
    let socket = try ListeningSocket(.unix(path: folder.file("s.sock")))
    let process = try ChildProcess(
      Repository.server, ["--app", try FixtureApp.path("forks"), "--protocol", "http", "-L"],
      input: .descriptor(socket.descriptor))
    let raw = try RawSocket(socket.address)
    let text = try raw.ask("/return").text
    #expect(text == "\(Self.misuse), status 0", "\(process.output)")
    #expect(try process.stop() == .status(0))
  }

  @Test(
    "a worker whose event loop is taken away ends and says so",
    arguments: [("epoll", "/close", "epoll_wait"), ("io_uring", "/close?ring", "io_uring_enter")])
  func brokenLoop(io: String, target: String, call: String) throws {
    let server = try server("", ["--io", io, "--no-master"])
    let socket = try server.connect()
    try socket.send("GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n")
    // A thread that has taken over the loop meanwhile waits in it still, and finds out with the next event.
    _ = try? server.connect().ask("/plain")
    #expect(try server.process.wait() == .status(1))
    #expect(server.process.output.contains("the event loop failed: \(call)"), "\(server.process.output)")
  }
}
