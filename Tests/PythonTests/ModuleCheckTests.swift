// `server check` of a module: what is told without running it, and with --load.
import Foundation
import Support
import Testing

@Suite struct ModuleCheckTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for name in ["shop"] { try folder.folder(name) }
    for (name, text) in [
      ("plain.py", "def application(environ, start_response):\n    return []\n"),
      ("later.py", "async def app(scope, receive, send):\n    pass\n"),
      ("passes.py", "import later\ndef app(one, two, three): return later.app(one, two, three)\n"),
      ("shop/__init__.py", ""), ("shop/wsgi.py", "from .core import made as application\n"),
      ("shop/core.py", "class App:\n    def __call__(self, e, s):\n        return []\nmade = App()\n"),
      ("runs.py", "open('ran', 'w')\nimport plain\napplication = plain.application\n"),
      ("number.py", "application = 5\n"), ("one.py", "def application(request):\n    return request\n"),
      ("other.py", "def app(environ, start_response):\n    return []\n"),
      ("broken.py", "def (\n"), ("missing.py", "import no_such_thing\napplication = print\n"),
      ("raises.py", "raise ValueError('\\x1b[31m')\n"), ("leaves.py", "import os\nos._exit(3)\n"),
      ("hangs.py", "while True: pass\n"), ("crashes.py", "import os\nos.abort()\n"),
      (
        "threads.py",
        "import threading, time\n"
          + "threading.Thread(target=time.sleep, args=(60,), daemon=True, name='t').start()\n"
          + "def application(e, s): return []\n"
      ),
      ("made.py", "def application(*a): return []\ndef make(name): return application\n"),
    ] { try folder.write(text, to: name) }
  }

  private func check(_ words: [String]) throws -> (exit: ChildProcess.Exit, output: String) {
    try ChildProcess.run(Repository.server, ["check"] + words, directory: folder.path)
  }

  @Test(
    "what an application is, read and loaded alike",
    arguments: [
      ("plain", "WSGI"), ("plain.py", "WSGI"), ("./plain.py:application", "WSGI"), ("later:app", "ASGI"),
      ("passes:app", "ASGI"),
      ("shop.wsgi", "WSGI"), ("shop.core:made", "WSGI"),
    ])
  func good(_ target: String, _ interface: String) throws {
    for options in [[], ["--load"]] {
      let (exit, output) = try check([target] + options)
      #expect(exit == .status(0) && output.contains("interface   \(interface)\n"), "\(output)")
      #expect(output.contains("python      /") && output.contains("release     3."), "\(output)")
    }
  }

  @Test(
    "what would be refused is one sentence, and 1",
    arguments: [
      ("nothing", "there is no module nothing in"), ("shop.nothing", "there is no module shop.nothing in"),
      ("nothing.py", "there is no file"), ("other", "has no application"), ("number", "cannot be called"),
      ("broken", "SyntaxError|broken.py:1 is no Python"), ("missing", "no_such_thing"),
      ("one", "too many positional arguments|takes one argument, and is called with two"),
    ])
  func refused(_ target: String, _ words: String) throws {
    for options in [[], ["--load"]] {
      let (exit, output) = try check([target] + options)
      #expect(exit == .status(1) && output.contains("verdict     bad\n"), "\(output)")
      #expect(words.split(separator: "|").contains { output.contains($0) }, "\(output)")
    }
  }

  @Test("--asgi, --wsgi and --interface ask for one of the two, read and loaded alike")
  func asked() throws {
    for options in [[], ["--load"]] {
      for (words, interface) in [
        (["--asgi", "later:app"], "ASGI"), (["--wsgi", "plain"], "WSGI"),
        (["--interface", "asgi", "-w", "later:app"], "ASGI"), (["plain", "--interface", "wsgi"], "WSGI"),
      ] {
        let (exit, output) = try check(words + options)
        #expect(exit == .status(0) && output.contains("interface   \(interface)\n"), "\(output)")
      }
      for (words, sentence) in [
        (["--wsgi", "later:app"], "--wsgi asks for WSGI: write -w, which serves both, or --asgi"),
        (["--asgi", "plain"], "--asgi asks for ASGI: write -w, which serves both, or --wsgi"),
        (["later:app", "--interface", "wsgi"], "--interface asks for WSGI"),
      ] {
        let (exit, output) = try check(words + options)
        #expect(exit == .status(1) && output.contains(sentence), "\(output)")
      }
    }
  }

  @Test("nothing of it runs without --load")
  func runsNothing() throws {
    let (exit, output) = try check(["runs"])
    #expect(exit == .status(0), "\(output)")
    #expect(output.contains("unknown     application is what an expression makes\n"), "\(output)")
    for name in ["raises", "leaves", "hangs", "crashes"] { _ = try check([name]) }
    #expect(!FileManager.default.fileExists(atPath: folder.file("ran")))
    #expect(!FileManager.default.fileExists(atPath: folder.file("__pycache__")))
    #expect(try check(["runs", "--load"]).exit == .status(0))
    #expect(FileManager.default.fileExists(atPath: folder.file("ran")))
  }

  @Test(
    "what goes wrong while it is loaded is told",
    arguments: [
      ("raises", #"importing it failed with ValueError: \x1b[31m"#),
      ("leaves", "leaves ended the whole process (exit code 3) while it was loaded"),
      ("crashes", "crashes crashed (SIGABRT) while it was loaded"),
      ("hangs", "hangs did not come back within 1 second while it was loaded"),
    ])
  func loading(_ target: String, _ words: String) throws {
    let (exit, output) = try check([target, "--load", "--time-limit", "1"])
    #expect(exit == .status(1) && output.contains(words), "\(output)")
    #expect(!output.contains("\u{1b}"))
  }

  @Test("which Python would serve it, and which would be refused")
  func python() throws {
    for python in Interpreter.all {
      let (exit, output) = try check(["plain", "--json"] + python.options)
      #expect(exit == .status(0), "\(output)")
      let report = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
      #expect(report?["good"] as? Bool == true && report?["interface"] as? String == "WSGI")
      #expect(report?["loaded"] as? Bool == false && report?["reason"] is NSNull)
      #expect(report?["python"] as? String == python.path, "\(output)")
    }
    let (exit, output) = try check(["plain", "--python", try folder.program("#!/bin/sh\n", "pypy3")])
    #expect(exit == .status(1) && output.contains("leads to PyPy"), "\(output)")
  }

  @Test("what only running tells, and what stands beside it")
  func remarks() throws {
    #expect(try check(["made:make('x')"]).output.contains("unknown     make('x') is found by running it"))
    #expect(try check(["made:make('x')", "--load"]).output.contains("interface   WSGI\n"))
    #expect(try check(["made:make()", "--load"]).output.contains("does not fit its parameters"))
    #expect(try check(["threads", "--load"]).output.contains("starts the thread 't' while it is loaded"))
  }

  @Test(
    "mistakes on the command line are one sentence",
    arguments: [
      (["plain", "other"], "one file too many"), (["-w", "plain", "other"], "one module too many"),
      (["plain", "--exercise"], "for libraries"), (["plain", "-H"], "the value is missing"),
      (["-w", "a/b"], "is a path and no module"), (["plain", "-H", "nowhere"], "nowhere"),
    ])
  func mistakes(_ words: [String], _ sentence: String) throws {
    let (exit, output) = try check(words)
    #expect(exit == .status(1) && output.contains(sentence), "\(output)")
  }
}
