// `make install` into an empty place, and what was built served from there: no variable of the environment,
// no working directory, nothing of the source tree.
import Foundation
import Support
import Testing

/// One installed tree below a folder of its own.
private final class Installed: Sendable {
  private let folder: TemporaryFolder
  /// The installed server.
  let server: String
  /// What PREFIX is, with DESTDIR before it.
  let prefix: String

  init() throws {
    folder = try TemporaryFolder()
    prefix = folder.file("dest/usr")
    server = prefix + "/bin/nsgi-server"
    let (exit, output) = try ChildProcess.run(
      "\(Repository.root)/packaging/stage.sh", ["/usr", folder.file("dest")],
      deadline: Deadline(seconds: 120))
    try #require(exit == .status(0), "\(output)")
  }

  /// Starts a program of the tree with no environment, in the root directory.
  func start(_ program: String, _ arguments: [String]) throws -> ChildProcess {
    try ChildProcess("/usr/bin/env", ["-i", program] + arguments, directory: "/")
  }

  /// Runs one to its end.
  func run(_ program: String, _ arguments: [String]) throws -> (exit: ChildProcess.Exit, output: String) {
    let child = try start(program, arguments)
    return (try child.wait(), child.output)
  }

  /// A path below the tests' own folder.
  func file(_ name: String) -> String { folder.file(name) }

  /// Starts the server; its process and where it answers.
  func serve(_ arguments: [String]) throws -> (process: ChildProcess, url: String) {
    let process = try start(server, arguments + ["--http-socket", "127.0.0.1:0"])
    return (process, try url(of: process))
  }

  /// Where a server answers that has been started.
  func url(of process: ChildProcess) throws -> String {
    let address = try process.waitForOutput("a ready socket") { output in
      let line = output.split(separator: "\n").first { $0.hasPrefix("server: http socket ") }
      return line.flatMap { $0.hasSuffix(" ready") ? $0.split(separator: " ")[3] : nil }
    }
    return "http://\(address)"
  }
}

@Suite(.serialized) struct InstallTests {
  private static let installed = Result { try Installed() }
  private var installed: Installed { get throws { try Self.installed.get() } }

  @Test("everything that an installation has is where it belongs")
  func files() throws {
    let names = [
      "bin/nsgi-server", "lib/nsgi-server/python3_plugin.so", "lib/nsgi-server/ffi_plugin.so",
      "lib/nsgi-server/config_reader", "lib/nsgi-server/libnsgi_tls.so", "lib/nsgi-server/nsgi_worker.so",
      "include/nsgi.h", "include/nsgi.hpp", "share/pkgconfig/nsgi.pc",
      "share/nsgi/templates/swift/Package.swift",
      "share/nsgi/sdk/rust/nsgi.rs", "share/nsgi/sdk/swift/Sources/NSGI/App.swift",
      "share/man/man8/nsgi-server.8", "share/man/man8/nsgi-server-ctl.8", "share/man/man5/nsgi-server.ini.5",
      "share/man/man3/nsgi.h.3", "share/bash-completion/completions/nsgi-server",
      "share/zsh/site-functions/_nsgi-server", "share/fish/vendor_completions.d/nsgi-server.fish",
      "lib/systemd/system/nsgi-server@.service", "share/doc/nsgi-server/LICENSE",
    ]
    for name in names {
      let path = try "\(installed.prefix)/\(name)"
      #expect(FileManager.default.fileExists(atPath: path), "\(name) is missing")
    }
  }

  @Test("units name what is there: no mark of the sources is left, and the group of Debian's front ends")
  func units() throws {
    func unit(_ ending: String) throws -> String {
      let path = try "\(installed.prefix)/lib/systemd/system/nsgi-server@.\(ending)"
      return try String(contentsOfFile: path, encoding: .utf8)
    }
    let (service, socket) = (try unit("service"), try unit("socket"))
    #expect(socket.contains("\nSocketGroup=www-data\n"))
    for line in ["StateDirectoryMode=0750", "RuntimeDirectoryMode=0700"] {
      #expect(service.contains("\n\(line)\n"), "\(line)")
    }
    #expect(!service.contains("@PREFIX@") && !(service + socket).contains("@FRONT_GROUP@"))
  }

  @Test("the program needs libc and its like, and shows none of its Swift runtime to what it loads")
  func runtime() throws {
    let programs = ["bin/nsgi-server", "lib/nsgi-server/config_reader", "lib/nsgi-server/nsgi_worker.so"]
    for name in programs + ["lib/nsgi-server/python3_plugin.so", "lib/nsgi-server/ffi_plugin.so"] {
      let path = try "\(installed.prefix)/\(name)"
      let dynamic = try ChildProcess.run("/usr/bin/readelf", ["-dW", path]).output
      let needed = dynamic.split(separator: "\n").filter { $0.contains("(NEEDED)") }
      let known = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"]
      for line in needed {
        #expect(known.contains { line.contains("[\($0)]") }, "\(name): \(line)")
      }
      #expect(!dynamic.contains("RUNPATH") && !dynamic.contains("RPATH"), "\(name) looks elsewhere")
      let symbols = try ChildProcess.run("/usr/bin/readelf", ["--dyn-syms", "-W", path]).output
      let shown = symbols.split(separator: "\n").filter {
        !$0.contains(" UND ") && ($0.contains(" swift_") || $0.contains(" _swift_") || $0.contains(" $ss"))
      }
      #expect(shown.isEmpty, "\(name) shows \(shown.prefix(3))")
      let versions = symbols.matches(of: /GLIBC_2\.(\d+)/).compactMap { Int($0.1) }
      #expect(versions.max() ?? 99 <= 35, "\(name) needs a glibc above 2.35, which docs/INSTALL.md states")
    }
  }

  @Test("a server from there names itself as it was called, and asks for what it has not")
  func words() throws {
    let help = try installed.run(installed.server, [])
    #expect(help.output.contains("Usage: nsgi-server --app PATH"), "\(help.output)")
    let words = ["--plugin", "perl:site.pl", "--http-socket", "127.0.0.1:0"]
    let wrong = try installed.run(installed.server, words)
    #expect(wrong.exit != .status(0))
    #expect(wrong.output.contains("the plugin perl was not found"), "\(wrong.output)")
    #expect(wrong.output.contains("/dest/usr/lib/nsgi-server"), "\(wrong.output)")
  }

  @Test("new, build against the installed header, check, serve, swap")
  func application() throws {
    let place = try installed.file("mine")
    let made = try installed.run(installed.server, ["new", "mine", "--language", "c", "--directory", place])
    try #require(made.exit == .status(0), "\(made.output)")
    #expect(
      try String(contentsOfFile: place + "/README.md", encoding: .utf8).contains("\nnsgi-server --app "))
    let library = place + "/mine.so"
    let flags = ["-O2", "-fPIC", "-shared", "-I", try installed.prefix + "/include"]
    let built = try ChildProcess.run("/usr/bin/gcc", flags + [place + "/mine.c", "-o", library])
    try #require(built.exit == .status(0), "\(built.output)")
    let checked = try installed.run(installed.server, ["check", library, "--exercise"])
    #expect(checked.exit == .status(0), "\(checked.output)")

    let control = try installed.file("control")
    let soon = ["--swap-soak", "0", "--swap-probation", "0", "-p", "1", "--control-socket", control]
    let (server, url) = try installed.serve(["--app", library] + soon)
    #expect(try Curl.get(url + "/").text == "Hello World!\n")
    let source = try String(contentsOfFile: place + "/mine.c", encoding: .utf8)
    try source.replacingOccurrences(of: "Hello World!", with: "Hello Again!")
      .write(toFile: place + "/mine.c", atomically: true, encoding: .utf8)
    #expect(
      try ChildProcess.run("/usr/bin/gcc", flags + [place + "/mine.c", "-o", library]).exit == .status(0))
    let swapped = try installed.run(installed.server, ["ctl", "--control-socket", control, "swap"])
    #expect(swapped.exit == .status(0), "\(swapped.output)")
    #expect(try Curl.get(url + "/").text == "Hello Again!\n")
    #expect(try server.stop() == .status(0), "\(server.output)")
  }

  @Test("the plugins are found beside it")
  func plugins() throws {
    try """
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"Python\\n"]
    """.write(toFile: installed.file("small.py"), atomically: true, encoding: .utf8)
    let (python, url) = try installed.serve(["--wsgi-file", installed.file("small.py"), "-p", "1"])
    #expect(try Curl.get(url + "/").text == "Python\n")
    #expect(try python.stop() == .status(0), "\(python.output)")
    let (functions, other) = try installed.serve(
      ["--call", "libm.so.6:pow(x: f64, y: f64) -> f64 pure", "-p", "1"])
    #expect(try Curl.get(other + "/pow?x=2&y=10").text.contains("1024"))
    #expect(try functions.stop() == .status(0), "\(functions.output)")
  }

  @Test(
    "configurations of other formats are read, and what is wrong with one is told",
    arguments: [
      ("yaml", "uwsgi:\n  http-socket: 127.0.0.1:0\n  processes: 1\n  wsgi-file: SITE\n"),
      (
        "xml",
        "<uwsgi><http-socket>127.0.0.1:0</http-socket><processes>1</processes>"
          + "<wsgi-file>SITE</wsgi-file></uwsgi>\n"
      ),
      (
        "json",
        "{\"uwsgi\": {\"http-socket\": \"127.0.0.1:0\", \"processes\": 1, \"wsgi-file\": \"SITE\"}}\n"
      ),
    ])
  func configurations(format: String, text: String) throws {
    let site = try installed.file("site-\(format).py")
    try """
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"of \(format)\\n"]
    """.write(toFile: site, atomically: true, encoding: .utf8)
    let file = try installed.file("site.\(format)")
    try text.replacingOccurrences(of: "SITE", with: site).write(
      toFile: file, atomically: true, encoding: .utf8)
    let server = try installed.start(installed.server, [file])
    let url = try installed.url(of: server)
    #expect(try Curl.get(url + "/").text == "of \(format)\n")
    #expect(try server.stop() == .status(0), "\(server.output)")
    try ("<:{\n" + text).write(toFile: file, atomically: true, encoding: .utf8)
    let wrong = try installed.run(installed.server, [file])
    #expect(wrong.exit == .status(1))
    #expect(wrong.output.contains("\(file):1: "), "\(wrong.output)")
  }

  @Test("nsgi.pc says where the header is, wherever the tree was moved to")
  func pkgConfig() throws {
    let (exit, output) = try ChildProcess.run(
      "/usr/bin/pkg-config", ["--cflags", "nsgi"],
      environment: ["PKG_CONFIG_PATH": try installed.prefix + "/share/pkgconfig"])
    #expect(exit == .status(0), "\(output)")
    let folder = output.trimmingCharacters(in: .whitespacesAndNewlines).dropFirst(2)
    #expect(FileManager.default.fileExists(atPath: folder + "/nsgi.h"), "\(output)")
  }

  @Test("without a toolchain the verbs that build say in one sentence that a package needs none")
  func noToolchain() throws {
    let folder = try TemporaryFolder()
    // What the script calls before it looks for the toolchain, and nothing else.
    for name in ["bash", "dirname"] {
      try FileManager.default.createSymbolicLink(
        atPath: folder.file(name), withDestinationPath: "/usr/bin/\(name)")
    }
    let (exit, output) = try ChildProcess.run(
      "/usr/bin/env", ["-i", "PATH=\(folder.path)", "\(Repository.root)/scripts/install.sh", "build"])
    #expect(exit == .status(1))
    #expect(output.hasPrefix("install: no Swift toolchain found: "), "\(output)")
    #expect(output.contains("docs/INSTALL.md") && output.split(separator: "\n").count == 1, "\(output)")
  }

  @Test("a prefix that cannot be used is one sentence", arguments: ["usr", "/proc/none"])
  func badPrefix(prefix: String) throws {
    let (exit, output) = try ChildProcess.run("\(Repository.root)/packaging/stage.sh", [prefix])
    #expect(exit == .status(1))
    #expect(output.hasPrefix("stage: ") && output.split(separator: "\n").count == 1, "\(output)")
  }
}
