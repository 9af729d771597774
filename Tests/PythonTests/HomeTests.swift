// --venv: whose packages and whose standard library an application finds.
import Foundation
import Support
import Testing

@Suite struct HomeTests {
  @Test("a virtual environment is honoured, whether it is named -H, --venv or --virtualenv")
  func venv() throws {
    let folder = try TemporaryFolder()
    let home = folder.file("venv")
    let (exit, output) = try ChildProcess.run(
      "/usr/bin/python3", ["-m", "venv", "--without-pip", home], deadline: Deadline(seconds: 60))
    #expect(exit == .status(0), "\(output)")
    let release = try #require(
      FileManager.default.contentsOfDirectory(atPath: home + "/lib").first { $0.hasPrefix("python3") })
    try "text = 'in the environment'".write(
      toFile: "\(home)/lib/\(release)/site-packages/only_here.py", atomically: false, encoding: .utf8)
    try folder.write(
      "import only_here, sys\ndef application(environ, start):\n  start('200 OK', [])\n"
        + "  return [f'{only_here.text} {sys.prefix}'.encode()]\n", to: "inside.py")
    for option in ["-H", "--venv", "--virtualenv", "--home"] {
      try Python.run("inside", [option, home, "--pp", folder.path]) { (server) throws in
        #expect(try server.get("/").text == "in the environment \(home)")
      }
    }
    let absent = try Python.refusal(["-w", "hello_world_app", "-H", folder.file("absent")])
    #expect(absent.exit == .status(22))
    #expect(absent.output.contains("does not exist"))
    try FileManager.default.moveItem(atPath: "\(home)/lib/\(release)", toPath: "\(home)/lib/python3.1")
    let other = try Python.refusal(["-w", "hello_world_app", "-H", home])
    #expect(other.exit == .status(22))
    #expect(other.output.contains("is of another Python"))
  }

  /// Another Python of the same minor version, as far as looking for its files goes: none of it would run.
  private func otherPython(_ folder: TemporaryFolder) throws -> (prefix: String, release: String) {
    let release = try #require(
      FileManager.default.contentsOfDirectory(atPath: "/usr/lib").first { $0.hasPrefix("python3.") })
    let prefix = try folder.folder("other")
    for place in ["bin", "lib", "lib/\(release)", "lib/\(release)/site-packages"] {
      try FileManager.default.createDirectory(atPath: "\(prefix)/\(place)", withIntermediateDirectories: true)
    }
    _ = try folder.program("#!/bin/false\n", "other/bin/\(release)")
    for module in ["os", "ssl", "encodings"] {
      try folder.write(
        "raise ImportError('undefined symbol: _PyModule_Add')\n", to: "other/lib/\(release)/\(module).py")
    }
    return (prefix, release)
  }

  private static let application = """
    import only_here, ssl, sys
    def application(environ, start):
      start('200 OK', [])
      return [f'{only_here.text} {sys.prefix} {sys.base_prefix} {ssl.OPENSSL_VERSION_INFO[0] > 0}'.encode()]

    """

  @Test("an environment made by another build has its packages, and the plugin's own standard library")
  func otherBuild() throws {
    let folder = try TemporaryFolder()
    let (prefix, release) = try otherPython(folder)
    try folder.write(Self.application, to: "inside.py")
    let home = try folder.folder("venv")
    let packages = "venv/lib/\(release)/site-packages"
    for place in ["venv/bin", packages] {
      try FileManager.default.createDirectory(
        atPath: folder.file(place), withIntermediateDirectories: true)
    }
    try folder.write("text = 'in the environment'\n", to: "\(packages)/only_here.py")
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("venv/bin/python"), withDestinationPath: "\(prefix)/bin/\(release)")
    for base in ["\(prefix)/bin", "\(prefix)/gone"] {
      try folder.write(
        "home = \(base)\ninclude-system-site-packages = false\nversion = 3.11.99\n", to: "venv/pyvenv.cfg")
      let output = try Python.run("inside", ["-H", home, "--pp", folder.path]) { (server) throws in
        #expect(try server.get("/").text == "in the environment \(home) /usr True")
      }
      let words = "was made by Python 3.11.99 in \(base)"
      let warning = output.split(separator: "\n").first { $0.contains(words) }
      #expect(warning?.contains("the one that was found is Python 3.") == true, "\(output)")
    }
  }

  @Test("the prefix of another build has its packages found too")
  func otherPrefix() throws {
    let folder = try TemporaryFolder()
    let (prefix, release) = try otherPython(folder)
    try folder.write(Self.application, to: "inside.py")
    try folder.write("text = 'in the prefix'\n", to: "other/lib/\(release)/site-packages/only_here.py")
    let output = try Python.run("inside", ["-H", prefix, "--pp", folder.path]) { (server) throws in
      #expect(try server.get("/").text == "in the prefix /usr /usr True")
    }
    #expect(output.contains("\(prefix) is the prefix of another Python than the"), "\(output)")
  }
}
