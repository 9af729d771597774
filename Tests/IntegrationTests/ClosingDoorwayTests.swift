// Connections that end while their peer still sends, over TLS and HTTP/2: as over HTTP/1.1 (`ClosingTests`)
// no answer is lost, and with TLS each ends with close_notify.
import Foundation
import Support
import Testing

@Suite struct ClosingDoorwayTests {
  @Test("bytes behind a complete request over TLS never cost its answer", arguments: ["epoll", "auto"])
  func surplus(io: String) throws {
    let door = try Doorway(.https, app: FixtureApp.path("conformance"), ["--no-master", "--io", io])
    for size in [7, 300, 200_000] {
      let body = TestBody.bytes(size)
      for surplus in [Array("\r\n".utf8), TestBody.bytes(100_000)] {
        for isLater in [false, true] {
          let socket = try door.connect()
          let request = GatewayRequest.bytes("http", "/echo", body: body)
          try socket.send(isLater ? request : request + surplus)
          if isLater {
            usleep(3000)
            try socket.send(surplus)
          }
          let answer = try socket.receiveReply()
          let end = try socket.receiveToItsEnd()
          #expect(!end.isReset, "\(size) + \(surplus.count), later: \(isLater)")
          #expect(answer.body == Array("POST \(size) ".utf8) + body, "\(size) + \(surplus.count)")
        }
      }
    }
    try stop(door)
  }

  @Test("a refusal reaches a client that sends all of its body first", arguments: Doorway.Kind.allCases)
  func refusal(kind: Doorway.Kind) throws {
    let door = try Doorway(
      kind, app: FixtureApp.path("conformance"), ["--no-master", "--limit-post", "1000"])
    if kind.isHTTP2 {
      let client = try door.client()
      let id = try client.post("/echo", length: 5_000_000)
      // As much as the windows take: more needs leave that does not come.
      try client.upload(id, TestBody.bytes(60_000))
      #expect(try client.answer(id).status == 413)
      #expect(try client.exchange("/ok").text == "ok")
      client.socket.close()
    } else {
      let socket = try door.connect()
      try socket.send(GatewayRequest.bytes("http", "/echo", body: TestBody.bytes(5_000_000)))
      #expect(try socket.receiveReply().status == 413)
      socket.close()
    }
    try stop(door)
  }

  @Test("a client of HTTP/2 over TLS is told why its connection ends, whatever it still sends")
  func goAway() throws {
    let door = try Doorway(.h2, app: FixtureApp.path("conformance"), ["--no-master"])
    let client = try door.client()
    #expect(try client.exchange("/ok").text == "ok")
    // A PING has eight bytes: FRAME_SIZE_ERROR.
    try client.send(HTTP2Bytes.ping, 0, 0, [1])
    try client.send(TestBody.bytes(200_000))
    try client.finish()
    #expect(client.goAways.count == 1 && client.goAways.first?.code == 6)
    client.socket.close()
    try stop(door)
  }
}
