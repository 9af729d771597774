// `server new --language python`: what it writes starts with the one command that it prints, its framework
// from PyPI in an environment of its own.
import Foundation
import Support
import Testing

@Suite struct NewPythonTests {
  private static let frameworks = ["flask", "django", "fastapi"]

  private func make(
    _ name: String, _ options: [String], in folder: TemporaryFolder
  ) throws -> (exit: ChildProcess.Exit, output: String) {
    try ChildProcess.run(
      Repository.server, ["new", name, "--language", "python"] + options,
      environment: ["NSGI_SHARE": Repository.root], directory: folder.path)
  }

  @Test("a new app starts with the command that was printed, answers, and is good", arguments: frameworks)
  func newApp(_ framework: String) throws {
    let folder = try TemporaryFolder()
    let made = try make("shop", ["--framework", framework], in: folder)
    try #require(made.exit == .status(0), "\(made.output)")
    let lines = made.output.split(separator: "\n")
    let command = try #require(lines.last.map(String.init))
    #expect(lines.count == 2 && command.hasPrefix("  make -C shop serve"), "\(made.output)")

    let port = try FreePort.any()
    let process = try ChildProcess(
      "/bin/sh", ["-c", "exec \(command.trimmingCharacters(in: .whitespaces))"],
      environment: ["LISTEN": "127.0.0.1:\(port)", "VIRTUAL_ENV": ""], directory: folder.path)
    let url = "http://127.0.0.1:\(port)"
    try Deadline(seconds: 300).wait(for: "the first answer", output: { process.output }) {
      (try? Curl.get(url + "/"))?.status == 200 ? true : nil
    }
    let readme = try String(contentsOfFile: folder.file("shop/README.md"), encoding: .utf8)
    #expect(readme.hasPrefix("# shop\n") && readme.contains("make serve\n"))
    #expect(readme.contains("curl -s http://127.0.0.1:8080/\n") && readme.contains("Hello World!\n"))
    #expect(try Curl.get(url + "/").text == "Hello World!\n")
    #expect(try Curl.get(url + "/elsewhere").status == 404)
    if framework == "django" {
      #expect(try Curl.get(url + "/admin/login/").text.contains("csrfmiddlewaretoken"))
      #expect(try Curl.get(url + "/static/admin/css/base.css").status == 200)
      let rights = try FileManager.default.attributesOfItem(atPath: folder.file("shop/secret_key"))
      #expect(rights[.posixPermissions] as? Int == 0o600)
    }
    if framework == "fastapi" { #expect(try Curl.get(url + "/openapi.json").text.contains("\"shop\"")) }
    try process.stop()

    let module = framework == "django" ? "shop.wsgi" : "shop:app"
    let interface = framework == "fastapi" ? "ASGI" : "WSGI"
    for options in [[], ["--load"]] {
      let (exit, output) = try ChildProcess.run(
        Repository.server, ["check", module, "-H", "venv"] + options, directory: folder.file("shop"))
      #expect(exit == .status(0) && output.contains("interface   \(interface)\n"), "\(output)")
    }
    let checked = try ChildProcess.run(
      "/usr/bin/make", ["SERVER=\(Repository.server)", "check"], directory: folder.file("shop"))
    #expect(checked.exit == .status(0), "\(checked.output)")
  }

  @Test("what cannot be made is one sentence, and nothing is written")
  func refusals() throws {
    let folder = try TemporaryFolder()
    for (name, options, words) in [
      ("a", [], "no framework: add"), ("a", ["--framework", "rails"], "choose flask, django or fastapi"),
      ("json", ["--framework", "flask"], "a module of Python"),
      ("Django", ["--framework", "django"], "a module of Python"),
      ("a", ["--language", "c", "--framework", "flask"], "--framework is for Python"),
    ] {
      let (exit, output) = try make(name, options, in: folder)
      #expect(exit == .status(1) && output.contains(words), "\(output)")
      #expect(output.split(separator: "\n").count == 1)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }
}
