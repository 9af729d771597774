// Clients of the gateway protocols that other people wrote.
import Foundation
import Support
import Testing

@Suite struct ClientTests {
  @Test("cgi-fcgi, the client of the FastCGI developer's kit", arguments: ["127.0.0.1:0", "DIR/f.sock"])
  func cgiFCGI(address: String) throws {
    let server = try ServerProcess(["--fastcgi-socket", address])
    let body = TestBody.bytes(30_000)
    try Data(body).write(to: URL(fileURLWithPath: server.folder.file("body")))
    let command = "exec \(try Program.cgiFcgi.path()) -bind -connect \(try server.address("fastcgi"))"
    let (exit, output) = try ChildProcess.run(
      "/bin/sh", ["-c", "\(command) <\(server.folder.file("body"))"],
      environment: [
        "REQUEST_METHOD": "POST", "CONTENT_LENGTH": "\(body.count)", "SCRIPT_NAME": "", "PATH_INFO": "/kit",
        "QUERY_STRING": "a=b",
      ])
    #expect(exit == .status(0))
    let report = try EnvironReport(Reply(gateway: Array(output.utf8)))
    #expect(report["PATH_INFO"] == "/kit")
    #expect(report.bodyChecksum == TestBody.checksum(body))
    #expect(try server.stop() == .status(0))
  }

  @Test("uwsgi_curl of uwsgi-tools")
  func uwsgiCurl() throws {
    let server = try ServerProcess(["--uwsgi-socket", "127.0.0.1:0"])
    let (exit, output) = try ChildProcess.run(
      try Repository.python("uwsgi_curl"),
      // It has an option for a body, and sends no CONTENT_LENGTH with it: this is a GET.
      ["\(try server.address("uwsgi"))", "localhost/tools?a=b", "-H", "XTool: yes"])
    #expect(exit == .status(0))
    let normal = output.replacingOccurrences(of: "\r\n", with: "\n")
    let parts = normal.components(separatedBy: "\n\n")
    #expect(parts[0].hasPrefix("HTTP/1.1 200 OK\n"), "\(output)")
    #expect(normal.contains("\nPATH_INFO=/tools\n"), "\(output)")
    #expect(normal.contains("\nHTTP_XTOOL=yes\n"), "\(output)")
    #expect(try server.stop() == .status(0))
  }

  @Test("flup's FastCGI and SCGI clients", arguments: ["fastcgi", "scgi"], ["127.0.0.1:0", "DIR/f.sock"])
  func flup(gateway: String, address: String) throws {
    let server = try ServerProcess(["--\(gateway)-socket", address])
    let body = TestBody.bytes(200_000)
    try Data(body).write(to: URL(fileURLWithPath: server.folder.file("body")))
    let (exit, output) = try ChildProcess.run(
      try Repository.python("python3"),
      [
        "\(Repository.root)/Tests/Fixtures/clients/flup_client.py", gateway == "scgi" ? "scgi" : "fcgi",
        "\(try server.address(gateway))", server.folder.file("body"),
      ])
    #expect(exit == .status(0), "\(output)")
    let report = try EnvironReport(Reply(gateway: Array(output.utf8)))
    #expect(report["PATH_INFO"] == "/flup")
    #expect(report["REMOTE_ADDR"] == "192.0.2.7")
    #expect(report.bodyChecksum == TestBody.checksum(body))
    #expect(try server.stop() == .status(0))
  }
}
