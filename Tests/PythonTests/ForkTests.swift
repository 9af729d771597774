// Applications that call os.fork(): the copy is the application's, and its end is that of its call.
import Foundation
import Support
import Synchronization
import Testing

@Suite struct ForkTests {
  @Test(
    "however a copy ends, the client gets one answer, the application's own", arguments: ["epoll", "auto"])
  func endings(io: String) throws {
    let output = try Python.run("forks", ["--io", io]) { (server) throws in
      for (path, status) in [
        ("/return", 0), ("/exit", 0), ("/exit3", 3), ("/exit_text", 1), ("/raise", 1), ("/os_exit", 7),
        ("/exec", 4), ("/write", 1), ("/block_return", 0), ("/block_exit", 5), ("/block_end", 0),
      ] {
        #expect(try server.textOfOneAnswer(path) == "\(status)", "\(path): \(server.process.output)")
      }
      let upload = try server.connect()
      try upload.send("POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody")
      #expect(try upload.receiveReply().text == "1")
    }
    #expect(output.contains("info: copy /exit3") && output.contains("warning: why the copy ends"))
    #expect(output.contains("ValueError: in the copy") && output.contains("answers no request"))
    #expect(!output.contains("SystemExit"))
  }

  @Test("a copy says its lines and ends while other threads write theirs", arguments: ["epoll", "auto"])
  func logging(io: String) throws {
    let options = ["--plugin", "python3", "--pythonpath", Python.folder, "-w", "forks", "--io", io]
    let server = try ServerProcess(
      app: nil, options + ["--threads", "4", "--http-socket", "127.0.0.1:0"])
    let copies = 200
    let faults = Mutex<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 4) { client in
      do {
        // Two make copies; the lines of the others' requests are written meanwhile.
        if client < 2 {
          for _ in 0..<copies / 2 {
            let text = try server.textOfOneAnswer("/late")
            if text != "1" { faults.withLock { $0.append(text) } }
          }
        } else {
          let socket = try server.connect()
          for _ in 0..<5000 {
            try socket.send("GET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = try socket.receiveReply()
          }
        }
      } catch { faults.withLock { $0.append("\(error)") } }
    }
    #expect(faults.withLock { $0 } == [])
    #expect(try server.stop() == .status(0))
    let lines = server.process.output.split(separator: "\n")
    #expect(lines.count { $0.hasSuffix("a line of the copy") } == copies)
    #expect(lines.count { $0.contains("why it ends") } == copies)
  }

  @Test("multiprocessing, subprocess and threads that fork go on working", arguments: ["epoll", "auto"])
  func libraries(io: String) throws {
    try Python.run("forks", ["--io", io]) { (server) throws in
      for _ in 0..<2 {
        #expect(try server.textOfOneAnswer("/multiprocessing") == "90 6", "\(server.process.output)")
        #expect(try server.textOfOneAnswer("/subprocess") == "out 5 6")
        #expect(try server.textOfOneAnswer("/thread") == "[0]")
      }
    }
  }

  /// What a copy does that awaits nothing, and the status with which it ends.
  private static let ends: KeyValuePairs = [
    "return": 0, "exit": 0, "exit3": 3, "exit_text": 1, "raise": 1, "caught": 0, "os_exit": 7, "exec": 4,
    "again": 2, "own_loop": 9,
  ]

  @Test(
    "a copy that a coroutine or a thread of ASGI makes ends with it",
    arguments: ["epoll", "auto"], ["asyncio", "uvloop"])
  func asgiEndings(io: String, loop: String) throws {
    let options = ["--io", io] + (try Python.options(loop: loop))
    let output = try Python.run("asgi_forks", options) { (server) throws in
      for place in ["coroutine", "nested", "task", "thread", "executor"] {
        for (how, status) in Self.ends {
          #expect(try server.get("/\(place)/\(how)").text == "\(status)", "/\(place)/\(how)")
        }
      }
      for place in ["coroutine", "nested", "task"] {
        #expect(try server.get("/\(place)/sleep").text == "1")
        #expect(try server.get("/\(place)/wait").text == "1")
        #expect(try server.get("/\(place)/send").text == "0", "nobody gets its answer")
      }
      for how in ["return", "exit3", "raise", "sleep", "wait"] {
        #expect(try server.textOfOneAnswer("/behind/\(how)") == "soon")
      }
      // No copy has taken a wake-up of the loop: each request is answered.
      try Deadline.usual.wait(for: "the copies behind responses", output: { server.process.output }) {
        try server.get("/said/all").text == "[0, 3, 1, 1, 1]" ? true : nil
      }
      for _ in 0..<50 { #expect(try server.get("/said/all").text == "[0, 3, 1, 1, 1]") }
    }
    #expect(output.contains("awaits something, and ends: the event loop is its parent's"))
    #expect(output.contains("ValueError: in the copy") && output.contains("in end\n"), "\(output)")
    #expect(!output.contains("SystemExit") && !output.contains("and caught"), "\(output)")
  }

  @Test(
    "multiprocessing and subprocess go on working in ASGI applications",
    arguments: ["epoll", "auto"], ["asyncio", "uvloop"])
  func asgiLibraries(io: String, loop: String) throws {
    let options = ["--io", io] + (try Python.options(loop: loop))
    try Python.run("asgi_forks", options) { (server) throws in
      for _ in 0..<2 {
        #expect(try server.get("/libraries/fork").text == "90 6", "\(server.process.output)")
        #expect(try server.get("/libraries/subprocess").text == "out 5 6")
        // The exit code of a process that such a thread forks is Python's own affair before 3.13.
        #expect(try server.get("/libraries_in_thread/fork").text.hasPrefix("90 "))
        #expect(try server.get("/libraries_in_thread/subprocess").text == "out 5 6")
        #expect(try server.get("/libraries_in_thread/spawn").text == "90 6", "\(server.process.output)")
      }
    }
  }

  @Test("a module that forks while it is imported is loaded once, and atexit is the server's")
  func atImport() throws {
    for options in [["--no-master"], ["--master", "-p", "1"]] {
      let server = try ServerProcess(
        app: nil,
        options + [
          "--plugin", "python3", "--pythonpath", Python.folder, "-w", "forks_at_import", "-L",
          "--http-socket", "127.0.0.1:0",
        ])
      #expect(try server.get("/").text == "[3, 0]", "\(server.process.output)")
      #expect(try server.stop() == .status(0), "\(server.process.output)")
      #expect(server.process.output.contains("atexit of the server"))
      #expect(!server.process.output.contains("atexit of a copy"), "\(server.process.output)")
      #expect(server.process.output.contains("hook after 2 copies"), "\(server.process.output)")
      #expect(!server.process.output.contains("hook after 1 copies"), "\(server.process.output)")
    }
  }
}
