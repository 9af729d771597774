// The frameworks that people write ASGI applications with, from PyPI, each driven by a real client, directly
// and behind lighttpd, on asyncio's loop and on uvloop; FastAPI behind nginx too.
import Foundation
import Support
import Testing

@Suite struct ASGIFrameworkTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  static let loops = ["asyncio", "uvloop"]
  private static let home = "\(Repository.root)/.build/frameworks"

  /// A server for a module of Tests/Fixtures/python/frameworks.
  private func start(_ module: String, _ loop: String, _ sockets: [String]) throws -> ServerProcess {
    guard access(Self.home + "/pyvenv.cfg", R_OK) == 0 else { throw SupportError.pythonMissing(Self.home) }
    return try ServerProcess(
      app: nil,
      ["--no-master", "-L", "-w", module, "-H", Self.home, "--asgi-loop", loop, "--pythonpath"]
        + [Python.folder + "/frameworks"] + sockets)
  }

  /// Serves a module of Tests/Fixtures/python/frameworks; `body` gets the URL, directly and then behind
  /// lighttpd. Nothing may be wrong in the log but `failures`. Returns what the server said.
  @discardableResult
  private func serve(
    _ module: String, _ loop: String, failures: [String] = [], _ body: (String) throws -> Void
  ) throws -> String {
    let server = try start(
      module, loop, ["--http-socket", "127.0.0.1:0", "--fastcgi-socket", "DIR/f.sock"])
    let frontEnd = try Python.lighttpd(
      before: server, in: folder, settings: "server.stream-response-body = 1")
    do {
      try body(try server.url)
      try body(frontEnd.url)
    } catch { Issue.record("\(error)\n\(server.process.output)") }
    _ = try frontEnd.process.stop()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    let errors = server.process.output.split(separator: "\n").filter { $0.contains(" error: ") }
    for line in errors where failures.isEmpty { Issue.record("in the log: \(line)") }
    for failure in failures { #expect(errors.contains { $0.contains(failure) }, "\(server.process.output)") }
    return server.process.output
  }

  private func fixture(_ name: String) throws -> [UInt8] {
    Array(try Repository.text("Tests/Fixtures/python/frameworks/\(name).py").utf8)
  }

  private static let json = ["-H", "Content-Type: application/json", "-d"]
  private static let form = ["-F", "a=b", "-F", "f=@/etc/passwd"]

  private var passwords: Int { FileManager.default.contents(atPath: "/etc/passwd")?.count ?? 0 }

  @Test("Starlette: routes, forms, streams, files, background tasks, anyio, middleware", arguments: loops)
  func starlette(loop: String) throws {
    let output = try serve("starlette_app", loop, failures: ["RuntimeError: starlette fails"]) {
      (url) throws in
      let index = try Curl.get(url + "/")
      #expect(index.text == "Starlette says hello from the lifespan" && index["X-Stamp"] == "yes")
      #expect(try Curl.get(url + "/form", Self.form).text == "{\"a\":\"b\",\"size\":\(passwords)}")
      #expect(try Curl.get(url + "/stream?word=x").text == "x0\nx1\nx2\nx3\nx4\n")
      let body = TestBody.bytes(700_000)
      #expect(try Curl.post(url + "/echo", body, ["-H", "Transfer-Encoding: chunked"]).body == body)
      #expect(try Curl.get(url + "/file").body == fixture("starlette_app"))
      #expect(try Curl.get(url + "/file", ["-r", "2-10"]).text == "Starlette")
      #expect(try Curl.get(url + "/static/quart_app.py").body == fixture("quart_app"))
      #expect(try Curl.get(url + "/background").text == "now")
      #expect(try Curl.get(url + "/tasks").text.contains("\"c\""))
      #expect(try Curl.get(url + "/sync").text == "sync view")
      #expect(try Curl.get(url + "/fail").status == 500)
      _ = try Deadline.usual.wait(for: "the background task") {
        try Curl.get(url + "/done").text.contains("later") ? true : nil
      }
    }
    #expect(output.contains("starlette shuts down"), "\(output)")
  }

  @Test("FastAPI: models, dependencies, sync endpoints, uploads, clients inside, GraphQL", arguments: loops)
  func fastAPI(loop: String) throws {
    try serve("fastapi_app", loop) { (url) throws in
      #expect(try Curl.get(url + "/", ["-H", "X-Token: t"]).text == "{\"ready\":true,\"token\":\"t\"}")
      #expect(try Curl.get(url + "/sync/7").text == "{\"number\":7}")
      #expect(try Curl.get(url + "/sync/x").status == 422)
      let item = Self.json + ["{\"name\":\"n\",\"price\":1.5}"]
      #expect(try Curl.get(url + "/items", item).text == "{\"name\":\"n\",\"twice\":3.0}")
      #expect(try Curl.get(url + "/upload", ["-F", "f=@/etc/passwd"]).text == "{\"size\":\(passwords)}")
      #expect(try Curl.get(url + "/missing").status == 418)
      #expect(try Curl.get(url + "/events").text == "data: 0\n\ndata: 1\n\ndata: 2\n\n")
      _ = try Curl.get(url + "/later")
      _ = try Deadline.usual.wait(for: "the background task") {
        try Curl.get(url + "/later").text.contains("later") ? true : nil
      }
      #expect(try Curl.get(url + "/client?url=" + url).text == "[0,1,2]")
      #expect(try Curl.get(url + "/aiohttp?url=" + url).text == "[0,1,2]")
      #expect(try Curl.get(url + "/database/word").text == "[\"word\"]")
      let query = Self.json + ["{\"query\":\"{ hello }\"}"]
      #expect(try Curl.get(url + "/graphql", query).text.contains("GraphQL says hello"))
      #expect(try Curl.get(url + "/openapi.json").text.contains("\"/items\""))
    }
  }

  @Test("FastAPI behind nginx, over HTTP and over uwsgi, asked by httpx")
  func behindNginx() throws {
    let server = try start(
      "fastapi_app", "uvloop", ["--http-socket", "127.0.0.1:0", "--uwsgi-socket", "127.0.0.1:0"])
    let frontEnds = try ["proxy", "uwsgi"].map { try FrontEnd("nginx/\($0)-tcp.conf", before: server) }
    let client = "\(Repository.root)/Tests/Fixtures/clients/httpx_client.py"
    let (exit, output) = try ChildProcess.run(Self.home + "/bin/python", [client] + frontEnds.map(\.url))
    #expect(exit == .status(0), "\(output)\n\(server.process.output)")
    for frontEnd in frontEnds { try frontEnd.stop() }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    #expect(!server.process.output.contains(" error: "), "\(server.process.output)")
  }

  @Test("Django: sync and async views, streams, files, uploads", arguments: loops)
  func django(loop: String) throws {
    try serve("django_asgi", loop) { (url) throws in
      #expect(try Curl.get(url + "/").text == "Django says hello, asynchronously")
      #expect(try Curl.get(url + "/sync").text == "{\"other\": true}")
      #expect(try Curl.get(url + "/stream").text == "0\n1\n2\n3\n4\n")
      #expect(try Curl.get(url + "/file").body == fixture("django_asgi"))
      #expect(try Curl.get(url + "/upload", ["-F", "f=@/etc/passwd"]).text == "{\"f\": \(passwords)}")
      #expect(try Curl.get(url + "/fail").status == 500)
    }
  }

  @Test("Quart: startup, forms, bodies in pieces, streams", arguments: loops)
  func quart(loop: String) throws {
    try serve("quart_app", loop) { (url) throws in
      #expect(try Curl.get(url + "/").text == "Quart says hello, begun")
      #expect(try Curl.get(url + "/form", Self.form).text.contains("\"size\":\(passwords)"))
      #expect(try Curl.post(url + "/count", TestBody.bytes(300_000)).text == "300000")
      let stream = try Curl.get(url + "/stream")
      #expect(stream.text == "0\n1\n2\n3\n4\n" && stream["X-Kind"] == "stream")
      #expect(try Curl.get(url + "/fail").status == 500)
    }
  }

  @Test("Litestar: handlers, data, streams, files", arguments: loops)
  func litestar(loop: String) throws {
    try serve("litestar_app", loop) { (url) throws in
      #expect(try Curl.get(url + "/").text == "Litestar says hello")
      let item = Self.json + ["{\"name\":\"n\",\"price\":2}"]
      #expect(try Curl.get(url + "/items", item).text == "{\"name\":\"n\",\"twice\":4.0}")
      #expect(try Curl.get(url + "/sync").text == "sync")
      #expect(try Curl.get(url + "/stream").text == "0\n1\n2\n3\n4\n")
      #expect(try Curl.get(url + "/file").body == fixture("litestar_app"))
    }
  }

  @Test("Channels: its router for HTTP before Django and a consumer", arguments: loops)
  func channels(loop: String) throws {
    try serve("channels_app", loop) { (url) throws in
      #expect(try Curl.post(url + "/consumer", TestBody.bytes(5000)).text == "Channels got 5000 bytes")
      #expect(try Curl.get(url + "/").text == "Django says hello, asynchronously")
    }
  }

  @Test("Sanic in its ASGI mode", arguments: loops)
  func sanic(loop: String) throws {
    try serve("sanic_app", loop) { (url) throws in
      #expect(try Curl.get(url + "/").text == "Sanic says hello")
      #expect(try Curl.get(url + "/json", Self.json + ["{\"x\":1}"]).text.contains("\"x\":1"))
      #expect(try Curl.get(url + "/stream").text == "0\n1\n2\n3\n4\n")
    }
  }
}
