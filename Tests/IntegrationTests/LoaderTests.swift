// Apps that cannot be loaded, and apps whose file changes under a running server.
import Foundation
import Support
import Testing

@Suite struct LoaderTests {
  /// Starts a server that must not start: exit 22, one line that names the file and holds `words`.
  private func refuses(_ path: String, _ words: String..., comment: Comment? = nil) throws {
    let (exit, output) = try ServerProcess.run(["--app", path, "--http-socket", "127.0.0.1:0"])
    #expect(exit == .status(22), "\(output)")
    #expect(output.split(separator: "\n").count == 1, "\(output)")
    #expect(output.contains(path), "\(output)")
    for word in words { #expect(output.contains(word), "\(word) is not in: \(output)") }
  }

  private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

  @Test("a file that is not there") func missing() throws {
    try refuses("/nowhere/app.so", "does not exist")
  }

  @Test("a folder") func folder() throws { try refuses(try TemporaryFolder().folder("app.so")) }

  @Test("a text") func text() throws {
    let folder = try TemporaryFolder()
    try refuses(try folder.write("int application;\n", to: "app.so"))
  }

  @Test("an empty file") func empty() throws {
    let folder = try TemporaryFolder()
    try refuses(try folder.write("", to: "app.so"))
  }

  @Test("a library of which a part is missing", arguments: [0.1, 0.5, 0.9, 0.999])
  func truncated(part: Double) throws {
    let folder = try TemporaryFolder()
    let whole = try bytes(FixtureApp.path("plain"))
    let path = folder.file("app.so")
    try whole.prefix(Int(Double(whole.count) * part)).write(to: URL(fileURLWithPath: path))
    try refuses(path)
  }

  @Test("a library for another processor") func wrongArchitecture() throws {
    let folder = try TemporaryFolder()
    var whole = try bytes(FixtureApp.path("plain"))
    whole[18] = 0xf3  // e_machine: RISC-V
    whole[19] = 0
    let path = folder.file("app.so")
    try whole.write(to: URL(fileURLWithPath: path))
    try refuses(path)
  }

  @Test("a library that needs a function which nobody has") func undefinedSymbol() throws {
    try refuses(try FixtureApp.path("undefined_symbol"), "nobody_has_this")
  }

  @Test("a library for another C library: the version that it asks for is named") func otherLibc() throws {
    let folder = try TemporaryFolder()
    var whole = try bytes(Repository.app("environ"))
    var asked = 0
    // Of what any program on x86-64 asks for.
    while let place = whole.range(of: Data("GLIBC_2.2.5\0".utf8)) {
      whole.replaceSubrange(place, with: Data("GLIBC_9.9.9\0".utf8))
      asked += 1
    }
    #expect(asked > 0)
    let path = folder.file("app.so")
    try whole.write(to: URL(fileURLWithPath: path))
    try refuses(path, "GLIBC_9.9.9")
  }

  @Test("a library without an entry") func noEntry() throws {
    try refuses(try FixtureApp.path("no_entry"), "nsgi_entry", "application")
  }

  @Test("an entry that was named and is not there") func noNamedEntry() throws {
    let path = try FixtureApp.path("plain")
    let (exit, output) = try ServerProcess.run(["--app", "\(path):other", "--http-socket", "127.0.0.1:0"])
    #expect(exit == .status(22))
    #expect(output.contains("other"), "\(output)")
  }

  @Test("an app for a later interface: both versions are named") func laterMajor() throws {
    try refuses(try FixtureApp.path("later_major"), "2", "1")
  }

  @Test("an app whose load fails: its reason is shown") func loadFails() throws {
    try refuses(try FixtureApp.path("load_fails"), "the answers are not there yet")
  }

  @Test("overwriting, truncating and removing the app's file while it serves harms nothing")
  func fileChangesWhileServing() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("app.so")
    try FileManager.default.copyItem(atPath: Repository.app("environ"), toPath: path)
    let server = try ServerProcess(app: path)
    func serves() throws { _ = try EnvironReport(try Curl.get(server.url + "/")) }
    try serves()
    let file = try #require(FileHandle(forWritingAtPath: path))
    try file.write(contentsOf: Data(repeating: 0xcc, count: 65536))
    try serves()
    try file.truncate(atOffset: 0)
    try serves()
    try file.close()
    try FileManager.default.removeItem(atPath: path)
    try serves()
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
