// Clients that send or take too little, over TLS and HTTP/2: as over HTTP/1.1 (`PaceTests`), and of a
// connection of HTTP/2 the stream alone.
import Foundation
import Support
import Testing

@Suite struct PaceDoorwayTests {
  /// Half a second in hand, and a speed that a byte now and then does not reach.
  private static let demanding = ["--body-min-rate", "100000", "--min-rate-grace", "0.5"]

  private func door(_ kind: Doorway.Kind, _ app: String, _ options: [String]) throws -> Doorway {
    try Doorway(kind, app: FixtureApp.path(app), ["--no-master", "-L"] + options)
  }

  /// Sends a byte of a body every few milliseconds, as long as nothing ends it.
  private func drip(_ more: () throws -> Bool, _ send: () throws -> Void) throws {
    try Deadline.usual.wait(for: "an answer") {
      guard try more() else { return () }
      try send()
      usleep(20_000)
      return nil
    }
  }

  @Test("a body that drips in is refused with 408", arguments: Doorway.Kind.allCases, [1000, 150_000])
  func drippingBody(kind: Doorway.Kind, size: Int) throws {
    let door = try door(kind, "conformance", Self.demanding)
    let socket = try door.connect()
    let start = TestBody.bytes(size / 3)
    if kind.isHTTP2 {
      let client = try HTTP2Client(socket)
      let id = try client.post("/echo", length: size)
      try client.upload(id, start)
      try drip({ try !client.hasEnded(id) }, { try client.send(HTTP2Bytes.data, 0, id, [0]) })
      #expect(client.soFar(id).status == 408, "\(client.soFar(id))")
      #expect(try client.exchange("/ok").text == "ok")
    } else {
      try socket.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: \(size)\r\n\r\n")
      try socket.send(start)
      try drip({ !socket.hasInput }, { try socket.send([0]) })
      #expect(try socket.receiveReply().status == 408)
    }
    socket.close()
    try stop(door)
  }

  @Test("and so is one that stops", arguments: Doorway.Kind.allCases)
  func silentBody(kind: Doorway.Kind) throws {
    let door = try door(kind, "conformance", ["--body-timeout", "1"])
    let socket = try door.connect()
    if kind.isHTTP2 {
      let client = try HTTP2Client(socket)
      let id = try client.post("/echo", length: 100)
      try client.upload(id, [0])
      #expect(try client.answer(id).status == 408)
      #expect(try client.exchange("/ok").text == "ok")
    } else {
      try socket.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\na")
      #expect(try socket.receiveReply().status == 408)
    }
    socket.close()
    try stop(door)
  }

  @Test("a body that keeps the pace is served, however long it takes", arguments: Doorway.Kind.allCases)
  func steadyBody(kind: Doorway.Kind) throws {
    let door = try door(kind, "conformance", ["--body-min-rate", "2000", "--min-rate-grace", "0.5"])
    let body = TestBody.bytes(20_000)
    let pieces = stride(from: 0, to: body.count, by: 500).map { Array(body[$0..<($0 + 500)]) }
    let socket = try door.connect()
    let expected = Array("POST 20000 ".utf8) + body
    if kind.isHTTP2 {
      let client = try HTTP2Client(socket)
      let id = try client.post("/echo", length: body.count)
      for (number, piece) in pieces.enumerated() {
        try client.upload(id, piece, ends: number == pieces.count - 1)
        usleep(40_000)
      }
      #expect(try client.answer(id).body == expected)
    } else {
      try socket.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.count)\r\n\r\n")
      for piece in pieces {
        try socket.send(piece)
        usleep(40_000)
      }
      #expect(try socket.receiveReply().body == expected)
    }
    socket.close()
    try stop(door)
  }

  @Test("half a head has the time of a head, however slowly it comes", arguments: Doorway.Kind.allCases)
  func drippingHead(kind: Doorway.Kind) throws {
    let door = try door(kind, "conformance", ["--header-timeout", "1"])
    let socket = try door.connect()
    var bytes = Array("GET /ok HTTP/1.1\r\nHost: h\r\nX: ".utf8)
    if kind.isHTTP2 {
      _ = try HTTP2Client(socket)
      let block = [UInt8](repeating: 0, count: 9000)
      bytes = Array(HTTP2Bytes.frame(HTTP2Bytes.headers, HTTP2Bytes.endHeaders, 1, block).prefix(100))
      // What the server says first is no answer.
      usleep(100_000)
      _ = try socket.receive()
    }
    try socket.send(bytes)
    try drip({ !socket.hasInput }, { try socket.send([0x61]) })
    let end = String(decoding: try socket.receiveToItsEnd().bytes, as: UTF8.self)
    #expect(kind.isHTTP2 ? !end.contains("ok") : end.hasPrefix("HTTP/1.1 408 "), "\(end)")
    socket.close()
    #expect(try door.exchange("/ok").text == "ok")
    try stop(door)
  }
}
