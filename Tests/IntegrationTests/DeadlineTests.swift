// --harakiri: the time of a request is over, and its call goes on. Whoever waits learns it then.
import Foundation
import Support
import Testing

@Suite struct DeadlineTests {
  /// What a call would take; far more than a request may take to be answered at its deadline.
  private static let patience = 20.0

  private func server(_ entry: String = "", _ options: [String] = []) throws -> ServerProcess {
    let app = try FixtureApp.path("late")
    let sockets = options.contains { $0.hasSuffix("-socket") } ? [] : ["--http-socket", "127.0.0.1:0"]
    return try ServerProcess(
      app: entry.isEmpty ? app : "\(app):\(entry)", sockets + ["-L", "--harakiri", "0.5"] + options)
  }

  /// What came up to the end of the connection, which comes long before the call's.
  private func all(
    _ server: ServerProcess, _ gateway: String, _ target: String, body: [UInt8] = []
  ) throws -> [UInt8] {
    let socket = try server.connect(gateway)
    let start = Date()
    try socket.send(GatewayRequest.bytes(gateway, target, body: body))
    let bytes = (try? socket.receiveAll()) ?? []
    #expect(Date().timeIntervalSince(start) < Self.patience, "\(gateway) \(target)")
    return bytes
  }

  /// The calls of the fixture outlive their server's patience: it ends without them.
  private func end(_ server: ServerProcess) { server.process.send(SIGKILL) }

  @Test(
    "before the head there is a 504 at the deadline, and the end of the connection",
    arguments: GatewayRequest.gateways, ["epoll", "auto"])
  func unanswered(gateway: String, io: String) throws {
    for place in ["127.0.0.1:0", "DIR/s.sock"] {
      let server = try server("", ["--\(gateway)-socket", place, "--io", io, "--no-master"])
      for path in ["/sleep", "/begun", "/held"] {
        let reply = try GatewayRequest.reply(gateway, all(server, gateway, path))
        #expect(reply.status == 504, "\(path): \(reply.text) \(server.process.output)")
      }
      #expect(try server.connect(gateway).exchange(gateway, "/quick").status == 200)
      end(server)
    }
  }

  @Test("a connection that would go on says that it ends")
  func keptConnection() throws {
    let server = try server()
    let socket = try server.connect()
    try socket.send("GET /sleep HTTP/1.1\r\nHost: x\r\n\r\n")
    let reply = try Reply(gateway: try socket.receiveAll())
    #expect(reply.status == 504 && reply["connection"] == "close")
    end(server)
  }

  @Test(
    "a response that is under way is cut at the deadline", arguments: GatewayRequest.gateways,
    ["/half", "/declared"])
  func underWay(gateway: String, path: String) throws {
    for place in ["127.0.0.1:0", "DIR/s.sock"] { try underWay(gateway, path, place) }
  }

  private func underWay(_ gateway: String, _ path: String, _ place: String) throws {
    let server = try server("", ["--\(gateway)-socket", place])
    let socket = try server.connect(gateway)
    try socket.send(GatewayRequest.bytes(gateway, path))
    let start = Date()
    var bytes: [UInt8] = []
    var isReset = false
    do {
      while case let piece = try socket.receive(), !piece.isEmpty { bytes += piece }
    } catch { isReset = true }
    #expect(Date().timeIntervalSince(start) < Self.patience)
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(text.contains("half "), "\(text)")
    // Nothing says that it was whole: over HTTP by its framing, elsewhere by a reset.
    if gateway == "http" {
      #expect(!text.hasSuffix("0\r\n\r\n"))
    } else {
      #expect(isReset, "\(place): \(text)")
    }
    end(server)
  }

  @Test("a response that is all said ends though its call goes on")
  func allSaid() throws {
    let server = try server()
    let reply = try Reply(gateway: try all(server, "http", "/said"))
    #expect(reply.status == 200 && reply.text == "said")
    end(server)
  }

  @Test(
    "whatever the app has promised",
    arguments: [
      ("never_waits_nsgi_entry", "/sleep"), ("streams_nsgi_entry", "/read"), ("streams_nsgi_entry", "/sleep"),
      ("async_nsgi_entry", "/sleep"), ("plain", "/sleep"),
    ], ["epoll", "auto"])
  func otherForms(form: (entry: String, path: String), io: String) throws {
    let server = try server(form.entry, ["--io", io, "--no-master"])
    let socket = try server.connect()
    // The rest of the body never comes.
    let length = form.entry.hasPrefix("streams") ? "Content-Length: 10\r\n" : ""
    try socket.send("POST \(form.path) HTTP/1.1\r\nHost: x\r\n\(length)\r\n" + (length.isEmpty ? "" : "abc"))
    let reply = try Reply(gateway: try socket.receiveAll())
    #expect(reply.status == 504, "\(reply.text) \(server.process.output)")
    end(server)
  }

  @Test("a request that waits for its turn gets its 504 as well")
  func inTheQueue() throws {
    let server = try server("single_nsgi_entry", ["--no-master"])
    let sockets = try (0..<3).map { _ in
      let socket = try server.connect()
      try socket.send("GET /sleep HTTP/1.1\r\nHost: x\r\n\r\n")
      return socket
    }
    for socket in sockets {
      #expect(try Reply(gateway: try socket.receiveAll()).status == 504, "\(server.process.output)")
    }
    #expect(server.process.output.contains("has no turn in time for GET /sleep"))
    end(server)
  }

  @Test(
    "a CGI program answers and ends at the deadline",
    arguments: ["", "never_waits_nsgi_entry", "streams_nsgi_entry", "async_nsgi_entry", "plain"], ["1", "4"])
  func cgi(entry: String, threads: String) throws {
    let app = try FixtureApp.path("late") + (entry.isEmpty ? "" : ":\(entry)")
    let (isWhole, output) = try cgi(app, "/sleep", ["NSGI_THREADS": threads])
    #expect(isWhole && output.contains("Status: 504 Gateway Timeout"), "\(output)")
    guard entry.isEmpty else { return }
    let (half, cut) = try cgi(app, "/half", ["NSGI_THREADS": threads])
    #expect(half && cut.contains("half ") && !cut.contains("504"), "\(cut)")
    let (_, quick) = try cgi(app, "/quick", ["NSGI_THREADS": threads])
    #expect(quick.contains("Status: 200 OK") && !quick.contains("too long"), "\(quick)")
  }

  @Test("and so does one whose app does not load in time, or whose body does not come")
  func cgiBeforeTheCall() throws {
    let app = try FixtureApp.path("hangs_in_load")
    let (isInTime, output) = try cgi(app, "/", [:])
    #expect(isInTime && output.contains("Status: 504 Gateway Timeout\r\n"), "\(output)")
    let (_, whole) = try cgi(app, "/", ["SCRIPT_NAME": "/nph-x"])
    #expect(whole.contains("HTTP/1.1 504 Gateway Timeout\r\n"), "\(whole)")
    // The other end of the pipe is held open and says nothing.
    let silence = Pipe()
    defer { try? silence.fileHandleForWriting.close() }
    let (isRefused, late) = try cgi(
      try FixtureApp.path("late"), "/quick",
      ["CONTENT_LENGTH": "5", "REQUEST_METHOD": "POST", "NSGI_BODY_TIMEOUT": "1"],
      input: .descriptor(silence.fileHandleForReading.fileDescriptor))
    #expect(isRefused && late.contains("Status: 408 "), "\(late)")
  }

  /// Runs the server as a CGI program with half a second for a request; whether it ended long before a call
  /// of the fixture does, and what it said.
  private func cgi(
    _ app: String, _ path: String, _ variables: [String: String], input: ChildProcess.Input = .nothing
  ) throws -> (Bool, String) {
    let own = [
      "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/x", "PATH_INFO": path,
      "SERVER_PROTOCOL": "HTTP/1.1", "NSGI_APP": app, "NSGI_HARAKIRI": "0.5",
    ]
    let start = Date()
    let process = try ChildProcess(
      Repository.server, [], environment: own.merging(variables) { $1 }, input: input)
    try process.wait()
    return (Date().timeIntervalSince(start) < Self.patience, process.output)
  }
}

/// The same over TLS and HTTP/2. A stream ends alone: the others of its connection go on.
@Suite struct DeadlineDoorwayTests {
  private func door(_ kind: Doorway.Kind, _ entry: String = "", _ options: [String] = []) throws -> Doorway {
    let app = try FixtureApp.path("late")
    return try Doorway(
      kind, app: entry.isEmpty ? app : "\(app):\(entry)",
      ["-L", "--harakiri", "0.5", "--no-master"] + options)
  }

  /// The calls of the fixture outlive their server's patience: it ends without them.
  private func end(_ door: Doorway) { door.server.process.send(SIGKILL) }

  @Test(
    "before the head there is a 504 at the deadline", arguments: Doorway.Kind.allCases, ["epoll", "auto"])
  func unanswered(kind: Doorway.Kind, io: String) throws {
    let door = try door(kind, "", ["--io", io])
    for path in ["/sleep", "/begun", "/held"] {
      let reply = try door.exchange(path)
      #expect(reply.status == 504 && reply.isComplete, "\(path): \(door.server.process.output)")
    }
    #expect(try door.exchange("/quick").text == "quick")
    end(door)
  }

  @Test("a response that is under way is cut", arguments: Doorway.Kind.allCases, ["/half", "/declared"])
  func underWay(kind: Doorway.Kind, path: String) throws {
    let door = try door(kind)
    if kind.isHTTP2 {
      let answer = try door.client().exchange(path)
      #expect(answer.status == 200 && answer.text == "half ")
      guard case .reset = answer.ending else {
        Issue.record("a stream that is cut has ended by \(answer.ending)")
        return
      }
    } else {
      let socket = try door.connect()
      try socket.send(GatewayRequest.bytes("http", path))
      let text = String(decoding: try socket.receiveToItsEnd().bytes, as: UTF8.self)
      #expect(text.contains("half ") && !text.hasSuffix("0\r\n\r\n"), "\(text)")
      #expect(path == "/half" || text.contains("Content-Length: 10\r\n"), "\(text)")
    }
    end(door)
  }

  @Test("a response that is all said ends though its call goes on", arguments: Doorway.Kind.allCases)
  func allSaid(kind: Doorway.Kind) throws {
    let door = try door(kind)
    let reply = try door.exchange("/said")
    #expect(reply.status == 200 && reply.text == "said" && reply.isComplete)
    end(door)
  }

  @Test("streams beside one that is late are answered", arguments: [Doorway.Kind.h2c, .h2])
  func streamsBeside(kind: Doorway.Kind) throws {
    let door = try door(kind)
    let client = try door.client()
    let late = try ["/sleep", "/half", "/held"].map { try client.request($0) }
    for _ in 0..<3 { #expect(try client.exchange("/quick").text == "quick") }
    #expect(try client.answer(late[0]).status == 504)
    #expect(try client.answer(late[1]).ending != .whole)
    #expect(try client.answer(late[2]).status == 504)
    #expect(try client.exchange("/quick").text == "quick")
    #expect(client.goAways.isEmpty)
    end(door)
  }

  @Test("streams that wait for their turn get their 504 as well", arguments: [Doorway.Kind.h2c, .h2])
  func inTheQueue(kind: Doorway.Kind) throws {
    let door = try door(kind, "single_nsgi_entry")
    let client = try door.client()
    let streams = try (0..<3).map { _ in try client.request("/sleep") }
    for stream in streams {
      #expect(try client.answer(stream).status == 504, "\(door.server.process.output)")
    }
    #expect(door.server.process.output.contains("has no turn in time for GET /sleep"))
    end(door)
  }

  @Test(
    "whatever the app has promised",
    arguments: [
      ("never_waits_nsgi_entry", "/sleep"), ("streams_nsgi_entry", "/read"), ("streams_nsgi_entry", "/sleep"),
      ("async_nsgi_entry", "/sleep"), ("plain", "/sleep"),
    ], Doorway.Kind.allCases)
  func otherForms(form: (entry: String, path: String), kind: Doorway.Kind) throws {
    let door = try door(kind, form.entry)
    // The rest of the body never comes.
    let isHalf = form.entry.hasPrefix("streams")
    if kind.isHTTP2 {
      let client = try door.client()
      let id = try isHalf ? client.post(form.path, length: 10) : client.request(form.path, "POST")
      if isHalf { try client.upload(id, Array("abc".utf8)) }
      #expect(try client.answer(id).status == 504, "\(door.server.process.output)")
    } else {
      let socket = try door.connect()
      let length = isHalf ? "Content-Length: 10\r\n\r\nabc" : "\r\n"
      try socket.send("POST \(form.path) HTTP/1.1\r\nHost: x\r\n\(length)")
      #expect(try socket.receiveReply().status == 504, "\(door.server.process.output)")
    }
    end(door)
  }
}
