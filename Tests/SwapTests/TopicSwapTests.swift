// Topics over swaps: the workers of the old version and of the new one hear each other for as long as both
// live, and whoever stays misses nothing.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct TopicSwapTests {
    private func build(_ version: String) throws -> String {
      try FixtureApp.path("websockets", defines: ["VERSION=\"\(version)\""])
    }

    @Test(
      "what is published during a swap is heard, and by both versions after it",
      arguments: ["rolling", "in-place"])
    func publishing(how: String) throws {
      let server = try SupervisedServer(
        try build("1"), workers: 2,
        ["--swap-soak", "0", "--swap-probation", "0", "--swap", how, "--websocket-drain", "40"])
      let crowd = try Crowd(server, topic: "room")
      let (one, two) = (crowd.clients[0], crowd.clients[1])
      try server.install(try build("2"))
      let asker = try ChildProcess(Repository.server, ["ctl", "--control-socket", server.control, "swap"])
      var number = 0
      while asker.ended == nil {
        try one.send("all room \(number)")
        #expect(try one.next() == .text("told 0") && two.next() == .text("all room \(number)"))
        number += 1
      }
      #expect(try asker.wait() == .status(0), "\(asker.output)")
      let status = try server.wait(for: "the new version") { status in
        status.serving.count == 2 && status.serving.allSatisfy { $0.generations == [2] }
      }
      let pids = status.serving.map(\.pid)
      #expect(pids.contains(one.pid) == (how == "in-place"), "\(server.log)")
      for pid in pids { try crowd.join(pid, topic: "room") }
      for (place, client) in crowd.clients.enumerated() {
        try client.send("version")
        #expect(try client.next() == .text(place < 2 ? "1" : "2"))
      }
      for speaker in crowd.clients {
        for number in 0..<20 {
          try speaker.send("all room \(number)")
          #expect(try speaker.next() == .text("told \(crowd.neighbours(of: speaker))"))
        }
        for other in crowd.clients where other !== speaker {
          for number in 0..<20 { #expect(try other.next() == .text("all room \(number)")) }
        }
      }
      #expect(try crowd.stop() == .status(0), "\(server.log)")
      #expect(!server.log.contains("messages of topics"), "\(server.log)")
    }
  }
}
