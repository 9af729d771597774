// Applications that call os.fork(): the copy is the application's, and its end is that of its call.
import Foundation
import Support
import Testing

@Suite struct ForkTests {
  @Test(
    "however a copy ends, the client gets one answer, the application's own", arguments: ["epoll", "auto"])
  func endings(io: String) throws {
    let output = try Python.run("forks", ["--io", io]) { (server) throws in
      for (path, status) in [
        ("/return", 0), ("/exit", 0), ("/exit3", 3), ("/exit_text", 1), ("/raise", 1), ("/os_exit", 7),
        ("/exec", 4), ("/write", 1), ("/block_return", 0), ("/block_exit", 5),
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
    }
  }
}
