// The frameworks that people write WSGI applications with, from PyPI, each driven by a real client.
import Foundation
import Support
import Testing

@Suite struct FrameworkTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Serves a module of Tests/Fixtures/python/frameworks from the environment that scripts/install.sh makes;
  /// `body` gets the URL, directly and then behind lighttpd. Nothing may be wrong in the log.
  private func serve(
    _ module: String, failures: [String] = [], environment: [String: String] = [:],
    _ body: (String) throws -> Void
  ) throws {
    let home = "\(Repository.root)/.build/frameworks"
    guard access(home + "/pyvenv.cfg", R_OK) == 0 else { throw SupportError.pythonMissing(home) }
    let server = try ServerProcess(
      app: nil,
      ["--no-master", "-L", "--plugin", "python3", "-w", module, "-H", home, "--pythonpath"]
        + [Python.folder + "/frameworks", "--http-socket", "127.0.0.1:0", "--fastcgi-socket", "DIR/f.sock"],
      environment: environment.mapValues { $0.replacingOccurrences(of: "DIR", with: folder.path) })
    let frontEnd = try Python.lighttpd(before: server, in: folder)
    do {
      try body(try server.url)
      try body(frontEnd.url)
    } catch { Issue.record("\(error)\n\(server.process.output)") }
    _ = try frontEnd.process.stop()
    #expect(try server.stop() == .status(0))
    let errors = server.process.output.split(separator: "\n").filter { $0.contains(" error: ") }
    for line in errors where failures.isEmpty { Issue.record("in the log: \(line)") }
    for failure in failures { #expect(errors.contains { $0.contains(failure) }) }
  }

  /// The bytes of a fixture.
  private func fixture(_ name: String) throws -> [UInt8] {
    Array(try Repository.text("Tests/Fixtures/python/frameworks/\(name).py").utf8)
  }

  @Test("Flask: routes, forms with files, streams, ranges, sessions, JSON, errors")
  func flask() throws {
    try serve("flask_app", failures: ["RuntimeError: flask fails"]) { (url) throws in
      #expect(try Curl.get(url + "/").text == "Flask says hello")
      let form = try Curl.get(url + "/form", ["-F", "a=b", "-F", "f=@/etc/passwd"])
      #expect(form.text.contains("\"form\":{\"a\":\"b\"}"))
      #expect(try Curl.get(url + "/stream?word=x").text == "x0\nx1\nx2\nx3\nx4\n")
      #expect(try Curl.get(url + "/file").body == fixture("flask_app"))
      let range = try Curl.get(url + "/file", ["-r", "3-8"])
      #expect(range.status == 206 && range.text == "Flask:")
      #expect(try Curl.get(url + "/memory").body.count == 100_000)
      let jar = folder.file("jar")
      try? FileManager.default.removeItem(atPath: jar)
      for count in 1...2 {
        #expect(try Curl.get(url + "/count", ["-b", jar, "-c", jar]).text == "\(count)")
      }
      let json = ["-X", "PUT", "-H", "Content-Type: application/json", "-d", "{\"a\":1}"]
      #expect(try Curl.get(url + "/json", json).text == "{\"a\":1}\n")
      #expect(try Curl.get(url + "/json", json + ["-H", "Transfer-Encoding: chunked"]).text == "{\"a\":1}\n")
      #expect(try Curl.get(url + "/abort").status == 418)
      #expect(try Curl.get(url + "/fail").status == 500)
    }
  }

  @Test("Bottle: routes, forms, static files, generators")
  func bottle() throws {
    try serve("bottle_app") { (url) throws in
      #expect(try Curl.get(url + "/").text == "Bottle says hello")
      #expect(try Curl.get(url + "/form", ["-F", "name=n", "-F", "file=@/etc/hosts"]).text.contains("\"n\""))
      #expect(try Curl.get(url + "/file").body == fixture("bottle_app"))
      #expect(try Curl.get(url + "/stream").text == "ab")
    }
  }

  @Test("Falcon: resources, media, streams")
  func falcon() throws {
    try serve("falcon_app") { (url) throws in
      #expect(try Curl.get(url + "/").text == "Falcon says hello")
      let json = ["-H", "Content-Type: application/json", "-d", "{\"x\":[1]}"]
      #expect(try Curl.get(url + "/", json).text.contains("\"got\": {\"x\": [1]}"))
      #expect(try Curl.get(url + "/stream").body.count == 50_000)
    }
  }

  @Test("Pyramid: views and files")
  func pyramid() throws {
    try serve("pyramid_app") { (url) throws in
      #expect(try Curl.get(url + "/hello/w").text.hasPrefix("Pyramid says hello to w"))
      #expect(try Curl.get(url + "/file").body == fixture("pyramid_app"))
    }
  }

  @Test("Django: SQLite, streams, files, uploads, static files, the admin behind its login")
  func django() throws {
    try serve("django_app", environment: ["DJANGO_DATABASE": "DIR/django.db"]) { (url) throws in
      #expect(try Curl.get(url + "/").text == "Django says hello to 1 user")
      #expect(try Curl.get(url + "/stream").text == "0\n1\n2\n3\n4\n")
      #expect(try Curl.get(url + "/file").body == fixture("django_app"))
      let size = try #require(FileManager.default.contents(atPath: "/etc/passwd")).count
      #expect(try Curl.get(url + "/upload", ["-F", "f=@/etc/passwd"]).text == "{\"f\": \(size)}")
      #expect(try Curl.get(url + "/static/admin/css/base.css").text.contains("body {"))
      let jar = folder.file("jar")
      try? FileManager.default.removeItem(atPath: jar)
      _ = try Curl.get(url + "/admin/login/", ["-c", jar])
      let cookies = try String(contentsOfFile: jar, encoding: .utf8)
      let line = try #require(cookies.split(separator: "\n").first { $0.contains("csrftoken") })
      let token = try #require(line.split(separator: "\t").last)
      let form = "username=admin&password=secret&next=/admin/&csrfmiddlewaretoken=\(token)"
      #expect(try Curl.get(url + "/admin/login/", ["-b", jar, "-c", jar, "-d", form]).status == 302)
      #expect(try Curl.get(url + "/admin/", ["-b", jar]).text.contains("Site administration"))
    }
  }

  @Test("httpbin: what it reflects is what was asked")
  func httpbin() throws {
    try serve("httpbin:app") { (url) throws in
      #expect(try Curl.get(url + "/get?a=b").text.contains("\"a\": \"b\""))
      #expect(try Curl.get(url + "/post", ["-d", "x=y"]).text.contains("\"x\": \"y\""))
      #expect(try Curl.get(url + "/stream/3").text.split(separator: "\n").count == 3)
      #expect(try Curl.get(url + "/bytes/5000").body.count == 5000)
      #expect(try Curl.get(url + "/status/418").status == 418)
      #expect(try Curl.get(url + "/gzip", ["--compressed"]).text.contains("\"gzipped\": true"))
      #expect(try Curl.get(url + "/basic-auth/u/p", ["-u", "u:p"]).status == 200)
      #expect(try Curl.get(url + "/redirect/2", ["-L"]).status == 200)
      #expect(try Curl.get(url + "/range/100", ["-r", "10-19"]).text == "klmnopqrst")
    }
  }

  @Test("WsgiDAV passes litmus")
  func webDAV() throws {
    let litmus = "/usr/bin/litmus"
    try #require(
      access(litmus, X_OK) == 0, "use: apt-get install --no-install-recommends litmus")
    try folder.folder("dav")
    try serve("dav_app", environment: ["DAV_ROOT": "DIR/dav"]) { (url) throws in
      let (exit, output) = try ChildProcess.run(
        litmus, ["-k", url + "/"], directory: folder.path, deadline: Deadline(seconds: 120))
      #expect(exit == .status(0))
      #expect(output.components(separatedBy: " 0 failed. 100.0%").count == 6, "\(output)")
    }
  }
}
