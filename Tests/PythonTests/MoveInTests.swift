// Configurations of uWSGI as their users write them: each starts as it is, serves, and stops.
import Foundation
import Support
import Testing

@Suite struct MoveInTests {
  static let folder = "\(Repository.root)/Tests/Fixtures/uwsgi-configs"
  /// A process with the Address Sanitizer in it takes more addresses than any `limit-as` that makes sense.
  static let files = (try? FileManager.default.contentsOfDirectory(atPath: folder))!
    .filter { $0 != "memory.ini" || !Repository.isAddressSanitized }
    .filter { ["ini", "yaml", "yml", "xml", "json"].contains(($0 as NSString).pathExtension) }.sorted()

  /// What the first lines of a file say of its test.
  private struct Wishes {
    var environment: [String: String] = [:]
    var target = "/"
    var words = ["hello"]

    init(_ text: String) {
      for line in text.split(separator: "\n").prefix(3) {
        let line = line.drop { "; #<!-".contains($0) }
        if line.hasPrefix("with: ") {
          for pair in line.dropFirst(6).split(separator: " ") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            environment[String(parts[0])] = String(parts[1])
          }
        } else if line.hasPrefix("ask: ") {
          let parts = line.dropFirst(5).split(separator: " ").map(String.init)
          target = parts[0]
          words = parts.dropFirst().map { $0.replacingOccurrences(of: "\r", with: "") }
        }
      }
    }
  }

  @Test("there are at least 60 of them") func thereAreMany() { #expect(Self.files.count >= 60) }

  @Test("a configuration of uWSGI starts as it is, serves, and stops", arguments: files)
  func startsUnchanged(_ file: String) throws {
    let place = try TemporaryFolder()
    let copy = place.file("site")
    try FileManager.default.copyItem(atPath: Self.folder, toPath: copy)
    let wishes = Wishes(try String(contentsOfFile: "\(copy)/\(file)", encoding: .utf8))
    let server = try ChildProcess(
      Repository.server, [file], environment: wishes.environment, directory: copy)
    do {
      let first = try server.waitForOutput("a ready socket") { output in
        let lines = (output + Self.logs(in: copy)).replacingOccurrences(of: " ./", with: " \(copy)/")
        return ServerProcess.readyLines(lines).first
      }
      let gateway = first.gateway == "recognised" ? "uwsgi" : first.gateway
      let socket = try RawSocket(first.address)
      let reply = try socket.exchange(gateway, wishes.target)
      #expect(reply.status == 200, "\(reply.text)")
      for word in wishes.words { #expect(reply.text.contains(word), "\(reply.text)") }
    } catch { Issue.record("\(file): \(error)\n\(server.output)") }
    #expect(try server.stop() == .status(0), "\(server.output)")
  }

  /// What a server has written to the log file that its configuration names.
  private static func logs(in directory: String) -> String {
    ["log.txt", "app.log"].compactMap { try? String(contentsOfFile: "\(directory)/\($0)", encoding: .utf8) }
      .joined()
  }

  /// A file that cannot be one, and what is said of it.
  static let broken: [(name: String, bytes: [UInt8], sentence: String)] = [
    ("long.ini", Array(repeating: UInt8(ascii: ";"), count: 10 << 20), "it is longer than 1 MiB"),
    (
      "latin.ini", Array("[uwsgi]\nname = caf".utf8) + [0xe9, 0x0a],
      "latin.ini:2: this is not UTF-8; save it in that encoding"
    ),
    ("utf16.ini", [0xff, 0xfe, 0x5b, 0x00, 0x75, 0x00], "utf16.ini:1: this is not UTF-8"),
    ("open.ini", Array("[uwsgi\nmodule = x\n".utf8), "open.ini:1: `[uwsgi` has no closing bracket"),
    ("circle.ini", Array("[uwsgi]\nini = %p\n".utf8), "circle.ini:2: `ini = "),
    ("tab.yaml", Array("uwsgi:\n\tmodule: x\n".utf8), "tab.yaml:2: "),
    (
      "deep.yaml", Array("uwsgi:\n  module:\n    x: y\n".utf8),
      "deep.yaml:3: the value of module is a word or a list"
    ),
    ("long.yaml", Array(repeating: UInt8(ascii: "#"), count: 10 << 20), "it is longer than 1 MiB"),
    ("bare.yaml", Array("module\n".utf8), "bare.yaml:1: write a section and its keys"),
    (
      "open.xml", Array("<uwsgi>\n<module>x\n</uwsgi>\n".utf8),
      "open.xml:3: an element ends that is not the one last begun"
    ),
    (
      "bomb.xml", Array("<!DOCTYPE x [\n<!ENTITY a \"b\">]>\n<uwsgi><module>&a;</module></uwsgi>".utf8),
      "bomb.xml:2: a configuration has no entities"
    ),
    (
      "klingon.xml", Array("<?xml version=\"1.0\" encoding=\"klingon\"?>\n<uwsgi/>".utf8),
      "klingon.xml:1: its encoding is not known here"
    ),
    ("empty.xml", [], "empty.xml:1: no element is in it"),
    (
      "circle.yaml", Array("uwsgi:\n  yaml: circle.yaml\n".utf8),
      "circle.yaml:2: `yaml = circle.yaml`: the files"
    ),
    ("open.json", Array("{\"uwsgi\": {\n\"module\": \"x\"\n".utf8), "it is no JSON"),
    ("comma.json", Array("{\"uwsgi\": {\n\"a\": \"x\"\n\"b\": 1}}".utf8), "comma.json:3: it is no JSON"),
  ]

  @Test("a broken file ends the start with one sentence and 1", arguments: broken.indices)
  func brokenFilesEndTheStart(_ row: Int) throws {
    let (name, bytes, sentence) = Self.broken[row]
    let place = try TemporaryFolder()
    try Data(bytes).write(to: URL(fileURLWithPath: place.file(name)))
    let (exit, output) = try ChildProcess.run(
      Repository.server, ["--check-config", name], directory: place.path)
    #expect(exit == .status(1))
    #expect(output.contains(sentence) && output.contains(name), "\(output)")
    #expect(output.split(separator: "\n").count == 1, "\(output)")
  }

  @Test("a value of 100 kB is not quoted whole, wherever it stands")
  func longValues() throws {
    let long = String(repeating: "x", count: 100_000)
    let place = try TemporaryFolder()
    try place.write(
      "[uwsgi]\nhttp-socket = :0\nmodule = m\nprocesses = \(long)\nplugin = \(long)\n", to: "a.ini")
    for words in [
      ["a.ini"], ["--http-socket", long], ["--include", long], [long], ["check", long], ["migrate", long],
      ["top", long],
      ["new", long, "--language", "c"], ["--app", long, "--mount", long, "--http-socket", ":0"],
    ] {
      let command =
        ["check", "migrate", "top", "new"].contains(words[0]) ? words : ["--check-config"] + words
      let (exit, output) = try ChildProcess.run(Repository.server, command, directory: place.path)
      #expect(exit == .status(1), "\(words[0].prefix(20))")
      for line in output.split(separator: "\n") where line.hasPrefix("server: ") {
        #expect(line.utf8.count < 2200, "\(words[0].prefix(20)): \(line.prefix(60))")
      }
    }
  }

  @Test("all that is wrong is told at once, each with its line")
  func everythingAtOnce() throws {
    let place = try TemporaryFolder()
    try place.write(
      "[uwsgi]\nhttp-socket = :0\nmodule = %(nope)\nharakiri = soon\nchroot = /srv\nhttps2 = addr=:443\n"
        + "mule = 2\n",
      to: "bad.ini")
    let (exit, output) = try ChildProcess.run(
      Repository.server, ["--check-config", "bad.ini"], directory: place.path)
    #expect(exit == .status(1))
    for line in 3...7 { #expect(output.contains("bad.ini:\(line): "), "\(output)") }
    #expect(output.contains("attach-daemon"), "what would be lost is told as well: \(output)")
  }

  @Test("Django with its admin and its files under a uwsgi.ini of twelve lines")
  func django() throws {
    let home = "\(Repository.root)/.build/frameworks"
    guard access(home + "/pyvenv.cfg", R_OK) == 0 else { throw SupportError.pythonMissing(home) }
    let place = try TemporaryFolder()
    let site = try place.folder("site")
    let made = try ChildProcess.run(
      home + "/bin/python", ["-m", "django", "startproject", "shop", site],
      deadline: Deadline(seconds: 60))
    #expect(made.exit == .status(0), "\(made.output)")
    let settings = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(site)/shop/settings.py"))
    try settings.seekToEnd()
    try settings.write(contentsOf: Data("STATIC_ROOT = BASE_DIR / 'files'\nDEBUG = False\n".utf8))
    try settings.write(contentsOf: Data("ALLOWED_HOSTS = ['localhost']\n".utf8))
    try settings.close()
    for command in [["migrate"], ["collectstatic", "--noinput"], ["createsuperuser", "--noinput"]] {
      let made = try ChildProcess.run(
        home + "/bin/python", ["manage.py"] + command,
        environment: [
          "DJANGO_SUPERUSER_USERNAME": "admin", "DJANGO_SUPERUSER_EMAIL": "a@example.org",
          "DJANGO_SUPERUSER_PASSWORD": "secret",
        ], directory: site, deadline: Deadline(seconds: 120))
      #expect(made.exit == .status(0), "\(made.output)")
    }
    try place.write(
      """
      [uwsgi]
      project = shop
      chdir = \(site)
      home = \(home)
      module = %(project).wsgi:application
      env = DJANGO_SETTINGS_MODULE=%(project).settings
      http-socket = 127.0.0.1:0
      master = true
      processes = 2   # small machine
      harakiri = 30
      vacuum = true
      static-map = /static=\(site)/files

      """, to: "uwsgi.ini")
    let server = try ChildProcess(Repository.server, [place.file("uwsgi.ini")])
    do {
      let first = try server.waitForOutput("a ready socket") { ServerProcess.readyLines($0).first }
      let url = "http://\(first.address)"
      let host = ["-H", "Host: localhost"]
      #expect(try Curl.get(url + "/admin/", host).status == 302)
      let jar = place.file("jar")
      let login = try Curl.get(url + "/admin/login/", host + ["-c", jar])
      #expect(login.status == 200 && login.text.contains("Django administration"))
      // Without DEBUG Django serves no file itself: whatever the page asks for is the server's.
      let files = login.text.matches(of: /"(\/static\/[^"]+)"/).map { String($0.output.1) }
      #expect(files.contains("/static/admin/css/base.css") && files.count > 3, "\(files)")
      for file in files {
        let reply = try Curl.get(url + file, host)
        #expect(reply.status == 200 && reply["ETag"] != nil, "\(file): \(reply)")
        if file.hasSuffix(".css") { #expect(reply["Content-Type"] == "text/css; charset=utf-8") }
      }
      #expect(try Curl.get(url + "/static/none.css", host).status == 404)
      let token = try #require(
        try String(contentsOfFile: jar, encoding: .utf8).split(separator: "\n")
          .first { $0.contains("csrftoken") }?.split(separator: "\t").last)
      let form = "username=admin&password=secret&next=/admin/&csrfmiddlewaretoken=\(token)"
      let jars = host + ["-b", jar, "-c", jar]
      #expect(try Curl.get(url + "/admin/login/", jars + ["-d", form]).status == 302)
      #expect(try Curl.get(url + "/admin/", jars).text.contains("Site administration"))
    } catch { Issue.record("\(error)\n\(server.output)") }
    #expect(try server.stop() == .status(0), "\(server.output)")
    #expect(server.output.contains("threads = 1"))
  }
}
