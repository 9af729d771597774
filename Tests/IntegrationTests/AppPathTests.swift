// Paths of apps that hold what has a meaning in the options: release folders such as /srv/app=blue and
// /srv/app:2026-11-28.
import Foundation
import Support
import Testing

@Suite struct AppPathTests {
  static let names = [
    "x=1/hello.so", "a:b.so", "x:2026-11-28/hello.so", "x=1/a:hello", "a:b(1)/c.so", "a=b:c=d.so",
  ]

  /// A copy of an app by an odd name.
  private func odd(_ name: String, in folder: TemporaryFolder) throws -> String {
    let path = folder.file(name)
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: Repository.app("hello_world_app"), toPath: path)
    return path
  }

  private func serves(_ options: [String], at mount: String = "/") throws {
    let server = try ServerProcess(app: nil, ["--http-socket", "127.0.0.1:0", "-p", "1"] + options)
    #expect(try Curl.get(try server.url + mount).text == "Hello World!\n", "\(server.process.output)")
    #expect(try server.stop() == .status(0))
  }

  @Test("a path that is there as it is written is that path", arguments: names)
  func asWritten(name: String) throws {
    let folder = try TemporaryFolder()
    let path = try odd(name, in: folder)
    try serves(["--app", path])
    try serves(["--app", "/m=\(path)"], at: "/m/")
    try serves(["--mount", "/m=\(path)"], at: "/m/")
    try serves(["--app", "\(path):application"])
    try serves(["--app", path, "-p", "2"])
    let ini = try folder.write("[server]\napp = \(path)\n", to: "server.ini")
    try serves(["--ini", ini])
    // Relative paths begin where --chdir leads.
    try serves(["--chdir", folder.path, "--app", name])
  }

  @Test("a swap takes a file by such a name, and a reload and a rollback keep it", arguments: names)
  func swapped(name: String) throws {
    let folder = try TemporaryFolder()
    let path = try odd(name, in: folder)
    let server = try SupervisedServer(
      Repository.app("environ"), workers: 1, ["--swap-soak", "0", "--swap-probation", "0"])
    let (exit, output) = try server.ctl("swap", "/", path)
    #expect(exit == 0, "\(output)")
    let url = try server.server.url
    #expect(try Curl.get(url).text == "Hello World!\n")
    #expect(try server.ctl("rollback").exit == 0)
    #expect(try Curl.get(url).text != "Hello World!\n")
    #expect(try server.ctl("swap", path).exit == 0)
    #expect(try server.ctl("swap").output.contains("nothing to do"))
    #expect(try Curl.get(url).text == "Hello World!\n")
    #expect(try server.stop() == .status(0))
  }

  @Test("a Python file by such a name is that file", arguments: ["a:b.py", "x:1/c.py", "x=1/d.py"])
  func pythonFile(name: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.file(name)
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    let text = "def application(e, s):\n    s('200 OK', [])\n    return [b'Hello World!\\n']\n"
    try text.write(toFile: path, atomically: false, encoding: .utf8)
    try serves(["--wsgi-file", path])
    try serves(["--mount", "/m=\(path)"], at: "/m/")
  }

  @Test("check takes it too", arguments: names)
  func checked(name: String) throws {
    let folder = try TemporaryFolder()
    let result = try CheckResult.of(try odd(name, in: folder))
    #expect(result.good && result.entry?.symbol == "application", "\(result.reason ?? "")")
  }

  @Test("a file that is not there is told with the way its name was read")
  func missing() throws {
    let (exit, output) = try ServerProcess.run(["--app", "/nowhere/x=1/a.so", "--http-socket", "127.0.0.1:0"])
    #expect(exit == .status(22))
    #expect(output.contains("stands for 1/a.so at the mount point /nowhere/x"), "\(output)")
    #expect(output.contains("is written /=/nowhere/x=1/a.so"), "\(output)")
    let colon = try ServerProcess.run(["--app", "/nowhere/a:b.so", "--http-socket", "127.0.0.1:0"])
    #expect(colon.exit == .status(1))
    #expect(colon.output.contains("there is no file /nowhere/a:b.so"), "\(colon.output)")
  }
}
