// `server check`: good apps, every kind of bad one, and what the exercise finds in apps that misbehave.
import Foundation
import Support
import Testing

/// What `server check --json` says.
struct CheckResult: Decodable {
  struct Entry: Decodable { let symbol, form: String }
  struct Unloading: Decodable {
    let possible: Bool
    let why: String
  }
  struct Breakdown: Decodable {
    let kind: String
    let signal, `where`: String?
    let code: Int?
  }
  struct Step: Decodable {
    let name: String
    let outcome: String?
    let violations: [String]
  }
  struct Exercise: Decodable {
    let violations: Int
    let steps: [Step]
  }
  struct Library: Decodable {
    let name: String
    let file: String?
    let `for`: String
  }

  let file: String
  let good, loaded: Bool
  let libraries: [Library]
  let reason: String?
  let size: Int?
  let build_id: String?
  let needed, flags: [String]
  let entry: Entry?
  let name, version: String?
  let unloading: Unloading?
  let load_ms, probe_ms: Double?
  let breakdown: Breakdown?
  let exercise: Exercise?

  /// Runs `server check FILE --load --json OPTIONS`, without `--load` if not `loads`; its exit code has to
  /// fit what it says.
  static func of(_ file: String, _ options: [String] = [], loads: Bool = true) throws -> CheckResult {
    let options = (loads ? ["--load"] : []) + options
    let (exit, output) = try ChildProcess.run(
      "/bin/sh",
      ["-c", "exec \"$0\" \"$@\" 2>/dev/null", Repository.server, "check", file, "--json"] + options,
      deadline: Deadline(seconds: 120))
    let result = try JSONDecoder().decode(CheckResult.self, from: Data(output.utf8))
    #expect(exit == .status(result.good ? 0 : 1), "\(output)")
    #expect(result.good == (result.reason == nil), "\(output)")
    #expect(result.reason?.contains("\n") != true, "\(output)")
    return result
  }
}

@Suite struct CheckTests {
  /// Every example app, with what it needs to start.
  static let apps: [String] = {
    let folder = (Repository.app("environ") as NSString).deletingLastPathComponent
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { $0.hasSuffix(".so") }.map { String($0.dropLast(3)) }.sorted()
  }()

  private static func options(of app: String, _ folder: TemporaryFolder) -> [String] {
    let values = ["files": "root=\(folder.path)", "upload": "dir=\(folder.path)", "sse": "interval-ms=1"]
    return values[app].map { ["--app-option", $0] } ?? []
  }

  @Test("every example app is good, and stays so in the exercise", arguments: apps)
  func goodApps(name: String) throws {
    let folder = try TemporaryFolder()
    let result = try CheckResult.of(Repository.app(name), ["--exercise"] + Self.options(of: name, folder))
    #expect(result.good, "\(result.reason ?? "")")
    let exercise = try #require(result.exercise)
    #expect(exercise.violations == 0)
    #expect(exercise.steps.count >= 10)
    for step in exercise.steps { #expect(step.outcome != nil, "\(step.name)") }
  }

  @Test("nothing that an app starts while it is checked gets more rights than the caller has")
  func rights() throws {
    let result = try CheckResult.of(try FixtureApp.path("privileges"), [])
    #expect(result.good && result.loaded, "\(result.reason ?? "")")
  }

  @Test("there are example apps to check") func thereAreApps() {
    #expect(Self.apps.contains("environ") && Self.apps.contains("hello_world_app"), "use: make apps")
  }

  @Test("what is in the file, and what the app says of itself")
  func facts() throws {
    let path = Repository.app("environ")
    let result = try CheckResult.of(path)
    #expect(result.file == path)
    #expect(result.entry?.symbol == "nsgi_entry" && result.entry?.form == "full")
    #expect(result.name == "environ" && result.version == "1.0")
    #expect(result.flags == ["NSGI_THREADSAFE"])
    #expect(result.needed.contains("libc.so.6"))
    #expect(result.build_id?.count == 40)
    #expect(result.load_ms != nil && result.probe_ms == nil)
    #expect(result.exercise == nil && result.breakdown == nil)
    let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
    #expect(result.size == size)
    let plain = try CheckResult.of(Repository.app("hello_world_app"))
    #expect(plain.entry?.symbol == "application" && plain.entry?.form == "plain")
    let second = try CheckResult.of(try FixtureApp.path("both_forms") + ":second_nsgi_entry")
    #expect(second.entry?.symbol == "second_nsgi_entry" && second.name == "second")
  }

  @Test("people get a line a fact, and the reason as the last one")
  func text() throws {
    let good = try ServerProcess.run(["check", "--load", Repository.app("environ")])
    #expect(good.exit == .status(0))
    #expect(good.output.contains("\nentry       nsgi_entry (full form)\n"), "\(good.output)")
    #expect(good.output.hasSuffix("verdict     good\n"), "\(good.output)")
    let bad = try ServerProcess.run(["check", "--load", try FixtureApp.path("load_fails")])
    #expect(bad.exit == .status(1))
    #expect(bad.output.contains("verdict     bad\n"), "\(bad.output)")
    #expect(bad.output.hasSuffix("cannot start: the answers are not there yet\n"), "\(bad.output)")
  }

  @Test(
    "files that cannot be an app",
    arguments: [
      ("bad_magic", "magic number"), ("bad_size", "bytes, which cannot be right"),
      ("entry_is_data", "is data"),
      ("later_major", "speaks NSGI 2.0"), ("later_minor", "needs NSGI 1.9"), ("no_call", "no call()"),
      ("no_entry", "exports neither"), ("undefined_symbol", "nobody_has_this"),
      ("refuses_host", "refuses this server"),
      ("load_fails", "the answers are not there yet"), ("probe_fails", "probe() returned NSGI_TIMEOUT"),
    ])
  func refused(fixture: String, words: String) throws {
    let path = try FixtureApp.path(fixture)
    let result = try CheckResult.of(path)
    let reason = try #require(result.reason)
    #expect(reason.contains(words) && reason.contains(path), "\(reason)")
    #expect(result.breakdown == nil)
  }

  @Test("files that are no library") func noLibrary() throws {
    let folder = try TemporaryFolder()
    let text = try folder.write("#!/bin/sh\n", to: "script.so")
    #expect(try CheckResult.of(text).reason?.contains("no ELF header") == true)
    #expect(try CheckResult.of(try folder.write("", to: "empty.so")).reason?.contains("is empty") == true)
    #expect(try CheckResult.of(folder.path).reason?.contains("not a regular file") == true)
    #expect(try CheckResult.of(folder.file("none.so")).reason?.contains("does not exist") == true)
    let strange = folder.file("a \"b\" \\ \u{1} \u{e4}.so")
    #expect(try CheckResult.of(strange).file == strange)
  }

  @Test(
    "a crash is told with its signal and its place",
    arguments: [
      ("crashes_in_constructor", [], "constructors"), ("crashes_in_entry", [], "nsgi_entry"),
      ("crashes_in_call", ["--exercise"], "step plain GET"),
    ])
  func crashes(fixture: String, options: [String], place: String) throws {
    let result = try CheckResult.of(try FixtureApp.path(fixture), options)
    #expect(!result.good)
    #expect(result.breakdown?.kind == "crash")
    #expect(result.breakdown?.signal == "SIGSEGV")
    #expect(result.breakdown?.where == place)
  }

  @Test("a crash in a call needs a call") func crashesInCallOnly() throws {
    #expect(try CheckResult.of(try FixtureApp.path("crashes_in_call")).good)
  }

  @Test("an app that hangs is ended at the time limit, and nothing of it is left") func hangs() throws {
    // A path of its own: another test checks the same app meanwhile.
    let folder = try TemporaryFolder()
    let path = folder.file("hangs.so")
    try FileManager.default.copyItem(atPath: FixtureApp.path("hangs_in_load"), toPath: path)
    let result = try CheckResult.of(path, ["--time-limit", "0.3"])
    #expect(result.breakdown?.kind == "hang")
    #expect(result.breakdown?.where == "load")
    #expect(result.reason?.contains("within 0.3 seconds in load()") == true, "\(result.reason ?? "")")
    let lines = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"
    let running = try ChildProcess.run("/bin/sh", ["-c", lines])
    #expect(!running.output.contains("check-child \(path) "), "the child still runs")
  }

  @Test("an app that ends the process") func exits() throws {
    let result = try CheckResult.of(try FixtureApp.path("exits_in_load"))
    #expect(result.breakdown?.kind == "exit")
    #expect(result.breakdown?.code == 3)
    #expect(result.breakdown?.where == "load")
  }

  @Test("private copies are gone afterwards, after a crash too") func nothingLeft() throws {
    let folder = try TemporaryFolder()
    for fixture in ["plain", "crashes_in_entry", "hangs_in_load"] {
      let path = try FixtureApp.path(fixture)
      _ = try ServerProcess.run(
        ["check", path, "--load", "--time-limit", "0.3"],
        environment: ["TMPDIR": folder.path, "XDG_RUNTIME_DIR": folder.path])
      let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      #expect(left.isEmpty, "\(fixture) leaves \(left)")
    }
  }

  // MARK: Of the file alone

  @Test(
    "without --load nothing of the file runs",
    arguments: ["crashes_in_constructor", "crashes_in_entry", "hangs_in_load", "exits_in_load", "load_fails"])
  func runsNothing(fixture: String) throws {
    let result = try CheckResult.of(try FixtureApp.path(fixture), loads: false)
    #expect(result.good && !result.loaded, "\(result.reason ?? "")")
    #expect(result.breakdown == nil && result.load_ms == nil && result.name == nil)
    #expect(result.entry != nil && result.build_id != nil)
  }

  @Test(
    "what the file tells without running is told",
    arguments: [
      ("entry_is_data", "is data"), ("no_entry", "exports neither"),
    ])
  func refusedUnread(fixture: String, words: String) throws {
    let result = try CheckResult.of(try FixtureApp.path(fixture), loads: false)
    #expect(result.reason?.contains(words) == true, "\(result.reason ?? "")")
  }

  @Test("libraries are found where the linker finds them, and one that is nowhere is told")
  func libraries() throws {
    let folder = try TemporaryFolder()
    let first = try LinkedApp.library(1, at: folder.file("a/libdep.so.1"))
    let app = try LinkedApp.build("shop", 1, with: first, in: folder)
    let result = try CheckResult.of(app, loads: false)
    #expect(result.good)
    #expect(result.libraries.first { $0.name == "libdep.so.1" }?.file == first)
    #expect(result.libraries.first { $0.name == "libc.so.6" }?.file?.contains("libc.so.6") == true)
    try FileManager.default.removeItem(atPath: first)
    let missing = try CheckResult.of(app, loads: false)
    #expect(missing.reason?.contains("libdep.so.1, for \(app), is not found") == true, "\(missing)")
    #expect(try CheckResult.of(app).reason?.contains("libdep.so.1") == true)
  }

  @Test("every example app is good without being run, and people are told that it was not", arguments: apps)
  func examplesUnread(name: String) throws {
    let (exit, output) = try ServerProcess.run(["check", Repository.app(name)])
    #expect(exit == .status(0), "\(output)")
    #expect(output.hasSuffix("verdict     good, as far as the file tells; --load runs it\n"), "\(output)")
  }

  // MARK: The exercise

  @Test(
    "wrongs of the full form",
    arguments: [
      ("early-return", "without a response"), ("no-start", "write() before start()"),
      ("write-before-start", "write() before start()"), ("late-start", "start() after bytes of the body"),
      ("double-respond", "respond() after respond()"),
      ("unasked-finish", "without the promise NSGI_MAY_ASYNC"),
      ("unasked-async", "without the promise NSGI_MAY_ASYNC"), ("positive", "is no nsgi_result"),
      ("crlf-header", "control character such as CR or LF"), ("bad-name", "is not a token"),
      ("connection-header", "belongs to the connection"), ("bad-status", "status 42"),
      ("too-long", "beyond the Content-Length of 10"),
      ("too-short", "Content-Length of 10 and wrote 4 bytes"),
    ])
  func wrongs(path: String, words: String) throws {
    let result = try CheckResult.of(Repository.app("misbehaving"), ["--exercise", "--path", "/\(path)"])
    try expect(words, in: result)
  }

  @Test(
    "wrongs of the plain form",
    arguments: [
      ("no-start", "without a response"), ("crlf", "control character such as CR or LF"),
      ("bad-status", "three digits"), ("too-long", "beyond the Content-Length of 3"),
      ("too-short", "Content-Length of 3 and wrote 2 bytes"), ("positive", "is no nsgi_result"),
      ("other-thread", "read() on a thread that is in no request"),
    ])
  func plainWrongs(path: String, words: String) throws {
    let app = try FixtureApp.path("plain_wrongs")
    try expect(words, in: try CheckResult.of(app, ["--exercise", "--path", "/\(path)"]))
  }

  @Test(
    "wrongs of asynchronous apps",
    arguments: [
      ("twice", "finish() a second time"), ("late", "write() after the exchange has ended"),
      ("stranger", "a request that never was"), ("lent", "lent bytes were changed"),
      ("never", "no finish() within"),
    ])
  func asyncWrongs(mode: String, words: String) throws {
    let options = ["--exercise", "--time-limit", "4", "--app-option", "mode=\(mode)"]
    try expect(words, in: try CheckResult.of(try FixtureApp.path("async"), options))
  }

  private func expect(_ words: String, in result: CheckResult) throws {
    #expect(!result.good)
    let exercise = try #require(result.exercise)
    let found = exercise.steps.flatMap(\.violations)
    #expect(found.contains { $0.contains(words) }, "\(found)")
    #expect(exercise.violations == found.count)
    #expect(result.breakdown == nil)
  }

  @Test("a request that is used after its end is a crash that is told") func usedAfterEnd() throws {
    let app = try FixtureApp.path("async")
    let result = try CheckResult.of(app, ["--exercise", "--app-option", "mode=keeps"])
    #expect(result.breakdown?.signal == "SIGSEGV")
    #expect(result.breakdown?.where == "step HEAD")
  }

  @Test("asynchronous apps that do right", arguments: ["", ":never_waits_nsgi_entry"])
  func asyncRights(symbol: String) throws {
    let result = try CheckResult.of(try FixtureApp.path("async") + symbol, ["--exercise"])
    #expect(result.good, "\(result.reason ?? "")")
    let waits = result.exercise?.steps.contains { $0.name == "host that is never ready at once" }
    #expect(waits == !symbol.isEmpty)
  }

  @Test("an answer without an end is none that is wrong, if it ends with its client") func endless() throws {
    let app = try FixtureApp.path("async")
    let result = try CheckResult.of(app, ["--exercise", "--time-limit", "2", "--app-option", "mode=endless"])
    #expect(result.good, "\(result.reason ?? "")")
    let outcome = result.exercise?.steps.first?.outcome
    #expect(outcome?.hasSuffix("until the client left") == true, "\(outcome ?? "")")
  }

  @Test("the promise to be unloadable is tried") func unloading() throws {
    let app = try FixtureApp.path("async")
    for options in [[], ["--exercise"]] {
      #expect(try CheckResult.of(app + ":leaves_nsgi_entry", options).unloading?.possible == true)
      let stays = try CheckResult.of(app + ":stays_nsgi_entry", options)
      #expect(stays.unloading?.possible == false)
      #expect(stays.good == options.isEmpty)
    }
  }

  // MARK: The command line

  @Test(
    "mistakes on the command line are one sentence",
    arguments: [
      ([], "no file to check"), (["a.so", "b.so"], "one file too many"),
      (["--jsn", "a.so"], "`--jsn` is not an option"),
      (["a.so", "--time-limit"], "the value is missing"), (["a.so", "--time-limit=0"], "is no time limit"),
      (["a.so", "--json=1"], "takes no value"), (["a.so", "--path", "x"], "begin it with a slash"),
      (["a.so", "--app-option", "x"], "key=value"), (["a.so", "--app-option", "x=y"], "add --load"),
      (["a.so", "--load=1"], "takes no value"),
    ])
  func mistakes(arguments: [String], words: String) throws {
    let (exit, output) = try ServerProcess.run(["check"] + arguments)
    #expect(exit == .status(1))
    #expect(output.hasPrefix("server: ") && output.contains(words), "\(output)")
    #expect(output.split(separator: "\n").count == 1, "\(output)")
  }

  @Test("help", arguments: [["check", "--help"], ["help", "check"], ["new", "--help"], ["help", "new"]])
  func help(arguments: [String]) throws {
    let (exit, output) = try ServerProcess.run(arguments)
    #expect(exit == .status(0))
    let command = arguments.first { $0 == "check" || $0 == "new" } ?? ""
    #expect(output.hasPrefix("Usage: server \(command) "), "\(output)")
  }

  @Test("a client cannot ask a CGI program for a subcommand", arguments: ["check", "new", "check-child"])
  func notThroughCGI(word: String) throws {
    let app = try FixtureApp.path("plain")
    let (exit, output) = try ServerProcess.run(
      [word, app],
      environment: ["GATEWAY_INTERFACE": "CGI/1.1", "QUERY_STRING": "x=1", "REQUEST_METHOD": "GET"])
    #expect(exit == .status(1))
    #expect(output.contains("is not expected here"), "\(output)")
  }
}
