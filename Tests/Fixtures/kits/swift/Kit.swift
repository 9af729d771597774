// What the tests ask of every language's kit, in Swift, asynchronously.
import Glibc
import NSGI

struct Kit: AsyncApp {
  static let name = "kit"
  static let version = "1.0"
  private let color: String
  private let log: Log
  private let topics: Topics?

  init(_ boot: Boot) throws {
    if let reason = boot.options["fail"] { throw Refusal(description: reason) }
    color = boot.options["color"] ?? "none"
    (log, topics) = (boot.log, boot.topics)
  }

  func thread(entering: Bool) { log.warning(entering ? "a thread enters" : "a thread leaves") }

  func respond(to request: AsyncRequest) async throws -> Response {
    switch request.path {
    case "/hello":
      let color = request.header("X-Color") ?? "none"
      let variable = request.variable("HTTP_X_COLOR") ?? "none"
      return .text("\(request.method) \(request.path) \(request.query) \(color) \(variable)")
    case "/option": return .text(color)
    case "/body": return measured(try await request.collect(upTo: 1 << 30))
    case "/read":
      var all: [UInt8] = []
      for try await piece in request.body { all += piece }
      return measured(all)
    case "/redirect": return .redirect(to: "/x")
    case "/stream":
      let out = try request.start(201, type: "text/plain", headers: ["X-Kit": "1"])
      try await out.write("one ")
      try await out.flush()
      try await out.lend(LentBytes("two".utf8))
      return .streamed(out)
    case "/variables": return .text(request.environ["HTTP_X_COLOR"] ?? "none")
    case "/file":
      let out = try request.start()
      let file = open(request.query, O_RDONLY)
      defer { close(file) }
      try await out.write("<")
      try await out.sendFile(file, offset: 2, count: 4)
      try await out.write(">")
      return .streamed(out)
    case "/trailers":
      try await request.interim(headers: ["Link": "</a>; rel=preload"])
      var seen = String(decoding: try await request.collect(), as: UTF8.self)
      for field in request.trailers.fields { seen += " \(field.name)=\(field.value)" }
      let out = try request.start(headers: request.takesTrailers ? ["Trailer": "X-Kit"] : [:])
      try await out.write(seen)
      try await out.end(trailers: ["X-Kit": "behind"])
      return .streamed(out)
    case "/sleep":
      log.warning("a task sleeps")
      do { try await Task.sleep(for: .seconds(600)) } catch {
        log.warning("the task is cancelled")
        throw error
      }
      return .text("slept")
    case "/publish":
      guard let topics else { throw Abort(501) }
      let first = try topics.publish("to this worker", to: "kit")
      let second = try topics.publishToAll("to all", to: "kit")
      return .text("\(first) \(second)")
    case "/socket":
      guard request.asksForSocket else { throw Abort(426) }
      let offered = request.header("Sec-WebSocket-Protocol") ?? ""
      return try request.accept(subprotocol: offered, headers: ["X-Kit": "1"]) { socket in
        for try await message in socket { try await serve(message, socket) }
        log.warning("a socket has ended with \(socket.closing?.code ?? 0)")
      }
    case "/abort": throw Abort(404, "nothing here")
    case "/throw", "/later-lost": throw Refusal(description: "thrown on purpose")
    case "/throw-after":
      let out = try request.start()
      try await out.write("part")
      try await out.flush()
      throw Refusal(description: "thrown on purpose")
    case "/connection": return .text("bad", headers: ["Connection": "keep-alive"])
    case "/bad-header": return .text("bad", headers: ["X-Split": "a\r\nb: c"])
    case "/later":
      try await Task.sleep(for: .milliseconds(1))
      return .text("later")
    default: throw Abort(404)
    }
  }

  private func serve(_ message: AsyncSocket.Message, _ socket: AsyncSocket) async throws {
    switch message {
    case .text("throw"): throw Refusal(description: "thrown on purpose")
    case .text("close"): socket.close(4001, "bye")
    case .text("join"): try socket.subscribe(to: "kit")
    case .text("lend"): try await socket.send("lent")
    case .text, .binary: try await socket.send(message)
    }
  }

  private func measured(_ body: [UInt8]) -> Response {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in body { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return .text("\(body.count) \(String(hash, radix: 16))")
  }
}

struct Refusal: Error, CustomStringConvertible { let description: String }

@c(nsgi_entry) public func entry(_ host: HostTable?) -> AppTable? { Kit.entry(host) }
