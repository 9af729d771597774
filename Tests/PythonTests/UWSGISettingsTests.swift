// Values of a configuration on their way to the Python that serves: whole, whatever they are, and unseen by
// other users of the machine.
import Foundation
import Support
import Testing

@Suite struct UWSGISettingsTests {
  static let loadings = [[String](), ["--lazy-apps"], ["--embed"]]
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write(
      """
      import os, sys, uwsgi
      def application(environ, start):
          start('200 OK', [])
          if environ['PATH_INFO'] == '/program':
              return [os.path.basename(os.path.realpath('/proc/self/exe')).encode()]
          value = uwsgi.opt[environ['PATH_INFO'][1:]]
          return [value.hex().encode(), b' ', sys.argv[-1].encode(), b' ', os.environ['PASSWORD'].encode()]

      """, to: "settings_app.py")
  }

  private func serve(_ lines: [String], _ options: [String]) throws -> ServerProcess {
    let head = [
      "[uwsgi]", "master = true", "processes = 2", "pythonpath = \(folder.path)", "module = settings_app",
      "env = PASSWORD=hunter2-of-env", "env = PYTHONPATH=\(folder.path)", "env = SEEN=\(folder.file("seen"))",
      "pyargv = hunter2-of-argv",
    ]
    try folder.write((head + lines).joined(separator: "\n") + "\n", to: "app.ini")
    return try ServerProcess(
      app: nil, ["--ini", folder.file("app.ini"), "--http-socket", "127.0.0.1:0"] + options)
  }

  private func hex(_ text: String) -> String { text.utf8.map { String(format: "%02x", $0) }.joined() }

  /// The program that serves is the one that is to be looked at.
  private func check(_ server: ServerProcess, _ options: [String]) throws {
    let program = try server.get("/program").text
    let isOwn = options == ["--embed"] || Repository.isAddressSanitized
    #expect((program == "server") == isOwn, "\(program)")
  }

  @Test("no command line has a value of the configuration, from the first moment on", arguments: loadings)
  func unseen(_ options: [String]) throws {
    // Runs before anything that the server gives the interpreter, which could tidy up after itself.
    try folder.write(
      """
      import os
      with open('/proc/self/cmdline', 'rb') as line, open(os.environ['SEEN'], 'ab') as seen:
          seen.write(line.read() + b'\\n')

      """, to: "sitecustomize.py")
    let server = try serve(["db-password = hunter2-of-key"], options)
    try check(server, options)
    let answer = try server.get("/db-password").text
    #expect(answer == "\(hex("hunter2-of-key")) hunter2-of-argv hunter2-of-env")
    for process in try FileManager.default.contentsOfDirectory(atPath: "/proc") where Int(process) != nil {
      // One may have ended meanwhile.
      guard let line = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") else { continue }
      #expect(line.range(of: Data("hunter2-of".utf8)) == nil, "\(String(decoding: line, as: UTF8.self))")
    }
    let seen = try String(contentsOfFile: folder.file("seen"), encoding: .utf8)
    #expect(!seen.isEmpty && !seen.contains("hunter2-of"), "\(seen)")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test(
    "a configuration of 200 KB, with every byte that a value may have, comes as it is", arguments: loadings)
  func whole(_ options: [String]) throws {
    let values = (0..<30).map { String(repeating: "\($0)x", count: 7000 / "\($0)x".count) }
    let characters = (1...0x17f).compactMap { Unicode.Scalar(UInt32($0)).map(Character.init) }
    let every = String(characters) + "\u{1e}server.opt\u{1f}a=b"
    let server = try serve(
      values.enumerated().map { "key\($0) = \($1)" }, options + ["--uwsgi-opt", "every=\(every)"])
    try check(server, options)
    for (name, value) in [("key0", values[0]), ("key29", values[29]), ("every", every)] {
      #expect(try server.get("/\(name)").text.hasPrefix(hex(value) + " "), "\(name)")
    }
    #expect(try server.get("/a").status == 500)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("nothing of that name that lies about is taken for the module", arguments: loadings)
  func ownName(_ options: [String]) throws {
    _ = try folder.folder("uwsgi")
    try folder.write("raise ImportError('not the server')\n", to: "uwsgidecorators.py")
    try folder.write(
      """
      import uwsgi, uwsgidecorators
      def application(environ, start):
          start('200 OK', [])
          return [f"{uwsgi.__spec__.origin} {uwsgidecorators.__spec__.origin}".encode()]

      """, to: "settings_app.py")
    let server = try serve([], options)
    #expect(try server.get("/").text == "<server> <server>", "\(server.process.output)")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  // A server with a sanitizer is Python's program itself, and starts none for which it could be too long.
  @Test(
    "a variable that is too long for a program ends the start with what to shorten",
    .disabled(if: Repository.isSanitized))
  func tooLong() throws {
    try folder.write(
      "[uwsgi]\nmodule = settings_app\npythonpath = \(folder.path)\nmaster = true\nenv = LONG="
        + String(repeating: "x", count: 140_000) + "\n", to: "long.ini")
    for options in [[], ["--lazy-apps"]] {
      let (exit, output) = try Python.refusal(["--ini", folder.file("long.ini")] + options)
      #expect(exit != .status(0) && output.contains("shorten what env sets"), "\(output)")
    }
  }
}
