// Topics that reach the sockets of all workers: each test has a socket on each of them.
import Foundation
import Support
import Testing

@Suite struct TopicTests {
  @Test("what is published on one worker is heard on all, once and in order", arguments: ["epoll", "auto"])
  func reachesAll(loop: String) throws {
    let server = try SupervisedServer(try FixtureApp.path("websockets"), workers: 3, ["--io", loop])
    let crowd = try Crowd(server, topic: "room")
    #expect(crowd.clients.count == 3 && Set(crowd.clients.map(\.pid)).count == 3)
    for speaker in crowd.clients {
      for number in 0..<100 { try speaker.send("all room \(speaker.pid) \(number)") }
      // Nobody else of its worker has joined.
      for _ in 0..<100 { #expect(try speaker.next() == .text("told 0")) }
      for other in crowd.clients where other.pid != speaker.pid {
        for number in 0..<100 { #expect(try other.next() == .text("all room \(speaker.pid) \(number)")) }
      }
    }
    // For those who have left, and for those of one worker alone, nothing goes over.
    let (one, two) = (crowd.clients[0], crowd.clients[1])
    try two.send("leave room")
    #expect(try two.next() == .text("left"))
    for words in ["all room a", "tell room b", "all room c"] { try one.send(words) }
    for _ in 0..<3 { #expect(try one.next() == .text("told 0")) }
    let third = crowd.clients[2]
    #expect(try third.next() == .text("all room a") && third.next() == .text("all room c"))
    try two.send("still here")
    #expect(try two.next() == .text("still here"))
    #expect(try crowd.stop() == .status(0), "\(server.log)")
    for words in ["messages of topics", "introduced"] {
      #expect(!server.log.contains(words), "\(server.log)")
    }
  }

  @Test("the example chat is one room, whichever worker its guests have come to")
  func chat() throws {
    let server = try SupervisedServer(Repository.app("chat"), workers: 3)
    let address = try server.server.address("http")
    let guests = try Crowd.pids(of: server).map { pid in
      try Crowd.alone(pid, of: server) { try WebSocketClient(address) }
    }
    // All are linked when all have heard each of them.
    for (place, guest) in guests.enumerated() {
      try Deadline.usual.wait(for: "what guest \(place) says", output: { server.log }) {
        try guest.send("probe \(place)")
        return guests.allSatisfy { $0.socket.hasInput } ? () : nil
      }
      try guest.send("hello from \(place)")
      for other in guests {
        var said = try other.next()
        while said == .text("probe \(place)") { said = try other.next() }
        #expect(said == .text("hello from \(place)"))
      }
    }
    guests[0].socket.close()
    for other in guests[1...] { #expect(try other.next() == .text("(somebody has left with 1006)")) }
    for other in guests { other.socket.close() }
    #expect(try server.stop() == .status(0), "\(server.log)")
  }

  @Test("a worker that is killed takes nobody along, and its follower is linked to all")
  func killed() throws {
    let server = try SupervisedServer(try FixtureApp.path("websockets"), workers: 3)
    let crowd = try Crowd(server, topic: "room")
    let (one, two, victim) = (crowd.clients[0], crowd.clients[1], crowd.clients[2])
    kill(victim.pid, SIGKILL)
    // Goes on while the worker dies, is missed and is followed.
    var number = 0
    func talk() throws {
      try one.send("all room \(number)")
      #expect(try one.next() == .text("told 0") && two.next() == .text("all room \(number)"))
      number += 1
    }
    for _ in 0..<200 { try talk() }
    while ((try? victim.next()) ?? .end) != .end {}
    crowd.dismiss(victim)
    let status = try server.wait(for: "three workers") { $0.serving.count == 3 }
    try talk()
    let fresh = try #require(status.serving.first { ![one.pid, two.pid].contains($0.pid) })
    #expect(fresh.pid != victim.pid)
    try crowd.join(fresh.pid, topic: "room")
    for _ in 0..<50 { try talk() }
    let last = try #require(crowd.clients.last)
    for place in (number - 50)..<number { #expect(try last.next() == .text("all room \(place)")) }
    try last.send("all room back")
    #expect(try one.next() == .text("all room back") && two.next() == .text("all room back"))
    #expect(try crowd.stop() == .status(0), "\(server.log)")
    #expect(server.log.components(separatedBy: "died of SIG").count == 2, "\(server.log)")
  }

  @Test("messages for a worker that takes nothing are dropped, counted and told of; it goes on with the rest")
  func overflow() throws {
    let server = try SupervisedServer(
      try FixtureApp.path("websockets"), workers: 3,
      ["--websocket-queue", "64m", "--worker-timeout", "0"])
    let crowd = try Crowd(server, topic: "room")
    let (one, two, slow) = (crowd.clients[0], crowd.clients[1], crowd.clients[2])
    kill(slow.pid, SIGSTOP)
    defer { kill(slow.pid, SIGCONT) }
    let (count, bytes) = (200, 65_536)
    let whole = WebSocketClient.Frame.binary([UInt8](repeating: 0, count: bytes))
    // Its own socket, and that of the third worker, get all: a link holds more than is said at a time.
    for _ in 0..<(count / 40) {
      try one.send("shout room \(bytes) 40")
      for _ in 0..<40 { #expect(try one.next() == whole) }
      #expect(try one.next() == .text("shouted"))
      for _ in 0..<40 { #expect(try two.next() == whole) }
    }
    let place = try #require(try server.status().workers.first { $0.pid == slow.pid }).place
    try server.waitForLog("worker \(place) (pid \(slow.pid)) takes messages of topics too slowly: ")
    let json = try server.ctl("--json", "status").output
    let dropped = json.matches(of: /"droppedMessages":(\d+)/).compactMap { Int($0.output.1) }.reduce(0, +)
    #expect(dropped > 0 && dropped < count, "\(json)")
    #expect(try server.ctl("status").output.contains(", \(dropped) messages dropped\n"))
    kill(slow.pid, SIGCONT)
    for _ in 0..<(count - dropped) { #expect(try slow.next() == whole) }
    try one.send("all room now")
    #expect(try slow.next() == .text("all room now") && two.next() == .text("all room now"))
    #expect(try crowd.stop() == .status(0), "\(server.log)")
  }

  @Test("one worker, and a process without a master, publish to all by publishing to their own")
  func alone() throws {
    for options in [["-p", "1"], ["--no-master"]] {
      let server = try ServerProcess(
        app: try FixtureApp.path("websockets"), options + ["--http-socket", "127.0.0.1:0"])
      let clients = try (0..<3).map { _ in try WebSocketClient(try server.address("http")) }
      for client in clients {
        try client.send("join room")
        #expect(try client.next() == .text("joined"))
      }
      try clients[0].send("all room")
      #expect(try clients[0].next() == .text("told 2"))
      for client in clients[1...] { #expect(try client.next() == .text("all room")) }
      for client in clients { client.socket.close() }
      #expect(try server.stop() == .status(0), "\(server.process.output)")
    }
  }
}
