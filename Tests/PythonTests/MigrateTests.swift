// `server migrate`: what it prints starts, and answers as the configuration says.
import Foundation
import Support
import Testing

@Suite struct MigrateTests {
  private static let folder = "\(Repository.root)/Tests/Fixtures/migration"
  private static let site = "\(Repository.root)/Tests/Fixtures/uwsgi-configs"

  /// What `server migrate` prints of a file, started; `body` asks.
  private func migrate(_ file: String, _ body: (String, String) throws -> Void) throws {
    let place = try TemporaryFolder()
    let (exit, text) = try ChildProcess.run(Repository.server, ["migrate", file])
    #expect(exit == .status(0), "\(text)")
    try place.write(text, to: "server.ini")
    let server = try ChildProcess(Repository.server, [place.file("server.ini")])
    do {
      let first = try server.waitForOutput("a ready socket") { ServerProcess.readyLines($0).first }
      try body("http://\(first.address)", text)
    } catch { Issue.record("\(error)\n\(text)\n\(server.output)") }
    #expect(try server.stop() == .status(0), "\(server.output)")
  }

  @Test("a configuration of gunicorn's is run, and starts") func gunicorn() throws {
    try migrate(Self.folder + "/gunicorn.conf.py") { (url, text) throws in
      #expect(try Curl.get(url + "/").text == "hello  / live threads")
      for line in ["threads = 4\n", "harakiri = 60\n", "max-requests-delta = 50\n"] {
        #expect(text.contains(line), "\(text)")
      }
      #expect(text.contains("LOST") && text.contains("`post_fork`: nothing calls it"))
      #expect(!text.contains("may print") && !text.contains("cores"))
    }
  }

  @Test("a configuration of Unit's is read, and starts") func unit() throws {
    let place = try TemporaryFolder()
    let text = try String(contentsOfFile: Self.folder + "/unit.json", encoding: .utf8)
    try place.write(text.replacingOccurrences(of: "DIR", with: Self.site), to: "unit.json")
    try migrate(place.file("unit.json")) { (url, text) throws in
      #expect(try Curl.get(url + "/").text == "hello  / live threads")
      #expect(try Curl.get(url + "/static/style.css").text.contains("margin"))
      #expect(text.contains("processes = 2\n") && text.contains("cheaper = 1\n"))
    }
  }

  @Test(
    "configurations of uWSGI's come out as they went in", arguments: ["plain.ini", "site.yaml", "django.ini"])
  func uwsgi(_ file: String) throws {
    try migrate("\(Self.site)/\(file)") { (url, text) throws in
      #expect(try Curl.get(url + "/").text.hasPrefix("hello"))
      #expect(text.contains("[server]\n"))
    }
  }

  @Test("gunicorn's own words serve")
  func commandLine() throws {
    let server = try ServerProcess(
      app: nil, ["shop.wsgi:application", "-b", "127.0.0.1:0", "-w", "2", "--chdir", Self.site], sockets: 1)
    do {
      #expect(try Curl.get(server.url + "/").text == "hello  /  alone")
    } catch { Issue.record("\(error)\n\(server.process.output)") }
    #expect(try server.stop() == .status(0))
  }

  @Test(
    "what cannot be migrated is told in one sentence",
    arguments: [
      ("x = (", "it cannot be run (SyntaxError"), ("raise SystemExit(3)", "it cannot be run ("),
      ("import no_such_thing_here", "it cannot be run (ModuleNotFoundError"),
    ])
  func broken(_ text: String, _ sentence: String) throws {
    let place = try TemporaryFolder()
    try place.write(text + "\n", to: "g.py")
    let (exit, output) = try ChildProcess.run(Repository.server, ["migrate", place.file("g.py")])
    #expect(exit == .status(1) && output.contains(sentence), "\(output)")
    #expect(output.split(separator: "\n").count == 1, "\(output)")
  }

  @Test(
    "a broken configuration of uWSGI's is told in one sentence with its line",
    arguments: [
      ("open.ini", "[uwsgi\n", "open.ini:1: "), ("open.xml", "<uwsgi>\n<a>", "open.xml:2: "),
      ("flat.yaml", "module\n", "flat.yaml:1: "), ("open.json", "{\n", "line 2: "),
    ])
  func brokenFiles(_ name: String, _ text: String, _ place: String) throws {
    let folder = try TemporaryFolder()
    try folder.write(text, to: name)
    let (exit, output) = try ChildProcess.run(Repository.server, ["migrate", folder.file(name)])
    #expect(exit == .status(1) && output.contains(place), "\(output)")
    #expect(output.split(separator: "\n").count == 1, "\(output)")
  }

  @Test(
    "what other formats than ini have of their own comes out as uWSGI reads it",
    arguments: [
      ("a.json", "{\"uwsgi\": {\"disable-logging\": null, \"vacuum\": true}}", "disable-logging = false\n"),
      ("mark.json", "\u{feff}{\"uwsgi\": {\"threads\": 7}}", "threads = 7\n"),
      (
        "a.xml", "<uwsgi id=\"shop\"><app mountpoint=\"/p\">\n<script> shop.wsgi </script>\n</app></uwsgi>",
        "mount = /p=shop.wsgi\n"
      ),
      ("nested.xml", "<x><uwsgi><threads>7</threads><master/></uwsgi></x>", "threads = 7\n"),
      ("groups.yaml", "uwsgi:\n- threads: 7\n  master: true\n- processes: 2\n", "threads = 7\n"),
      ("list.yaml", "uwsgi:\n  env: [A=1, 'B=#2']\n  threads: 7 # seven\n", "env = B=#2\nthreads = 7\n"),
    ])
  func formats(_ name: String, _ text: String, _ line: String) throws {
    let folder = try TemporaryFolder()
    try folder.write(text, to: name)
    let (exit, output) = try ChildProcess.run(Repository.server, ["migrate", folder.file(name)])
    #expect(exit == .status(0) && output.contains(line), "\(output)")
  }

  @Test("a file that is not there, and none") func nothing() throws {
    for words in [
      ["migrate"], ["migrate", "/nope.ini"], ["migrate", "/nope.py"], ["migrate", "/nope.json"],
    ] {
      let (exit, output) = try ChildProcess.run(Repository.server, words)
      #expect(exit == .status(1) && output.split(separator: "\n").count == 1, "\(output)")
    }
  }
}
