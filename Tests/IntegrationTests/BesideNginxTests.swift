// Conditions and ranges of files, asked of this server and of nginx side by side: the same answers but for
// those that are named here, each with the sentence of RFC 9110 that this server goes by.
import Foundation
import Support
import Testing

@Suite struct BesideNginxTests {
  /// A question about a file of ten bytes; TAG stands for the entity tag that the asked server gives.
  struct Question: Sendable, CustomTestStringConvertible {
    let fields: [(String, String)]
    /// The status that this server answers where nginx answers something else.
    let own: Int?

    init(_ fields: [(String, String)], own: Int? = nil) { (self.fields, self.own) = (fields, own) }

    init(range: String, own: Int? = nil) { self.init([("Range", range)], own: own) }

    var testDescription: String { fields.map { "\($0.0): \($0.1)" }.joined(separator: ", ") }
  }

  static let changed = "Tue, 14 Nov 2023 22:13:20 GMT"
  static let (before, after) = ("Tue, 14 Nov 2023 22:13:19 GMT", "Tue, 14 Nov 2023 22:13:21 GMT")

  static let questions: [Question] =
    [
      "bytes=0-", "bytes=2-4", "bytes=-1", "bytes=-0", "bytes=-100", "bytes=9-", "bytes=10-", "bytes=9-20",
      "bytes=",
      "bites=0-1", "bytes=0-1,3-4", "bytes=0-1,20-30", "bytes=20-30,40-", "bytes=0-1, 4-", "bytes=0-0,-1",
      "bytes= 1-2", "BYTES=1-2", "bytes=0-9223372036854775807", "bytes=99999999999999999999-",
    ].map { Question(range: $0) }
    // A server "MAY ignore or reject a Range header field that contains an invalid ranges-specifier" (§14.2).
    + ["bytes=5-2", "bytes=a-b", "bytes=1-a", "bytes=1-2;3-4", "bytes=--1"].map {
      Question(range: $0, own: 200)
    }
    // Empty elements of a list are passed over (§5.6.1.2), a position behind the end is the end (§14.1.2).
    + ["bytes=,1-2", "bytes=1-2,", "bytes=0-99999999999999999999", "bytes=-99999999999999999999"].map {
      Question(range: $0, own: 206)
    }
    + conditions

  static let conditions: [Question] = [
    Question([("If-None-Match", "TAG")]), Question([("If-None-Match", "W/TAG")]),
    Question([("If-None-Match", "*")]),
    Question([("If-None-Match", "\"x\"")]), Question([("If-None-Match", "\"x\", TAG")]),
    Question([("If-Match", "TAG")]), Question([("If-Match", "*")]), Question([("If-Match", "\"x\"")]),
    Question([("If-Match", "W/TAG")]), Question([("If-Match", "\"x\", TAG")]),
    Question([("If-Modified-Since", changed)]), Question([("If-Modified-Since", before)]),
    Question([("If-Modified-Since", "nonsense")]), Question([("If-Unmodified-Since", changed)]),
    Question([("If-Unmodified-Since", before)]), Question([("If-Unmodified-Since", after)]),
    Question([("If-None-Match", "\"x\""), ("If-Modified-Since", changed)]),
    Question([("If-Match", "\"x\""), ("If-Unmodified-Since", changed)]),
    Question([("Range", "bytes=2-4"), ("If-Range", "TAG")]),
    Question([("Range", "bytes=2-4"), ("If-Range", "\"x\"")]),
    Question([("Range", "bytes=2-4"), ("If-Range", "W/TAG")]),
    Question([("Range", "bytes=2-4"), ("If-Range", changed)]),
    Question([("Range", "bytes=2-4"), ("If-Range", before)]),
    Question([("Range", "bytes=2-4"), ("If-Range", after)]),
    Question([("Range", "bytes=2-4"), ("If-None-Match", "TAG")]),
    Question([("Range", "bytes=20-"), ("If-None-Match", "TAG")]),
    Question([("Range", "bytes=2-4"), ("If-Match", "\"x\"")]),
    // "earlier or equal": not only the very date (§13.1.3).
    Question([("If-Modified-Since", after)], own: 304),
    // A date that is none is ignored (§13.1.4).
    Question([("If-Unmodified-Since", "nonsense")], own: 200),
    // Where there are tags, dates are ignored (§13.1.3, §13.1.4).
    Question([("If-None-Match", "TAG"), ("If-Modified-Since", before)], own: 304),
    Question([("If-Match", "TAG"), ("If-Unmodified-Since", before)], own: 200),
  ]

  /// nginx with the folder of a site.
  private static func nginx(_ site: Site) throws -> (process: ChildProcess, address: Address) {
    let port = try FreePort.any()
    let folder = site.folder.path
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(folder);" }
    try site.folder.write(
      """
      daemon off; master_process off; pid \(folder)/nginx.pid; error_log stderr;
      events { worker_connections 64; }
      http {
        access_log off; types { text/plain txt; } \(temporary.joined(separator: " "))
        server { listen 127.0.0.1:\(port); root \(folder)/www; }
      }

      """, to: "nginx.conf")
    let process = try ChildProcess(
      try Program.nginx.path(), ["-p", folder, "-c", site.folder.file("nginx.conf")])
    let address = Address.tcp(host: "127.0.0.1", port: port)
    _ = try process.waitForOutput("port \(port)") { _ in try? RawSocket(address) }
    return (process, address)
  }

  private func ask(_ address: Address, _ method: String, _ fields: [(String, String)], tag: String) throws
    -> Reply
  {
    let socket = try RawSocket(address)
    let lines = fields.map { "\($0.0): \($0.1.replacing("TAG", with: tag))\r\n" }.joined()
    try socket.send("\(method) /ten.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(lines)\r\n")
    return try socket.receiveReply(toHead: method == "HEAD")
  }

  /// What is compared of an answer: all that a client goes by.
  private func facts(_ reply: Reply) -> [String?] {
    let isParts = reply["Content-Type"]?.hasPrefix("multipart/byteranges; boundary=") == true
    // The border between parts is each server's own, and so is whether a charset is told.
    let parts = reply.text.split(separator: "\r\n").filter { !$0.hasPrefix("--") }
      .map { $0.hasPrefix("Content-Type: ") ? $0.split(separator: ";")[0] : $0 }
    // Of an error the text is each server's own.
    let body = reply.status >= 400 ? nil : isParts ? parts.joined(separator: "|") : reply.text
    return [
      // nginx says Accept-Ranges with whole files alone.
      "\(reply.status)", reply["Content-Range"], body, reply["Last-Modified"],
      reply.status == 200 ? reply["Accept-Ranges"] : nil,
      reply.status >= 400 || isParts ? nil : reply["Content-Length"],
    ]
  }

  @Test("files of ten bytes are answered as nginx does, but for what is named") func sideBySide() throws {
    let site = try Site(["--static-map", "/=SITE/www", "--mimefile", "SITE/types"]) { folder in
      try folder.write("text/plain txt\n", to: "types")
    }
    let (nginx, other) = try Self.nginx(site)
    let own = try site.server.address("http")
    let tags = try [own, other].map { try #require(try ask($0, "GET", [], tag: "")["ETag"]) }
    for method in ["GET", "HEAD"] {
      for question in [Question([])] + Self.questions {
        // Ranges are defined for GET alone (§14.2); nginx has them for HEAD too.
        let isRange = question.fields.contains { $0.0 == "Range" }
        if method == "HEAD", isRange { continue }
        let ours = try ask(own, method, question.fields, tag: tags[0])
        let theirs = try ask(other, method, question.fields, tag: tags[1])
        if let status = question.own {
          #expect(ours.status == status && theirs.status != status, "\(method) \(question.testDescription)")
        } else {
          #expect(facts(ours) == facts(theirs), "\(method) \(question.testDescription)")
        }
      }
    }
    #expect(try nginx.stop(SIGQUIT) == .status(0), "\(nginx.output)")
    try site.stop()
  }
}
