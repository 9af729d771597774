// apps/grpc_hello over HTTP/2: frame by frame with the tests' own client, and with gRPC's own for Python.
import Foundation
import Support
import Testing

@Suite struct GRPCTests {
  private static let service = "/helloworld.Greeter/"
  private static let usual = [
    (name: "content-type", value: "application/grpc"), (name: "te", value: "trailers"),
  ]

  private func server(_ options: [String] = ["--http-socket", "127.0.0.1:0"]) throws -> ServerProcess {
    try ServerProcess(app: Repository.app("grpc_hello"), ["--no-master", "--threads", "64"] + options)
  }

  private func stop(_ server: ServerProcess) throws {
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  // MARK: Messages

  /// A message of gRPC that is not compressed.
  private func framed(_ message: [UInt8]) -> [UInt8] {
    [0] + HTTP2Bytes.number(UInt32(message.count)) + message
  }

  /// HelloRequest and HelloReply alike: a string in field 1, here of fewer than 128 bytes.
  private func message(_ text: String) -> [UInt8] {
    framed([0x0a, UInt8(text.utf8.count)] + Array(text.utf8))
  }

  private func messages(_ texts: [String]) -> [UInt8] { texts.flatMap { message($0) } }

  /// Calls a method with all that is sent at once.
  private func call(
    _ client: HTTP2Client, _ method: String, _ body: [UInt8],
    _ fields: [(name: String, value: String)] = GRPCTests.usual
  ) throws -> HTTP2Client.Answer {
    let id = try client.request(Self.service + method, "POST", ends: false, fields: fields)
    try client.upload(id, body, ends: true)
    return try client.answer(id)
  }

  private func status(_ answer: HTTP2Client.Answer) -> String? {
    let found = answer.trailers.filter { $0.name == "grpc-status" }.map(\.value)
    return found.isEmpty ? nil : found.joined(separator: " | ")
  }

  // MARK: Frame by frame

  @Test("one message each way, and how it went is behind it")
  func unary() throws {
    let server = try server()
    let client = try HTTP2Client(server.connect())
    for name in ["World", "", "caf\u{e9}"] {
      let answer = try call(client, "SayHello", message(name))
      #expect(answer.status == 200 && answer.ending == .whole)
      #expect(answer["content-type"] == "application/grpc" && answer["content-length"] == nil)
      #expect(answer.body == message("Hello " + name))
      #expect(answer.trailers.map(\.name) == ["grpc-status"] && status(answer) == "0")
    }
    // Fields that the service does not know are passed over; the last string of its own counts.
    let strange: [UInt8] = [0x10, 0x96, 0x01, 0x1a, 2, 1, 2, 0x25, 1, 2, 3, 4, 0x29, 1, 2, 3, 4, 5, 6, 7, 8]
    let (first, last): ([UInt8], [UInt8]) = ([0x0a, 1, 0x61], [0x0a, 1, 0x62])
    let answer = try call(client, "SayHello", framed(first + strange + last))
    #expect(answer.body == message("Hello b") && status(answer) == "0")
    client.socket.close()
    try stop(server)
  }

  @Test("a message that comes byte by byte")
  func pieces() throws {
    let server = try server()
    let client = try HTTP2Client(server.connect())
    let id = try client.request(Self.service + "SayHello", "POST", ends: false, fields: Self.usual)
    for byte in message("World") { try client.upload(id, [byte]) }
    try client.upload(id, [], ends: true)
    let answer = try client.answer(id)
    #expect(answer.body == message("Hello World") && status(answer) == "0")
    client.socket.close()
    try stop(server)
  }

  @Test("several messages each way")
  func streams() throws {
    let server = try server()
    let client = try HTTP2Client(server.connect())
    let many = try call(client, "SayHelloStreamReply", message("World"))
    #expect(many.body == messages(Array(repeating: "Hello World", count: 5)) && status(many) == "0")
    let toAll = try call(client, "SayHelloToAll", messages(["a", "b", "c"]))
    #expect(toAll.body == message("Hello a, b, c") && status(toAll) == "0")
    let both = try call(client, "SayHelloBidiStream", messages(["a", "b", "c"]))
    #expect(both.body == messages(["Hello a", "Hello b", "Hello c"]) && status(both) == "0")
    let none = try call(client, "SayHelloBidiStream", [])
    #expect(none.status == 200 && none.body.isEmpty && none.ending == .whole && status(none) == "0")
    client.socket.close()
    try stop(server)
  }

  @Test("an answer comes before the next question is asked, on several streams at once")
  func duplex() throws {
    let server = try server()
    let client = try HTTP2Client(server.connect())
    let calls = try (0..<3).map { _ in
      try client.request(Self.service + "SayHelloBidiStream", "POST", ends: false, fields: Self.usual)
    }
    var expected: [UInt8] = []
    for name in ["one", "two", "three"] {
      expected += message("Hello " + name)
      for id in calls {
        try client.upload(id, message(name))
        let answer = try client.answer(id) { $0.body.count >= expected.count }
        #expect(answer.body == expected && answer.status == 200 && answer.ending == .open)
      }
    }
    for id in calls {
      try client.upload(id, [], ends: true)
      let answer = try client.answer(id)
      #expect(answer.body == expected && answer.ending == .whole && status(answer) == "0")
    }
    client.socket.close()
    try stop(server)
  }

  @Test("calls that cannot be answered have a status of gRPC that says why")
  func errors() throws {
    let server = try server()
    let client = try HTTP2Client(server.connect())
    let good = message("a")
    var compressed = good
    compressed[0] = 1
    let long = framed([UInt8](repeating: 0, count: 16_385))
    let cut = Array(good.dropLast())
    let malformed = framed([0xff])
    let wrongs: [(method: String, body: [UInt8], status: String)] = [
      ("Nothing", good, "12"), ("SayHello", compressed, "12"), ("SayHello", malformed, "3"),
      ("SayHello", framed([0x0a, 0x7f, 0x61]), "3"), ("SayHello", [], "3"), ("SayHello", long, "8"),
      ("SayHello", cut, "13"), ("SayHello", [0, 0], "13"), ("SayHelloBidiStream", malformed, "3"),
    ]
    for wrong in wrongs {
      let answer = try call(client, wrong.method, wrong.body)
      #expect(answer.status == 200 && answer.body.isEmpty && answer.ending == .whole, "\(wrong)")
      #expect(status(answer) == wrong.status, "\(wrong): \(answer.trailers)")
      #expect(answer.trailers.contains { $0.name == "grpc-message" }, "\(wrong)")
    }
    // What was answered before the mistake stays answered.
    let half = try call(client, "SayHelloBidiStream", good + malformed)
    #expect(half.body == message("Hello a") && status(half) == "3")
    #expect(try call(client, "SayHello", good).body == message("Hello a"))
    client.socket.close()
    try stop(server)
  }

  @Test("what is no gRPC has an answer of HTTP")
  func noGRPC() throws {
    let server = try server()
    let client = try HTTP2Client(server.connect())
    for type in ["text/plain", "application/grpc-web", "application/grp"] {
      let answer = try call(client, "SayHello", message("a"), [(name: "content-type", value: type)])
      #expect(answer.status == 415 && answer.trailers.isEmpty, "\(type)")
    }
    for type in ["application/grpc+proto", "application/grpc;x=y"] {
      let answer = try call(client, "SayHello", message("a"), [(name: "content-type", value: type)])
      #expect(status(answer) == "0", "\(type)")
    }
    client.socket.close()
    let old = try Curl.post(
      "\(server.url)\(Self.service)SayHello", message("a"),
      ["--http1.1", "-H", "Content-Type: application/grpc"])
    #expect(old.status == 505)
    try stop(server)
  }

  @Test("over HTTP/1.1 too, for a client that takes trailers")
  func overHTTP1() throws {
    let server = try server()
    let reply = try Curl.post(
      "\(server.url)\(Self.service)SayHello", message("World"),
      ["--http1.1", "-H", "Content-Type: application/grpc", "-H", "TE: trailers"])
    #expect(reply.body == message("Hello World"))
    #expect(reply.trailers.contains { $0.name.lowercased() == "grpc-status" && $0.value == "0" })
    try stop(server)
  }

  @Test("a client that takes its call back or goes away frees its thread")
  func leaving() throws {
    let server = try server()
    for _ in 0..<3 {
      let client = try HTTP2Client(server.connect())
      let calls = try (0..<60).map { _ in
        try client.request(Self.service + "SayHelloBidiStream", "POST", ends: false, fields: Self.usual)
      }
      for id in calls {
        try client.upload(id, message("a"))
        #expect(try client.answer(id) { !$0.body.isEmpty }.ending == .open)
      }
      // Half of them with CANCEL (RFC 9113 §7), the others with their connection.
      for id in calls.prefix(30) { try client.send(HTTP2Bytes.reset, 0, id, HTTP2Bytes.number(8)) }
      #expect(try call(client, "SayHello", message("b")).body == message("Hello b"))
      client.socket.close()
    }
    try stop(server)
  }

  // MARK: gRPC's own client

  /// Runs a command of Tests/Fixtures/clients/grpc_client.py; what it has said.
  private func said(_ command: String, _ address: Address, _ authority: String?) throws -> String {
    let words = ["\(Repository.root)/Tests/Fixtures/clients/grpc_client.py", command, "\(address)"]
    let (exit, output) = try ChildProcess.run(
      try Repository.python("python"), words + (authority.map { [$0] } ?? []),
      deadline: Deadline(seconds: 120))
    guard exit == .status(0) else {
      throw SupportError.ended(program: "grpc_client.py \(command)", exit: exit, output: output)
    }
    return output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private static let sayings: [(command: String, says: String)] = [
    ("unary", "Hello World OK - 15006"),
    (
      "streams",
      """
      ['Hello World', 'Hello World', 'Hello World', 'Hello World', 'Hello World']
      Hello a, b, c
      ['Hello one', 'Hello two', 'Hello three']
      """
    ),
    (
      "errors",
      """
      UNIMPLEMENTED there is no such method
      INVALID_ARGUMENT a message is no HelloRequest
      INVALID_ARGUMENT a message is no HelloRequest
      RESOURCE_EXHAUSTED a message is longer than 16384 bytes
      """
    ),
    ("concurrent", "wrong []"), ("cancelled", "Hello one CANCELLED Hello World"),
  ]

  @Test("grpcio: calls of all four kinds, their errors, many at once, and one taken back")
  func grpcio() throws {
    let server = try server()
    for saying in Self.sayings {
      #expect(try said(saying.command, try server.address("http"), nil) == saying.says)
    }
    try stop(server)
  }

  @Test("grpcio over TLS")
  func grpcioOverTLS() throws {
    let certificates = try Certificates()
    try certificates.make("a", hosts: "DNS:a.test")
    let server = try server(["--https-socket", certificates.socket("a")])
    for saying in Self.sayings {
      let output = try said(saying.command, try server.address("https"), certificates.authority)
      #expect(output == saying.says)
    }
    try stop(server)
  }
}
