// C functions behind a running server: the plugin, its options, mounts, and what surrounds a call.
import Foundation
import Support
import Testing

@Suite struct FFIServerTests {
  private static let socket = ["--http-socket", "127.0.0.1:0"]
  private static let pow = "/pow=libm.so.6:pow(x: f64, y: f64) -> f64 pure threadsafe"

  private func server(_ options: [String]) throws -> ServerProcess {
    try ServerProcess(app: nil, options + Self.socket)
  }

  /// The fixture library, compiled with `options`.
  private func sample(_ folder: TemporaryFolder, _ options: [String] = ["-g0"]) throws -> String {
    let library = folder.file("sample.so")
    let (exit, output) = try ChildProcess.run(
      try Program.gcc.path(),
      ["-std=c11", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC"] + options
        + ["-o", library, "\(Repository.root)/Tests/Fixtures/ffi/sample.c", "-lm"])
    try #require(exit == .status(0), "\(output)")
    return library
  }

  @Test("a function of an unmodified library answers")
  func oneFunction() throws {
    for options in [["--plugin", "ffi", "--call", Self.pow], ["--call", Self.pow]] {
      let server = try server(options)
      let reply = try Curl.get("\(server.url)/pow?x=2&y=10")
      #expect(reply.status == 200)
      #expect(reply["content-type"] == "application/json")
      #expect(reply.text == "{\"result\":1024}")
      #expect(try server.stop() == .status(0), "\(server.process.output)")
    }
  }

  @Test("several options make one app, and a mount another")
  func mounts() throws {
    let server = try server([
      "--call", Self.pow, "--call", "libm.so.6:sqrt(x: f64) -> f64",
      "--mount", "/more=\(Repository.root)/apps/ffi_libm/math.sig",
    ])
    let url = try server.url
    #expect(try Curl.get("\(url)/pow?x=2&y=3").text == "{\"result\":8}")
    #expect(try Curl.post("\(url)/sqrt?x=4", []).text == "{\"result\":2}")
    #expect(try Curl.get("\(url)/more/hypot?x=3&y=4").text == "{\"result\":5}")
    let refused = try Curl.get("\(url)/sqrt?x=4")
    #expect(refused.status == 405)
    #expect(refused["allow"] == "POST, OPTIONS")
    let document = try Curl.get("\(url)/more/.well-known/openapi.json")
    let object = try #require(try JSONSerialization.jsonObject(with: Data(document.body)) as? [String: Any])
    #expect(object["openapi"] as? String == "3.1.0")
    #expect((object["servers"] as? [[String: String]])?.first == ["url": "/more"])
    let paths = try #require(object["paths"] as? [String: Any])
    #expect(paths.keys.sorted() == ["/bessel", "/frexp", "/gamma", "/hypot", "/pow"])
    let options = try Curl.get("\(url)/pow", ["-X", "OPTIONS"])
    #expect(options["allow"] == "GET, HEAD, POST, OPTIONS")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("--app LIBRARY:SYMBOL with a signature serves an app that has no nsgi.h")
  func oddEntry() throws {
    let folder = try TemporaryFolder()
    let signature =
      "answer(method: cstr, path: cstr, body: bytes, http_x_color: cstr, type: out[64] cstr,"
      + " reply: out[4096], n: inout u64 = len(reply)) -> i32"
    let server = try server(["--app", "/odd=\(try sample(folder)):\(signature)"])
    let reply = try Curl.post("\(server.url)/odd/x", Array("12345".utf8), ["-H", "X-Color: blue"])
    #expect(reply.status == 200)
    #expect(reply["content-type"] == "text/x-odd")
    #expect(reply.text == "POST /x 5 blue")
    #expect(try Curl.get("\(server.url)/odd/missing").status == 404)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a library is found by soname, by path and in the working directory")
  func places() throws {
    let folder = try TemporaryFolder()
    let library = try sample(folder)
    for name in [library, "./sample.so", "sample.so"] {
      let process = try ChildProcess(
        Repository.server, ["--call", "\(name):motto() -> cstr pure"] + Self.socket, directory: folder.path)
      let url = try process.waitForOutput("ready") { output in
        output.firstMatch(of: /http socket (127[.:0-9]+) ready/).map { "http://\($0.1)" }
      }
      #expect(try Curl.get("\(url)/motto").text == "{\"result\":\"festina lente\"}", "\(name)")
      #expect(try process.stop() == .status(0), "\(process.output)")
    }
  }

  @Test(
    "what cannot be called stops the start with one sentence",
    arguments: [
      ("libm.so.6:pow(x: f65) -> f64", "column 18: f65 is no type"),
      ("libm.so.6:no_such(x: f64)", "libm.so.6 has no no_such"),
      ("no-such.so:f()", "the library no-such.so cannot be opened"),
      ("DEBUG:mix_i8(a: i8, b: i16) -> i8", "contradicts the signature of mix_i8: b is i8, and not i16"),
      ("DEBUG:total(n: i32) -> i32", "it takes a variable number of arguments"),
    ])
  func refusedStart(signature: String, complaint: String) throws {
    let folder = try TemporaryFolder()
    let library = try sample(folder, ["-g"])
    let (exit, output) = try ServerProcess.run(
      ["--call", signature.replacingOccurrences(of: "DEBUG", with: library)] + Self.socket)
    #expect(exit == .status(22), "\(output)")
    #expect(output.contains(complaint), "\(output)")
  }

  @Test("callbacks work where memory may not be writable and executable", arguments: ["prctl", "seccomp"])
  func memoryDenyWriteExecute(kind: String) throws {
    let folder = try TemporaryFolder()
    let launcher = folder.file("mdwe")
    let (built, output) = try ChildProcess.run(
      try Program.gcc.path(),
      ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-o", launcher, "\(Repository.root)/Tests/Fixtures/ffi/mdwe.c"])
    try #require(built == .status(0), "\(output)")
    let sort =
      "/sort=libc.so.6:qsort(base: inout f64[], n: u64 = len(base), size: u64 = 8,"
      + " cmp: callback(a: *f64, b: *f64) -> i32 = compare)"
    let process = try ChildProcess(
      launcher, [kind, Repository.server, "--no-master", "--call", sort] + Self.socket)
    let url = try process.waitForOutput("ready") { output -> String? in
      // Kernels before 6.3 have no PR_SET_MDWE; the filter below does the same there.
      if kind == "prctl", output.contains("Invalid argument") { return "" }
      return output.firstMatch(of: /http socket (127[.:0-9]+) ready/).map { "http://\($0.1)" }
    }
    if url.isEmpty { return }
    let maps = try String(contentsOfFile: "/proc/\(process.pid)/maps", encoding: .utf8)
    #expect(!maps.contains("rwx"), "\(maps)")
    let reply = try Curl.get("\(url)/sort", ["--json", "{\"base\":[3,1,2]}"])
    #expect(reply.text == "{\"result\":null,\"base\":[1,2,3]}")
    #expect(try process.stop() == .status(0), "\(process.output)")
  }

  @Test("a slow function delays no other, and harakiri ends its request")
  func slowFunction() throws {
    let server = try server([
      "--call", Self.pow, "--call", "/sleep=libc.so.6:usleep(microseconds: u32) -> i32 threadsafe",
      "--threads", "4", "-t", "1",
    ])
    let slow = try server.connect()
    try slow.send("POST /sleep?microseconds=2500000 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
    #expect(try Curl.get("\(server.url)/pow?x=2&y=10").text == "{\"result\":1024}")
    #expect(try slow.receiveReply().status == 504)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a function that ends its process ends no other's requests")
  func crash() throws {
    let server = try server(["--call", Self.pow, "--call", "libc.so.6:raise(signal: i32)", "-p", "2"])
    let doomed = try server.connect()
    try doomed.send("POST /raise?signal=11 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
    // Cut or reset, as the kernel happens to have it.
    #expect((try? doomed.receiveAll())?.isEmpty ?? true)
    for _ in 0..<5 { #expect(try Curl.get("\(server.url)/pow?x=2&y=10").text == "{\"result\":1024}") }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("handles live in one process, and want one worker")
  func handlesAndWorkers() throws {
    let folder = try TemporaryFolder()
    let open = "\(try sample(folder)):counter_open(start: i64) -> handle(counter) free=counter_close"
    let (exit, output) = try ServerProcess.run(["--call", open, "-p", "2"] + Self.socket)
    #expect(exit != .status(0), "\(output)")
    #expect(output.contains("opens handles, which live in one process"), "\(output)")
    let server = try server(["--call", open, "-p", "1"])
    #expect(try Curl.post("\(server.url)/counter_open?start=1", []).status == 200)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a client has a share of the handles, and what it does not use is given back")
  func handleLimits() throws {
    let folder = try TemporaryFolder()
    let library = try sample(folder)
    let server = try server([
      "--call", "\(library):counter_open(start: i64) -> handle(counter) free=counter_close",
      "--call", "\(library):counter_add(c: handle(counter), n: i64) -> i64", "-p", "1",
      "--app-option", "handle-share=3", "--app-option", "handle-age=0.5",
    ])
    let url = try server.url
    func open() throws -> Reply { try Curl.post("\(url)/counter_open?start=1", []) }
    let first = try open()
    let id = String(try #require(first.text.firstMatch(of: /[0-9a-f]{32}/)).output)
    #expect(try [open().status, open().status] == [200, 200])
    let refused = try open()
    #expect(refused.status == 503 && refused.text.contains("this client has too many handles open"))
    #expect(try Curl.post("\(url)/counter_add?c=\(id)&n=1", []).status == 200)
    try Deadline.usual.wait(for: "room for another") { try open().status == 200 ? () : nil }
    #expect(try Curl.post("\(url)/counter_add?c=\(id)&n=1", []).status == 404)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a changed signature file is put to work by a swap, a wrong one is not")
  func swap() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("library libm.so.6 pure\nfloor(x: f64) -> f64\n", to: "math.sig")
    let server = try server(["--call-file", file, "-p", "1"])
    let url = try server.url
    #expect(try Curl.get("\(url)/ceil?x=1.5").status == 404)
    try folder.write("library libm.so.6 pure\nceil(x: f64) -> f64\n", to: "math.sig")
    server.process.send(SIGHUP)
    try Deadline.usual.wait(for: "the new signatures", output: { server.process.output }) {
      try Curl.get("\(url)/ceil?x=1.5").text == "{\"result\":2}" ? () : nil
    }
    try folder.write("library libm.so.6 pure\nceil(x: f65) -> f64\n", to: "math.sig")
    server.process.send(SIGHUP)
    _ = try server.process.waitForOutput("the refusal") { $0.contains("f65 is no type") ? true : nil }
    #expect(try Curl.get("\(url)/ceil?x=1.5").text == "{\"result\":2}")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a rollback, a crash and a swap to the same find the signatures of the build, not those of the file")
  func rollback() throws {
    let folder = try TemporaryFolder()
    let control = folder.file("ctl")
    let file = try folder.write("library libm.so.6 pure\nfloor(x: f64) -> f64\n", to: "math.sig")
    let server = try server([
      "--call-file", file, "-p", "1", "--control-socket", control, "--swap-soak", "0", "--swap-replay", "9",
    ])
    let url = try server.url
    func ctl(_ words: String..., code: Int32 = 0) throws -> String {
      let (exit, output) = try ServerProcess.run(["ctl", "--control-socket", control] + words)
      #expect(exit == .status(code), "\(words): \(output)")
      return output
    }
    #expect(try ctl("swap").contains("nothing to do"))
    #expect(try Curl.get("\(url)/floor?x=1.5").text == "{\"result\":1}")
    try folder.write("library libm.so.6 pure\nceil(x: f64) -> f64\n", to: "math.sig")
    // A replay finds what the new signatures lack.
    let refusal = "GET /floor?x=1.5 was answered with 404, and with 200 by the build before"
    #expect(try ctl("swap", code: 1).contains(refusal))
    #expect(try ctl("swap", "--replay", "0").contains("serving "))
    #expect(try Curl.get("\(url)/ceil?x=1.5").text == "{\"result\":2}")
    #expect(try Curl.get("\(url)/floor?x=1.5").status == 404)
    #expect(try ctl("rollback").contains("generation 1"))
    #expect(try Curl.get("\(url)/floor?x=1.5").text == "{\"result\":1}")
    #expect(try Curl.get("\(url)/ceil?x=1.5").status == 404)
    // A worker that follows a killed one has the build's signatures too, though the file says others.
    let status = try ctl("status")
    let pid = try #require(status.split(separator: "(pid ").last?.prefix { $0.isNumber }.description)
    kill(try #require(pid_t(pid)), SIGKILL)
    try Deadline.usual.wait(for: "the next worker", output: { server.process.output }) {
      (try? Curl.get("\(url)/floor?x=2.5").text) == "{\"result\":2}" ? () : nil
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("the OpenAPI document says the truth: schemathesis finds nothing against it")
  func schemathesis() throws {
    let folder = try TemporaryFolder()
    let library = try sample(folder)
    let calls = [
      "/mirror=SAMPLE:mirror(p: {x: f64, y: f64}) -> {x: f64, y: f64} pure",
      "/sum=SAMPLE:byte_sum(bytes: bytes) -> u64 pure",
      "/div=libc.so.6:div(numer: i32, denom: i32 in 1..1000) -> {quot: i32, rem: i32} pure",
      "/sort=libc.so.6:qsort(base: inout f64[], n: u64 = len(base), size: u64 = 8,"
        + " cmp: callback(a: *f64, b: *f64) -> i32 = compare)",
      "/greeting=SAMPLE:greeting(name: cstr?) -> cstr free=give_back pure",
      "/bool=SAMPLE:mix_bool(a: bool, b: bool ?= true) -> bool pure",
      "/refuse=SAMPLE:refuse(code: i32) -> i32 errno",
      "/describe=SAMPLE:describe(number: i32, text: out[32] cstr, room: u64 = len(text)) -> i32 pure",
    ].flatMap { ["--call", $0.replacingOccurrences(of: "SAMPLE", with: library)] }
    let server = try server(calls + ["--call-file", "\(Repository.root)/apps/ffi_libm/math.sig", "-L"])
    let (exit, output) = try ChildProcess.run(
      try Repository.python("st"),
      [
        "run", "\(server.url)/.well-known/openapi.json", "--max-examples", "15", "--seed", "1",
        "--generation-deterministic", "--no-color",
      ], directory: folder.path, deadline: Deadline(seconds: 240))
    #expect(exit == .status(0), "\(output)")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
