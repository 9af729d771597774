// sendfile() of files that are not what they say, and of places and lengths that no file has: what is there
// is sent, what fails has its result, and the server goes on. Over every protocol, since the framing decides
// how.
import Foundation
import Support
import Testing

@Suite struct FilePartTests {
  private static let most = Int64.max
  private static let least = Int64.min

  /// Asks for a part of a file; the reply, and what sendfile() answered. A reply that a gateway connection
  /// has cut says `isComplete` false and has no text.
  private func ask(
    _ server: ServerProcess, _ gateway: String, _ path: String, _ offset: Int64, _ count: Int64,
    _ length: Int64
  ) throws -> (reply: Reply, result: Int) {
    let before = server.process.output.count
    let target = "/?\(path),\(offset),\(count),\(length)"
    let reply: Reply
    if gateway == "http" {
      let socket = try server.connect()
      try socket.send("GET \(target) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      reply = try socket.receiveReply()
    } else {
      let socket = try server.connect(gateway)
      try socket.send(GatewayRequest.bytes(gateway, target))
      let (bytes, isReset) = try socket.receiveToItsEnd()
      var cut = try Reply(head: "HTTP/1.1 200 OK\r\n\r\n")
      cut.isComplete = false
      reply = isReset ? cut : (try? GatewayRequest.reply(gateway, bytes)) ?? cut
    }
    let word = "sendfile answered "
    let result = try server.process.waitForOutput("the result") { output -> Int? in
      let lines = output.dropFirst(before).split(separator: "\n").filter { $0.contains(word) }
      return lines.last.flatMap { Int($0[$0.range(of: word)!.upperBound...].prefix { $0 != " " }) }
    }
    return (reply, result)
  }

  private func serve(_ gateway: String) throws -> (server: ServerProcess, file: String) {
    let server = try ServerProcess(
      app: try FixtureApp.path("file_parts"), ["--no-master", "--\(gateway)-socket", "127.0.0.1:0"])
    return (server, try server.folder.write("0123456789", to: "ten"))
  }

  @Test("any place and any count of a file has its answer", arguments: GatewayRequest.gateways)
  func numbers(gateway: String) throws {
    let (server, file) = try serve(gateway)
    let (ok, misuse, io) = (0, -3, -6)
    for (offset, count, length, text, result) in [
      (0, -1, -1, "0123456789", ok), (3, Self.least, -1, "3456789", ok), (3, 4, -1, "3456", ok),
      (3, 4, 4, "3456", ok), (10, -1, -1, "", ok), (11, -1, 0, "", ok), (Self.most, -1, -1, "", ok),
      (0, 0, -1, "", ok), (0, Self.most, 4, "0123", misuse), (9, Self.most, 1, "9", io),
      (0, Self.most, 10, "0123456789", io), (0, Self.most, -1, "0123456789", io), (5, 6, -1, "56789", io),
      (10, 1, -1, "", io), (Self.most, 1, -1, "", io), (Self.most, Self.most, -1, "", io),
      (Self.most, Self.most, Self.most, "", io), (0, Self.most, Self.most, "0123456789", io),
      (-1, 5, -1, "sendfile answered -3", misuse), (Self.least, -1, -1, "sendfile answered -3", misuse),
    ] as [(Int64, Int64, Int64, String, Int)] {
      let (reply, answered) = try ask(server, gateway, file, offset, count, length)
      let what = "\(offset),\(count),\(length)"
      #expect(answered == result, "\(what): \(reply)")
      // A head that nothing has followed is replaced by a page of the server's; a gateway connection whose
      // body was cut ends with a reset, or without the end of its records.
      let isCut = gateway != "http" && !reply.isComplete && reply.body.isEmpty
      if isCut { #expect(result == io, "\(what)") }
      if !isCut, !(result == io && text.isEmpty) { #expect(reply.text == text, "\(what): \(reply)") }
    }
    #expect(try ask(server, gateway, file, 0, -1, -1).reply.text == "0123456789")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("a file that does not know its size is sent to its end", arguments: GatewayRequest.gateways)
  func unsized(gateway: String) throws {
    let (server, _) = try serve(gateway)
    for path in ["/proc/version", "/proc/filesystems", "/sys/kernel/mm/transparent_hugepage/enabled"] {
      let wanted = try String(contentsOfFile: path, encoding: .utf8)
      let whole = try ask(server, gateway, path, 0, -1, -1)
      #expect(whole.reply.text == wanted && whole.reply.isComplete, "\(path): \(whole.reply)")
      #expect(whole.result == 0)
      let rest = try ask(server, gateway, path, 5, -1, -1)
      #expect(rest.reply.text == String(wanted.dropFirst(5)), "\(path): \(rest.reply)")
    }
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test(
    "what is no file is refused before anything of the answer has left",
    arguments: ["pipe", "socket", "closed", "/tmp"])
  func noFile(kind: String) throws {
    let (server, _) = try serve("http")
    for length in [-1, 5] as [Int64] {
      let (reply, result) = try ask(server, "http", kind, 0, 5, length)
      #expect(result == -3 && reply.status == 500 && reply.text == "sendfile answered -3", "\(reply)")
    }
    if kind != "closed" {
      #expect(server.process.output.contains("gave sendfile() a pipe, a socket or a directory"))
    }
    // One that cannot be read is not a client that is gone.
    #expect(try ask(server, "http", "write-only", 0, 5, 5).result == -6)
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }

  @Test("X-Sendfile of a file that does not know its size has the length that can be read")
  func unsizedByName() throws {
    let server = try ServerProcess(
      app: try FixtureApp.path("gateway_extras"),
      ["--no-master", "--http-socket", "127.0.0.1:0", "--sendfile-root", "/proc"])
    let wanted = try String(contentsOfFile: "/proc/version", encoding: .utf8)
    let reply = try server.connect().exchange("http", "/sendfile?/proc/version")
    #expect(reply.text == wanted && reply["Content-Length"] == "\(wanted.utf8.count)", "\(reply)")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
