// Bodies of telling sizes in both directions, through every web server and protocol, by checksum.
import Foundation
import Support
import Testing

@Suite struct BodyTests {
  /// Nothing, one byte, on both sides of what fits 16 bits, and a whole spooling block.
  static let sizes = [0, 1, 65535, 65536, 1 << 20]

  @Test("up", arguments: Route.all)
  func up(route: Route) throws {
    try route.run(app: Repository.app("environ")) { frontEnd, _ in
      for size in Self.sizes {
        let body = TestBody.bytes(size)
        let report = try EnvironReport(Curl.post(frontEnd.url + route.prefix + "/up", body))
        #expect(report.bodyLength == size, "\(route.file)")
        #expect(report.bodyChecksum == TestBody.checksum(body), "\(route.file): \(size)")
      }
    }
  }

  @Test("up, in chunks whose number the client does not tell", arguments: Route.all)
  func upInChunks(route: Route) throws {
    try route.run(app: Repository.app("environ")) { frontEnd, _ in
      let body = TestBody.bytes(100_000)
      let url = frontEnd.url + route.prefix + "/up"
      let reply = try Curl.post(url, body, ["-H", "Transfer-Encoding: chunked"])
      // HAProxy's FastCGI wants the length, and answers for itself; so may others, with 411.
      if reply.status == 411 || route.file.hasPrefix("haproxy/fastcgi") && reply.status == 400 { return }
      #expect(try EnvironReport(reply).bodyChecksum == TestBody.checksum(body), "\(route.file)")
    }
  }

  @Test("down", arguments: Route.all, ["/sized", "/pieces"])
  func down(route: Route, path: String) throws {
    try route.run(app: try FixtureApp.path("blob")) { frontEnd, server in
      for size in Self.sizes {
        let reply = try Curl.get("\(frontEnd.url)\(route.prefix)\(path)?\(size)")
        #expect(reply.status == 200)
        #expect(
          reply.body == TestBody.bytes(size),
          """
          \(route.file): \(reply.body.count) of \(size), \(reply.fields)
          \(server.process.output)
          \(frontEnd.process.output)
          """)
      }
    }
  }

  /// Routes that have each protocol and each web server among them.
  static let some = Route.all.filter { route in
    [
      "lighttpd/scgi-tcp", "lighttpd/fastcgi-unix", "nginx/uwsgi-tcp", "nginx/proxy-unix",
      "apache/fastcgi-tcp", "apache/uwsgi-unix", "haproxy/http-tcp",
    ].contains { route.file.hasPrefix($0) }
  }

  /// 100 MiB in a file, and their checksum.
  private static let large: (folder: TemporaryFolder, path: String, checksum: String)? = {
    guard let folder = try? TemporaryFolder() else { return nil }
    let bytes = TestBody.bytes(100 << 20)
    let path = folder.file("large")
    FileManager.default.createFile(atPath: path, contents: Data(bytes))
    return (folder, path, TestBody.checksum(bytes))
  }()

  @Test("100 MiB up", arguments: some)
  func largeUp(route: Route) throws {
    let large = try #require(Self.large)
    try route.run(app: Repository.app("environ")) { frontEnd, _ in
      let url = frontEnd.url + route.prefix + "/up"
      let report = try EnvironReport(Curl.get(url, ["-T", large.path], deadline: Deadline(seconds: 120)))
      #expect(report.bodyLength == 100 << 20)
      #expect(report.bodyChecksum == large.checksum, "\(route.file)")
    }
  }

  @Test("100 MiB down", arguments: some)
  func largeDown(route: Route) throws {
    let large = try #require(Self.large)
    try route.run(app: try FixtureApp.path("blob")) { frontEnd, _ in
      let url = "\(frontEnd.url)\(route.prefix)/pieces?\(100 << 20)"
      let (exit, output) = try ChildProcess.run(
        "/bin/sh", ["-c", "curl -sS '\(url)' | cmp - '\(large.path)'"], deadline: Deadline(seconds: 120))
      #expect(exit == .status(0), "\(route.file): \(output)")
    }
  }
}
