// wsgi.file_wrapper of files that are not what they say: all that can be read is sent, and a length is
// announced only where it is sure.
import Foundation
import Support
import Testing

@Suite struct FileTests {
  @Test("files of /proc and /sys are sent as they read", arguments: GatewayRequest.gateways)
  func unsized(gateway: String) throws {
    let server = try Python.serve("files", ["--\(gateway)-socket", "127.0.0.1:0"])
    for path in ["/proc/version", "/proc/filesystems", "/sys/kernel/mm/transparent_hugepage/enabled"] {
      let wanted = try String(contentsOfFile: path, encoding: .utf8)
      let whole = try server.ask(gateway, "/proc?\(path)")
      #expect(whole.text == wanted && whole.isComplete, "\(path): \(whole)")
      let rest = try server.ask(gateway, "/seeked?\(path)")
      #expect(rest.text == String(wanted.dropFirst(5)) && rest.isComplete, "\(path): \(rest)")
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("what is no file of the operating system is read")
  func noFiles() throws {
    try Python.run("files") { (server) throws in
      for (path, text) in [
        ("/pipe", "through a pipe"), ("/raw_pipe", "through a pipe"), ("/through_socket", "through a socket"),
        ("/no_descriptor", "no descriptor"), ("/memory", "in memory"), ("/beyond", ""), ("/empty", ""),
      ] {
        let reply = try server.get(path)
        #expect(reply.status == 200 && reply.text == text && reply.isComplete, "\(path): \(reply)")
      }
      #expect(try server.get("/sparse").body == [UInt8](repeating: 0, count: 100_000))
      #expect(try server.get("/write_only").status == 500)
    }
  }

  /// A file of 40 MB that gets another size while a client takes nothing: what comes behind the head.
  private func changed(to size: Int, _ server: ServerProcess) throws -> [UInt8] {
    let slow = try server.connect(receiveBuffer: 4096)
    try slow.send(GatewayRequest.bytes("http", "/"))
    #expect(try slow.receive(until: "\r\n\r\n").contains("Content-Length: 40000000"))
    #expect(try server.get("/change?\(size)").text == "changed")
    return try slow.receiveAll()
  }

  @Test("a file that becomes shorter while it is sent cuts the answer, and the log says so")
  func shrinks() throws {
    let output = try Python.run("files:changes", ["--threads", "2"]) { (server) throws in
      #expect(try changed(to: 1000, server).count < 40_000_000)
    }
    #expect(output.contains("the file of a response cannot be read, or has become shorter"))
  }

  @Test("a file that grows while it is sent ends where it ended before")
  func grows() throws {
    try Python.run("files:changes", ["--threads", "2"]) { (server) throws in
      #expect(try changed(to: 50_000_000, server).count == 40_000_000)
    }
  }
}
