// Files that applications send go through TLS like everything else: the kernel's sendfile(2) would put them
// on the wire as they are.
import Foundation
import Support
import Testing

@Suite struct TLSFileTests {
  private static let sizes = [0, 7, 60_000, 5_000_000]
  private let certificates: Certificates
  init() throws {
    certificates = try Certificates()
    try certificates.make("a", hosts: "DNS:a.test")
  }

  /// `sendfile` of applications that may wait and of those that never do.
  private static let entries = ["", ":never_waits_nsgi_entry"]

  @Test("sendfile() over HTTP of every version", arguments: entries, ["1.0", "1.1", "2"])
  func overHTTP(entry: String, version: String) throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("whole") + entry,
      ["--no-master", "--https-socket", certificates.socket("a")])
    let (url, trust) = certificates.curl("a.test", try server.address("https"))
    for size in Self.sizes {
      let reply = try Curl.get("\(url)/sent?\(size)", trust + ["--http\(version)"])
      #expect(reply.status == 200 && reply.body == TestBody.bytes(size), "\(size): \(reply.body.count)")
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("sendfile() to a front end that speaks uwsgi over TLS", arguments: entries)
  func overUWSGI(entry: String) throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("whole") + entry,
      ["--no-master", "--suwsgi-socket", certificates.socket("a")])
    let address = try server.address("suwsgi")
    let (request, answer) = (certificates.folder.file("request"), certificates.folder.file("answer"))
    for size in Self.sizes {
      try Data(GatewayRequest.bytes("uwsgi", "/sent?\(size)")).write(to: URL(fileURLWithPath: request))
      let (exit, output) = try ChildProcess.run(
        "/bin/sh",
        [
          "-c",
          "openssl s_client -quiet -ign_eof -connect \(address) -servername a.test "
            + "-CAfile \(certificates.authority) <\(request) >\(answer)",
        ])
      #expect(exit == .status(0), "\(output)")
      let bytes = Array(FileManager.default.contents(atPath: answer) ?? Data())
      let reply = try GatewayRequest.reply("uwsgi", bytes)
      #expect(reply.status == 200 && reply.body == TestBody.bytes(size), "\(size): \(reply.body.count)")
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("X-Sendfile over HTTP of every version, over TLS and without", arguments: ["1.0", "1.1", "2"])
  func named(version: String) throws {
    let root = try certificates.folder.folder("public")
    for size in Self.sizes {
      try Data(TestBody.bytes(size)).write(to: URL(fileURLWithPath: "\(root)/\(size)"))
    }
    let server = try ServerProcess(
      app: try FixtureApp.path("gateway_extras"),
      [
        "--no-master", "--https-socket", certificates.socket("a"), "--http-socket", "127.0.0.1:0",
        "--sendfile-root", root,
      ])
    let (url, trust) = certificates.curl("a.test", try server.address("https"))
    let plain = ["--http\(version)\(version == "2" ? "-prior-knowledge" : "")"]
    for (url, options) in [(url, trust + ["--http\(version)"]), (try server.url, plain)] {
      for size in Self.sizes {
        let reply = try Curl.get("\(url)/sendfile?\(size)", options)
        #expect(reply.status == 200 && reply.body == TestBody.bytes(size), "\(size): \(reply.body.count)")
        let head = try Curl.get("\(url)/sendfile?\(size)", options + ["-I"])
        #expect(head["content-length"] == "\(size)")
      }
      #expect(try Curl.get("\(url)/sendfile?nothing", options).status == 404)
      #expect(try Curl.get("\(url)/sendfile?../a.key", options).status == 403)
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
