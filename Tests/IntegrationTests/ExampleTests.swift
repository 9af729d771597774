// The example apps beyond what their READMEs show: uploads, streams, files, notes.
import Foundation
import Support
import Testing

@Suite struct ExampleTests {
  // MARK: upload

  @Test("an upload of 20 MiB streams to disk, whatever its framing")
  func upload() throws {
    let folder = try TemporaryFolder()
    let server = try ServerProcess(
      app: Repository.app("upload"), ["--app-option", "dir=\(folder.path)", "--http-socket", "127.0.0.1:0"])
    let body = TestBody.bytes(20 << 20)
    let checksum = TestBody.checksum(body)
    for (name, options) in [("length", []), ("chunked", ["-H", "Transfer-Encoding: chunked"])] {
      let reply = try Curl.post("\(server.url)/\(name)", body, options)
      #expect(reply.status == 201)
      let padded = String(repeating: "0", count: 16 - checksum.count) + checksum
      #expect(reply.text == "\(name) \(body.count) bytes, checksum \(padded)\n")
      let stored = try Data(contentsOf: URL(fileURLWithPath: folder.file(name)))
      #expect(stored.elementsEqual(body))
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("an upload that breaks off leaves nothing, and no path leads out of the folder")
  func brokenUpload() throws {
    let folder = try TemporaryFolder()
    let server = try ServerProcess(
      app: Repository.app("upload"),
      ["--app-option", "dir=\(folder.file("in"))", "--http-socket", "127.0.0.1:0"])
    let socket = try server.connect()
    try socket.send("PUT /half HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhalf")
    let list = { try FileManager.default.contentsOfDirectory(atPath: folder.file("in")) }
    try Deadline.usual.wait(for: "the upload's beginning") { try list().isEmpty ? nil : () }
    socket.close()
    try Deadline.usual.wait(for: "the upload's end") { try list().isEmpty ? () : nil }
    for name in ["..%2fout", ".hidden", "a%20b", "a/b", ""] {
      #expect(try Curl.post("\(server.url)/\(name)", [1], ["--path-as-is"]).status == 400, "\(name)")
    }
    #expect(try list().isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["in"])
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  // MARK: sse

  @Test("events arrive one by one")
  func events() throws {
    let server = try ServerProcess(
      app: Repository.app("sse"), ["--app-option", "interval-ms=200", "--http-socket", "127.0.0.1:0"])
    let socket = try server.connect()
    try socket.send("GET /?n=3 HTTP/1.1\r\nHost: h\r\n\r\n")
    let first = try socket.receive(until: "data: 1 of 3\n\n")
    #expect(first.lowercased().contains("content-type: text/event-stream"))
    // The first event is there, and nothing of the second: it was sent alone.
    let more = try socket.receive()
    let text = String(decoding: more, as: UTF8.self)
    #expect(!text.contains("3 of 3"), "\(text)")
    socket.putBack(more)
    _ = try socket.receive(until: "data: 3 of 3\n\n")
    socket.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a listener that leaves does not disturb the others")
  func leavingListener() throws {
    let server = try ServerProcess(
      app: Repository.app("sse"), ["--app-option", "interval-ms=20", "--http-socket", "127.0.0.1:0"])
    let stays = try server.connect()
    let leaves = try server.connect()
    for socket in [stays, leaves] { try socket.send("GET /?n=20 HTTP/1.1\r\nHost: h\r\n\r\n") }
    _ = try leaves.receive(until: "data: 1 of 20\n\n")
    leaves.resetOnClose()
    leaves.close()
    _ = try stays.receive(until: "data: 20 of 20\n\n")
    stays.close()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  // MARK: files

  /// A folder with files inside and beside it, and a server for the inner one.
  private func site() throws -> (folder: TemporaryFolder, server: ServerProcess) {
    let folder = try TemporaryFolder()
    try folder.folder("site/inner")
    try folder.write("secret\n", to: "secret.txt")
    try folder.write("0123456789", to: "site/digits.txt")
    try folder.write("<p>in</p>", to: "site/inner/index.html")
    try folder.write("hidden\n", to: "site/.hidden")
    try Data(TestBody.bytes(3_000_000)).write(to: URL(fileURLWithPath: folder.file("site/large.bin")))
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("site/link.txt"), withDestinationPath: folder.file("secret.txt"))
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("site/up"), withDestinationPath: folder.path)
    let server = try ServerProcess(
      app: Repository.app("files"),
      ["--app-option", "root=\(folder.file("site"))", "--http-socket", "127.0.0.1:0"])
    return (folder, server)
  }

  @Test("whole files, their types, and what is not there")
  func files() throws {
    let (folder, server) = try site()
    let digits = try Curl.get("\(server.url)/digits.txt")
    #expect(digits.status == 200)
    #expect(digits.text == "0123456789")
    #expect(digits["content-type"] == "text/plain; charset=utf-8")
    #expect(try Curl.get("\(server.url)/large.bin").body == TestBody.bytes(3_000_000))
    #expect(try Curl.get("\(server.url)/inner/").text == "<p>in</p>")
    #expect(try Curl.get("\(server.url)/digits.txt", ["-X", "DELETE"]).status == 405)
    for path in [
      "/../secret.txt", "/inner/../../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/.hidden",
      "/link.txt", "/up/secret.txt", "/nothing", "/inner", "/digits.txt/", "/digits.txt/x",
      "/" + String(repeating: "a", count: 300),
    ] {
      let reply = try Curl.get("\(server.url)\(path)", ["--path-as-is"])
      #expect(reply.status == 404 || reply.status == 400, "\(path): \(reply.status)")
      #expect(!reply.text.contains("secret\n"), "\(path)")
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    withExtendedLifetime(folder) {}
  }

  @Test(
    "ranges",
    arguments: [
      ("bytes=2-5", 206, "2345", "bytes 2-5/10"), ("bytes=7-", 206, "789", "bytes 7-9/10"),
      ("bytes=-3", 206, "789", "bytes 7-9/10"), ("bytes=0-99", 206, "0123456789", "bytes 0-9/10"),
      ("bytes=-99", 206, "0123456789", "bytes 0-9/10"), ("bytes=10-", 416, "", "bytes */10"),
      ("bytes=-0", 416, "", "bytes */10"), ("bytes=5-2", 200, "0123456789", nil),
      ("bytes=x", 200, "0123456789", nil), ("bytes=-", 200, "0123456789", nil),
      ("bytes=99999999999999999999-", 200, "0123456789", nil), ("lines=1-2", 200, "0123456789", nil),
    ] as [(String, Int, String, String?)])
  func ranges(range: String, status: Int, text: String, contentRange: String?) throws {
    let (folder, server) = try site()
    let reply = try Curl.get("\(server.url)/digits.txt", ["-H", "Range: \(range)"])
    #expect(reply.status == status)
    #expect(reply.text == text)
    #expect(reply["content-range"] == contentRange)
    #expect(reply["content-length"] == "\(text.utf8.count)")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    withExtendedLifetime(folder) {}
  }

  @Test("conditions and HEAD")
  func conditions() throws {
    let (folder, server) = try site()
    let url = "\(try server.url)/digits.txt"
    let whole = try Curl.get(url)
    let etag = try #require(whole["etag"])
    let modified = try #require(whole["last-modified"])
    #expect(try Curl.get(url, ["-H", "If-None-Match: \(etag)"]).status == 304)
    #expect(try Curl.get(url, ["-H", "If-Modified-Since: \(modified)"]).status == 304)
    #expect(try Curl.get(url, ["-H", "If-None-Match: \"other\""]).status == 200)
    let range = ["-H", "Range: bytes=0-1", "-H"]
    #expect(try Curl.get(url, range + ["If-Range: \(etag)"]).status == 206)
    #expect(try Curl.get(url, range + ["If-Range: \"other\""]).status == 200)
    let socket = try server.connect()
    try socket.send("HEAD /digits.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    let head = try socket.receiveLastReply(toHead: true)
    #expect(head.status == 200)
    #expect(head["content-length"] == "10")
    #expect(head.body.isEmpty)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    withExtendedLifetime(folder) {}
  }

  // MARK: sqlite_notes

  @Test("notes outlive the server when they have a file")
  func notes() throws {
    let folder = try TemporaryFolder()
    let options = ["--app-option", "db=\(folder.file("notes.db"))", "--http-socket", "127.0.0.1:0"]
    let first = try ServerProcess(app: Repository.app("sqlite_notes"), options)
    let text = "it's \\u00fcber \\\"quoted\\\"; DROP TABLE notes"
    let made = try Curl.post(try first.url, Array(#"{"text": "\#(text)"}"#.utf8))
    #expect(made.status == 201)
    #expect(made.text == "{\"id\":1,\"text\":\"it's über \\\"quoted\\\"; DROP TABLE notes\"}\n")
    for wrong in ["", "{}", "[]", "{\"text\": 3}", "{\"text\": null}", "{"] {
      #expect(try Curl.post(try first.url, Array(wrong.utf8)).status == 400, "\(wrong)")
    }
    #expect(try first.stop() == .status(0), "\(first.process.output)")
    let second = try ServerProcess(app: Repository.app("sqlite_notes"), options)
    #expect(try Curl.get("\(second.url)/1").text.contains("über"))
    #expect(try Curl.get("\(second.url)/2").status == 404)
    #expect(try Curl.get("\(second.url)/1", ["-X", "DELETE"]).status == 204)
    #expect(try Curl.get("\(second.url)/1", ["-X", "DELETE"]).status == 404)
    #expect(try Curl.get(try second.url).text == "[]\n")
    #expect(try second.stop() == .status(0), "\(second.process.output)")
  }
}
