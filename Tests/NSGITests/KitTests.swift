// The Swift kit against a host in memory: what an app sees, what the host gets; errors end at the edge.
import CNSGI
import NSGI
import Testing

/// An app whose answer a test gives.
private struct Scripted: ConcurrentApp {
  typealias Answer = (borrowing Request) throws -> Response
  nonisolated(unsafe) static var answer: Answer = { _ in .text("unset") }
  static let version = "1.5"

  init(_ boot: Boot) throws {
    if let reason = boot.options["fail"] { throw Failure(description: reason) }
    boot.log.info("worker \(boot.worker)/\(boot.workers) gen \(boot.generation) \(boot.server)")
    #expect(boot.previous == nil)
  }

  func respond(to request: borrowing Request) throws -> Response { try Self.answer(request) }
}

private struct Failure: Error, CustomStringConvertible { let description: String }

/// An app that keeps to one call at a time.
private final class Counter: App {
  private var count = 0
  init(_ boot: Boot) {}
  func respond(to request: borrowing Request) -> Response {
    count += 1
    return .text("\(count)")
  }
}

@Suite(.serialized) struct KitTests {
  private let table: UnsafePointer<nsgi_app>
  private let state: UnsafeMutableRawPointer?

  init() throws {
    current = FakeHost()
    table = try #require(Scripted.entry(FakeHost.table))
    let loaded = FakeHost.load(table)
    #expect(loaded.result == NSGI_OK.rawValue)
    state = loaded.state
  }

  /// Calls the app with this answer; the host's notes are in `current`.
  private func call(_ answer: @escaping Scripted.Answer) -> Int32 {
    Scripted.answer = answer
    return FakeHost.call(table, state)
  }

  @Test func tableSaysWhatTheTypeSays() throws {
    #expect(table.pointee.head.magic == 0x4947_534e)
    #expect(table.pointee.head.flags == NSGI_THREADSAFE.rawValue)
    #expect(String(cString: table.pointee.name) == "Scripted")
    #expect(String(cString: table.pointee.version) == "1.5")
    #expect(try #require(Counter.entry(FakeHost.table)).pointee.head.flags == 0)
    #expect(Scripted.entry(nil) == nil)
    #expect(current.log == ["0 2 worker 0/3 gen 5 fake 7"])
  }

  @Test func twoAppsInOneLibrary() throws {
    let other = try #require(Counter.entry(FakeHost.table))
    let loaded = FakeHost.load(other)
    #expect(FakeHost.call(other, loaded.state) == NSGI_OK.rawValue)
    current.sent = []
    #expect(FakeHost.call(other, loaded.state) == NSGI_OK.rawValue)
    #expect(current.sentText == "2")
    other.pointee.unload(loaded.state)
    current.sent = []
    #expect(call { _ in .text("first") } == NSGI_OK.rawValue)
    #expect(current.sentText == "first")
  }

  @Test func errorOfInitIsTold() {
    let loaded = FakeHost.load(table, options: ["color", "blue", "fail", "no database"])
    #expect(loaded.result == NSGI_FAIL.rawValue)
    #expect(loaded.error == "no database")
    let long = FakeHost.load(table, options: ["fail", String(repeating: "x", count: 99)])
    #expect(long.error == String(repeating: "x", count: 31))
  }

  @Test func requestIsSeen() {
    current.method = "POST"
    current.path = "/cart/7"
    current.query = "a=1&b=x+y%21&c&a=2&d=%zz%4"
    current.contentType = "text/plain"
    current.fields = [("host", "x"), ("cookie", "a=1"), ("x-many", "1"), ("cookie", "b=2"), ("x-many", "2")]
    current.body = Array("grüße".utf8)
    let result = call { request in
      #expect(request.method == "POST")
      #expect(request.path == "/cart/7")
      #expect(request.mountPath == "/shop")
      #expect(request.scheme == "http")
      #expect(request.version == "HTTP/1.1")
      #expect(request.remoteAddress == "::1")
      #expect(request.contentType == "text/plain")
      #expect(request.contentLength == 7)
      #expect(request.header("HOST") == "x")
      #expect(request.header("Cookie") == "a=1; b=2")
      #expect(request.header("X-Many") == "1, 2")
      #expect(request.header("x_many") == nil)
      #expect(request.headers.fields.count == 5)
      #expect(request.parameter("a") == "1")
      #expect(request.parameter("b") == "x y!")
      #expect(request.parameter("c") == "")
      #expect(request.parameter("d") == "%zz%4")
      #expect(request.parameter("e") == nil)
      #expect(request.variable("REQUEST_METHOD") == "POST")
      #expect(request.variable("NONE") == nil)
      #expect(request.environ == ["REQUEST_METHOD": "POST"])
      #expect(try request.body == Array("grüße".utf8))
      #expect(try request.withBody { $0.count } == 7)
      return .text(try request.text)
    }
    #expect(result == NSGI_OK.rawValue)
    #expect(current.sentText == "grüße")
  }

  @Test func bodyIsReadInPieces() {
    current.body = Array(repeating: 7, count: 10)
    let result = call { request in
      var sizes: [Int] = []
      var piece = [UInt8](repeating: 0, count: 4)
      while true {
        let count = try piece.withUnsafeMutableBytes { try request.read(into: $0) }
        if count == 0 { break }
        sizes.append(count)
      }
      return .text("\(sizes)")
    }
    #expect(result == NSGI_OK.rawValue)
    #expect(current.sentText == "[4, 4, 2]")
  }

  @Test func responses() {
    func head(_ response: Response) -> FakeHost.Head? {
      current = FakeHost()
      #expect(call { _ in response } == NSGI_OK.rawValue)
      return current.head
    }
    let text = "Content-Type: text/plain; charset=utf-8"
    #expect(head(.text("ü")) == .init(status: 200, fields: [text]))
    #expect(current.sentText == "ü")
    #expect(
      head(.html("<p>", status: 404))
        == .init(status: 404, fields: ["Content-Type: text/html; charset=utf-8"]))
    #expect(
      head(.json("{}", headers: ["X-A": "1", "X-A": "2"]))
        == .init(status: 200, fields: ["Content-Type: application/json", "X-A: 1", "X-A: 2"]))
    #expect(head(.bytes([0, 255], type: "image/x")) == .init(status: 200, fields: ["Content-Type: image/x"]))
    #expect(current.sent == [0, 255])
    #expect(head(.redirect(to: "/y")) == .init(status: 303, fields: ["Location: /y"]))
    #expect(head(.status(204)) == .init(status: 204, fields: []))
    #expect(head(.status(403, "no")) == .init(status: 403, fields: [text]))
    var changed = Headers()
    changed.add("a", "1")
    changed.add("A", "2")
    changed["a"] = "3"
    #expect(changed.fields == [.init(name: "a", value: "3")])
    changed["A"] = nil
    #expect(changed.fields.isEmpty)
  }

  @Test func streaming() {
    let result = call { request in
      let out = try request.start(201, type: "text/plain", headers: ["X-A": "1"])
      try out.write("one ")
      try out.flush()
      try out.write([0x32])
      return .streamed(out)
    }
    #expect(result == NSGI_OK.rawValue)
    #expect(current.head == .init(status: 201, fields: ["Content-Type: text/plain", "X-A: 1"]))
    #expect(current.sentText == "one 2")
    #expect(current.flushes == 1)
  }

  /// Hints, a body, trailers, and what the request has behind its own body.
  private static func withTrailers(_ request: borrowing Request) throws -> Response {
    try request.interim(headers: ["Link": "</a.css>; rel=preload"])
    let stream = try request.start(headers: ["Trailer": "X-Sum"])
    try stream.write("\(request.takesInterim) \(request.takesTrailers) \(request.trailers["x-a"] ?? "none")")
    try stream.end(trailers: ["X-Sum": "7"])
    return .streamed(stream)
  }

  @Test func interimResponsesAndTrailers() {
    current.requestTrailers = [("x-a", "b")]
    #expect(call { try Self.withTrailers($0) } == NSGI_OK.rawValue)
    #expect(current.interims == [FakeHost.Head(status: 103, fields: ["Link: </a.css>; rel=preload"])])
    #expect(current.trailers == ["X-Sum: 7"] && current.sentText == "false true b")
    #expect(current.head?.fields == ["Trailer: X-Sum"])
  }

  @Test func aHostOfMinor0IsAskedForNothingNewer() throws {
    let loaded = FakeHost.load(table, host: FakeHost.olderTable)
    Scripted.answer = { try Self.withTrailers($0) }
    #expect(FakeHost.call(table, loaded.state) == NSGI_OK.rawValue)
    #expect(current.interims.isEmpty && current.trailers == nil && current.sentText == "false true none")
    table.pointee.unload(loaded.state)
  }

  @Test(arguments: [NSGI_OK.rawValue, NSGI_GONE.rawValue])
  func lentBytesAreLetGoOnce(result: Int32) {
    current.writeResult = result
    weak var lent: LentBytes?
    let ended = call { request in
      let out = try request.start()
      let kept = LentBytes("lent".utf8)
      lent = kept
      try out.lend(kept)
      return .streamed(out)
    }
    #expect(ended == result)
    #expect(current.sentText == (result == NSGI_OK.rawValue ? "lent" : ""))
    #expect(lent == nil)
  }

  @Test func errorsEndAtTheEdge() {
    current.path = "/x"
    #expect(call { _ in throw Abort(404, "nothing here") } == NSGI_OK.rawValue)
    #expect(current.head?.status == 404)
    #expect(current.sentText == "nothing here")

    current = FakeHost()
    #expect(call { _ in throw Failure(description: "broken") } == NSGI_FAIL.rawValue)
    #expect(current.head == nil)
    #expect(current.log == ["41 4 broken, answering GET /"])

    current = FakeHost()
    current.writeResult = NSGI_GONE.rawValue
    let gone = call { request in
      let out = try request.start()
      try out.write("x")
      return .streamed(out)
    }
    #expect(gone == NSGI_GONE.rawValue)
    #expect(current.log.isEmpty)

    current = FakeHost()
    current.bodyResult = NSGI_TOOBIG.rawValue
    #expect(call { request in .text(try request.text) } == NSGI_OK.rawValue)
    #expect(current.head?.status == 413)

    // After bytes have gone, an Abort cannot be answered: the server has to cut the connection.
    current = FakeHost()
    let late = call { request in
      let out = try request.start()
      try out.write("x")
      throw Abort(500)
    }
    #expect(late < 0)
  }
}
