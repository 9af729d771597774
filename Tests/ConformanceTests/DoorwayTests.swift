// The table of Table.swift, run over the doors of browsers: HTTP/1.1 over TLS, HTTP/2 with TLS and without.
import Support
import Testing

@Suite struct DoorwayTests {
  @Test("each row is over TLS and over HTTP/2 what it is over HTTP/1.1", arguments: Doorway.Kind.allCases)
  func table(kind: Doorway.Kind) throws {
    let apps = [try FixtureApp.path("conformance"), "/plain=\(try FixtureApp.path("plain"))"]
    let door = try Doorway(kind, app: apps[0], ["--app", apps[1]])
    // One connection for all streams: what is misuse costs the others nothing.
    let client = try kind.isHTTP2 ? door.client() : nil
    // Behind a reset nothing is sure to be read: of what is cut `BrokenBodyDoorwayTests` tells.
    let rows = (Row.heads + Row.bodies + Row.misuse + Row.plainForm).filter(\.expected.isComplete)
    for row in rows {
      var expected = row.expected
      // HTTP/2 has no phrases (RFC 9113 §8.3.2).
      if kind.isHTTP2 { expected.reason = nil }
      do {
        let reply = try client.map { try stream(row.call, $0) } ?? plain(row.call, door)
        for problem in expected.problems(reply) { Issue.record("\(row.name) over \(kind): \(problem)") }
      } catch {
        Issue.record("\(row.name) over \(kind): \(error)\n\(door.server.process.output)")
      }
    }
    client?.socket.close()
    #expect(try door.server.stop() == .status(0), "\(door.server.process.output)")
  }

  /// The response of HTTP/1.1.
  private func plain(_ call: Call, _ door: Doorway) throws -> Reply {
    try Door.reply(to: call, on: door.connect())
  }

  /// The response on a stream of its own.
  private func stream(_ call: Call, _ client: HTTP2Client) throws -> Reply {
    let length = (name: "content-length", value: "\(call.body.count)")
    let id = try client.request(
      call.target, call.method, ends: call.body.isEmpty,
      fields: call.fields + (call.body.isEmpty ? [] : [length]))
    if !call.body.isEmpty { try client.upload(id, call.body, ends: true) }
    let answer = try client.answer(id)
    var reply = try answer.reply()
    reply.fields = answer.fields
    return reply
  }
}
