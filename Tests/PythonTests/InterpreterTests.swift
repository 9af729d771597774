// Any CPython with a shared library serves, each with its own modules; what cannot is refused in a sentence.
import Foundation
import Support
import Testing

@Suite struct InterpreterTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Modules with libraries of their own, where this Python is, and a type that has no constructor.
  private static let application = """
    import ctypes, hashlib, json, sqlite3, ssl, sys
    def application(environ, start):
      try:
        type(start)()
      except TypeError as error:
        refused = "cannot create" in str(error)
      start('200 OK', [('Content-Type', 'application/json')])
      return [json.dumps({'version': '.'.join(map(str, sys.version_info[:3])), 'prefix': sys.prefix,
        'base': sys.base_prefix, 'executable': sys.executable, 'refused': refused,
        'ssl': ssl.OPENSSL_VERSION_INFO[0] > 0, 'sqlite': sqlite3.sqlite_version > '3'}).encode()]

    """

  /// What a program says about itself.
  private func facts(_ program: String) throws -> [String] {
    let (exit, output) = try ChildProcess.run(
      program, ["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3], sys.prefix, sys.base_prefix)"])
    #expect(exit == .status(0), "\(output)")
    return output.split(whereSeparator: \.isWhitespace).map(String.init)
  }

  private func expect(_ program: String, _ options: [String], environment: [String: String] = [:]) throws {
    try folder.write(Self.application, to: "inside.py")
    let server = try Python.serve("inside", ["--pp", folder.path] + options, environment: environment)
    let answer = try server.object("/")
    let wanted = try facts(program)
    #expect(answer["version"] as? String == wanted[0])
    #expect(answer["prefix"] as? String == wanted[1])
    #expect(answer["base"] as? String == wanted[2])
    #expect((answer["executable"] as? String)?.hasPrefix("\(wanted[1])/bin/python") == true, "\(answer)")
    for name in ["ssl", "sqlite", "refused"] { #expect(answer[name] as? Bool == true, "\(name)") }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
    #expect(!server.process.output.contains("warning"), "\(server.process.output)")
  }

  @Test("a Python serves with its own modules, named by --python", arguments: Interpreter.all)
  func program(python: Interpreter) throws { try expect(python.path, python.options) }

  @Test(
    "so does that of a virtual environment, named by -H, by --python or by being active",
    arguments: Interpreter.all)
  func environment(python: Interpreter) throws {
    let home = folder.file("venv")
    let (exit, output) = try ChildProcess.run(
      python.path, ["-m", "venv", "--without-pip", home], deadline: Deadline(seconds: 60))
    #expect(exit == .status(0), "\(output)")
    try expect("\(home)/bin/python", ["-H", home])
    try expect("\(home)/bin/python", ["--python", "\(home)/bin/python"])
    try expect("\(home)/bin/python", [], environment: ["VIRTUAL_ENV": home])
  }

  @Test("wsgiref.validate finds nothing with any of them, over every protocol", arguments: Interpreter.others)
  func validates(python: Interpreter) throws {
    for gateway in GatewayRequest.gateways { try ServingTests.validate(gateway, python.options) }
  }

  @Test(
    "no head or body of an answer reaches into another one, with any of them",
    arguments: Interpreter.others)
  func sequences(python: Interpreter) throws { try HeadSequenceTests.compare(20_000, python.options) }

  @Test("memory stays flat with any of them", arguments: Interpreter.others)
  func flat(python: Interpreter) throws { try LeakTests.compare(4000, python.options) }

  // MARK: Refusals

  /// A program that is never run, and files beside it.
  private func refusal(_ program: String, files: [String: String] = [:]) throws -> String {
    for (name, text) in files.merging(["prefix/bin/\(program)": "#!/bin/false\n"], uniquingKeysWith: { $1 }) {
      try FileManager.default.createDirectory(
        atPath: (folder.file(name) as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      _ = try folder.program(text, name)
    }
    let (exit, output) = try Python.refusal(
      ["-w", "hello_world_app", "--python", folder.file("prefix/bin/\(program)")])
    #expect(exit == .status(22), "\(output)")
    return output
  }

  @Test(
    "what is no CPython 3.9 to 3.14 is refused by its name",
    arguments: [
      ("pypy3.10", "to PyPy"), ("python3.13t", "to the free-threaded build of Python 3.13"),
      ("python3.8", "to Python 3.8"), ("python3.15", "to Python 3.15"),
      ("perl", "not the program of a CPython 3"),
      ("python2.7", "not the program of a CPython 3"),
    ])
  func others(program: String, sentence: String) throws {
    let output = try refusal(program)
    #expect(output.contains(sentence), "\(output)")
    #expect(output.contains("name ") || output.contains("make the environment anew"), "\(output)")
  }

  @Test("a Python without a shared library is refused with the places that were looked at")
  func noLibrary() throws {
    let output = try refusal("python3.9")
    #expect(output.contains("has no shared library: libpython3.9.so.1.0 is neither in "), "\(output)")
    #expect(output.contains("libpython3.9)"), "\(output)")
  }

  @Test("a library that is damaged, or of another machine, is refused with the linker's words")
  func otherMachine() throws {
    // Of a machine that is none: an ELF file of 64 bits.
    let nothing = String(repeating: "\u{0}", count: 9)
    let text =
      "\u{7f}ELF\u{02}\u{01}\u{01}\(nothing)\u{03}\u{0}\u{1}\u{7e}" + String(repeating: nothing, count: 20)
    let output = try refusal("python3.10", files: ["prefix/lib/libpython3.10.so.1.0": text])
    #expect(output.contains("the library of Python cannot be loaded: \(folder.path)"), "\(output)")
  }

  @Test("an environment whose Python is gone, and a directory that is none, are refused")
  func noEnvironment() throws {
    let home = try folder.folder("venv")
    let nothing = try Python.refusal(["-w", "hello_world_app", "-H", home])
    #expect(nothing.exit == .status(22))
    #expect(nothing.output.contains("\(home) is neither a virtual environment"), "\(nothing.output)")
    try folder.write("home = /nowhere\n", to: "venv/pyvenv.cfg")
    let gone = try Python.refusal(["-w", "hello_world_app", "-H", home])
    #expect(gone.exit == .status(22))
    #expect(gone.output.contains("\(home) has no Python"), "\(gone.output)")
    let absent = try Python.refusal(["-w", "hello_world_app", "--python", folder.file("python3")])
    #expect(absent.exit == .status(22) && absent.output.contains("there is no program"), "\(absent.output)")
  }
}
