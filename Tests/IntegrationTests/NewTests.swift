// `server new`: in each language the app that it writes is built, checked and served, as its README says.
import Foundation
import Support
import Testing

/// A compiler or another program of the machine, wherever the search path finds it.
private enum Tool: String {
  case make, cc, rustc, swift
  case cpp = "c++"

  /// What Debian calls it; Swift is what builds the tests.
  private var package: String { self == .cc ? "gcc" : self == .cpp ? "g++" : rawValue }

  /// Its path; a missing one is a failure that says how to get it.
  func path() throws -> String {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    let path = folders.map { "\($0)/\(rawValue)" }.first(where: FileManager.default.isExecutableFile)
    return try #require(
      path, "\(rawValue) is not installed; use: apt-get install --no-install-recommends \(package)")
  }
}

@Suite struct NewTests {
  private static let share = ["NSGI_SHARE": Repository.root]

  private func make(
    _ name: String, _ language: String, in folder: TemporaryFolder, _ options: [String] = []
  ) throws -> (exit: ChildProcess.Exit, output: String) {
    try ChildProcess.run(
      Repository.server, ["new", name, "--language", language] + options, environment: Self.share,
      directory: folder.path)
  }

  @Test("a new app builds, is good, and answers", arguments: ["c", "cpp", "rust", "swift"])
  func newApp(language: String) throws {
    let compiler: [String: Tool] = ["c": .cc, "cpp": .cpp, "rust": .rustc, "swift": .swift]
    _ = try compiler[language]?.path()
    let folder = try TemporaryFolder()
    let made = try make("my_app", language, in: folder)
    try #require(made.exit == .status(0), "\(made.output)")
    let directory = folder.file("my_app")

    let built = try ChildProcess.run(
      try Tool.make.path(), ["SERVER=\(Repository.server)", "check"], directory: directory,
      deadline: Deadline(seconds: 600))
    try #require(built.exit == .status(0), "\(built.output)")
    #expect(!built.output.contains("warning"), "\(built.output)")
    #expect(built.output.contains("verdict     good"), "\(built.output)")

    let text = try String(contentsOfFile: "\(directory)/README.md", encoding: .utf8)
    let recipe = Recipe(folder: directory, text: text)
    #expect(text.hasPrefix("# my_app\n"))
    #expect(recipe.run == "server --app ./my_app.so --http-socket 127.0.0.1:8080")
    let test = try #require(recipe.tests.first)
    let server = try ServerProcess(app: "\(directory)/my_app.so")
    let command = test.command.replacingOccurrences(of: "http://127.0.0.1:8080", with: try server.url)
    let (exit, output) = try ChildProcess.run("/bin/sh", ["-c", command])
    #expect(exit == .status(0))
    #expect(output == test.answer)
    #expect(try Curl.get(server.url + "/elsewhere").status == 404)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("--directory, also below directories that are not there; nothing is overwritten")
  func directories() throws {
    let folder = try TemporaryFolder()
    let made = try make("a", "c", in: folder, ["--directory", "x/y/z"])
    #expect(made.exit == .status(0), "\(made.output)")
    let source = folder.file("x/y/z/a.c")
    #expect(FileManager.default.fileExists(atPath: source))
    try "mine".write(toFile: source, atomically: false, encoding: .utf8)
    let again = try make("a", "c", in: folder, ["--directory=x/y/z"])
    #expect(again.exit == .status(1))
    #expect(again.output == "server: x/y/z is not empty: choose another with --directory, or empty it\n")
    #expect(try String(contentsOfFile: source, encoding: .utf8) == "mine")
    try folder.folder("empty")
    #expect(try make("b", "c", in: folder, ["--directory", "empty"]).exit == .status(0))
    let file = try make("c", "c", in: folder, ["--directory", "x/y/z/a.c"])
    #expect(file.exit == .status(1))
    #expect(file.output.contains("Not a directory"), "\(file.output)")
  }

  @Test(
    "names that are none",
    arguments: [
      "9lives", "my-app", "a b", "", "class", "nsgi", "\u{e4}", "../x", "a.so",
    ])
  func badNames(name: String) throws {
    let folder = try TemporaryFolder()
    let (exit, output) = try make(name, "c", in: folder)
    #expect(exit == .status(1))
    #expect(output.hasPrefix("server: `\(name)` "), "\(output)")
    #expect(output.split(separator: "\n").count == 1, "\(output)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test(
    "mistakes on the command line are one sentence",
    arguments: [
      ([], "no name for the app"), (["a"], "no language"),
      (["a", "--language", "cobol"], "choose one of c, cpp"),
      (["a", "b", "--language", "c"], "one name too many"),
      (["a", "--lang", "c"], "`--lang` is not an option"),
      (["a", "--language"], "the value is missing"),
      (["a", "--language", "c", "--directory="], "the value is missing"),
    ])
  func mistakes(arguments: [String], words: String) throws {
    let folder = try TemporaryFolder()
    let (exit, output) = try ChildProcess.run(
      Repository.server, ["new"] + arguments, environment: Self.share, directory: folder.path)
    #expect(exit == .status(1))
    #expect(output.hasPrefix("server: ") && output.contains(words), "\(output)")
  }

  @Test("a template builds where it lies; what that leaves is not copied", arguments: ["c", "cpp", "rust"])
  func template(language: String) throws {
    let folder = try TemporaryFolder()
    let template = folder.file("templates/\(language)")
    try folder.folder("templates")
    for one in Set(["c", language]) {
      let copy = ["-rL", "\(Repository.root)/templates/\(one)", folder.file("templates/\(one)")]
      #expect(try ChildProcess.run("/bin/cp", copy).exit == .status(0))
    }
    let built = try ChildProcess.run(
      try Tool.make.path(), ["SERVER=\(Repository.server)", "check"], directory: template,
      deadline: Deadline(seconds: 120))
    #expect(built.exit == .status(0), "\(built.output)")
    let made = try ChildProcess.run(
      Repository.server, ["new", "other", "--language", language],
      environment: ["NSGI_SHARE": folder.path], directory: folder.path)
    #expect(made.exit == .status(0), "\(made.output)")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.file("other"))
    #expect(names.contains { $0.hasPrefix("other.") } && !names.contains { $0.hasSuffix(".so") }, "\(names)")
    #expect(!names.contains { $0.hasPrefix("my_app") }, "\(names)")
  }

  /// Copies a program in a process of its own: written here, a child that another test starts meanwhile
  /// would hold it open for writing, and "Text file busy" it would be.
  private func copy(_ program: String, _ target: String) throws {
    #expect(try ChildProcess.run("/bin/cp", [program, target]).exit == .status(0))
  }

  @Test("the interface is found beside the executable, or in the source tree around it, or not at all")
  func share() throws {
    let folder = try TemporaryFolder()
    try folder.folder("bin")
    let server = folder.file("bin/server")
    try copy(Repository.server, server)
    func make(_ name: String) throws -> (exit: ChildProcess.Exit, output: String) {
      try ChildProcess.run(server, ["new", name, "--language", "c"], directory: folder.path)
    }
    let none = try make("none")
    #expect(none.exit == .status(1))
    #expect(none.output.contains("set NSGI_SHARE to"), "\(none.output)")
    #expect(!FileManager.default.fileExists(atPath: folder.file("none")))

    try folder.folder("share")
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("share/nsgi"), withDestinationPath: Repository.root)
    let beside = try make("beside")
    #expect(beside.exit == .status(0), "\(beside.output)")

    try folder.folder("tree/.build/release")
    let built = folder.file("tree/.build/release/server")
    try copy(Repository.server, built)
    try folder.folder("tree/templates/c")
    try folder.write("/* of the tree */\n", to: "tree/templates/c/nsgi.h")
    let (exit, output) = try ChildProcess.run(
      built, ["new", "tree_app", "--language", "c"], directory: folder.path)
    #expect(exit == .status(0), "\(output)")
    let header = try String(contentsOfFile: folder.file("tree_app/nsgi.h"), encoding: .utf8)
    #expect(header == "/* of the tree */\n")
  }
}
