// Bodies of unannounced length that fail midway, behind real front ends over TCP: nobody may take half a page
// for a whole one.
import Foundation
import Support
import Testing

@Suite struct BrokenBodyTests {
  /// Not Apache with uwsgi: it takes the page for whole now and then, when the reset overtakes its reading.
  private static let files = [
    "nginx/scgi-tcp.conf", "nginx/uwsgi-tcp.conf", "nginx/fastcgi-tcp.conf", "nginx/fastcgi-keep-tcp.conf",
    "nginx/proxy-tcp.conf", "apache/fastcgi-tcp.conf", "apache/http-tcp.conf", "haproxy/fastcgi-tcp.cfg",
    "haproxy/http-tcp.cfg",
  ]
  private static let sockets = ["http", "scgi", "uwsgi", "fastcgi"].flatMap {
    ["--\($0)-socket", "127.0.0.1:0"]
  }

  @Test("a front end passes it on as cut, and the next page whole", arguments: files)
  func frontEnds(file: String) throws {
    let server = try ServerProcess(app: try FixtureApp.path("conformance"), Self.sockets)
    let web = try FrontEnd(file, before: server)
    for (target, isWhole) in [("/fail-late", false), ("/flushed", true), ("/fail-late", false)] {
      let socket = try RawSocket(.tcp(host: "127.0.0.1", port: web.port))
      try socket.send("GET \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      let reply = try? socket.receiveReply()
      let seemsWhole = reply?.status == 200 && reply?.isComplete == true
      #expect(seemsWhole == isWhole, "\(target): \(String(describing: reply))")
    }
    try web.stop()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("the connection is reset, also by a worker that is killed", arguments: ["scgi", "uwsgi", "fastcgi"])
  func resets(gateway: String) throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("conformance"), ["--\(gateway)-socket", "127.0.0.1:0", "--no-master"])
    let socket = try server.connect(gateway)
    try socket.send(GatewayRequest.bytes(gateway, "/fail-late"))
    let (bytes, isReset) = try socket.receiveToItsEnd()
    #expect(isReset && String(decoding: bytes, as: UTF8.self).contains("half"))
    // A body under way when the process goes.
    let other = try server.connect(gateway, receiveBuffer: 4096)
    try other.send(GatewayRequest.bytes(gateway, "/big"))
    #expect(try !other.receive(1000).isEmpty)
    try server.stop(SIGKILL)
    #expect(try other.receiveToItsEnd().isReset)
  }
}
