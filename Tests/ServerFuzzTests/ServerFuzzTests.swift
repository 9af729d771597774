// Conversations made by chance with whole servers over real sockets: every protocol, either loop. The same
// bytes get the same answer whatever the loop and however they are cut; no conversation costs another one its
// answer, and none leaves anything behind.
//
// FUZZ_SECONDS says for how long, FUZZ_SEED where to begin; a failure prints the seed of its conversation.
// Tests/Fuzz/server.sh runs this against a server with the Address Sanitizer.
import Foundation
import Support
import Synchronization
import Testing

@Suite struct ServerFuzzTests {
  private static let environment = ProcessInfo.processInfo.environment
  static let seconds = Double(environment["FUZZ_SECONDS"] ?? "") ?? 5
  static let seed = UInt64(environment["FUZZ_SEED"] ?? "") ?? UInt64.random(in: 0..<1 << 48)
  private static let clients = 4

  /// One server of each loop, with a socket for each protocol and one that recognises it.
  private struct Servers {
    let all: [ServerProcess]

    init() throws {
      let sockets = ["http-socket", "scgi-socket", "uwsgi-socket", "fastcgi-socket", "socket"]
      let apps = [
        "--mount", "/echo=\(Repository.app("echo"))", "--mount", "/streams=\(try FixtureApp.path("streams"))",
      ]
      let options =
        sockets.flatMap { ["--\($0)", "127.0.0.1:0"] } + apps + [
          "--no-master", "-L", "--limit-post", "60000", "--post-buffering", "4096", "-b", "16384",
          "--trusted-proxy", "127.0.0.0/8", "--header-timeout", "10", "--body-timeout", "10",
        ]
      all = try ["epoll", "auto"].map { try ServerProcess(options + ["--io", $0]) }
    }

    func address(_ server: ServerProcess, _ door: String) throws -> Address {
      try server.address(door == "any" ? "recognised" : door)
    }
  }

  /// Has one conversation with each server, whole and in pieces; returns what is wrong.
  private func compare(_ conversation: Conversation, _ servers: Servers) -> String? {
    var first: Answer?
    for (index, server) in servers.all.enumerated() {
      for inPieces in [false, true] {
        let way = "\(index == 0 ? "epoll" : "io_uring") \(inPieces ? "in pieces" : "at once")"
        do {
          let address = try servers.address(server, conversation.door)
          let answer = try conversation.hold(at: address, inPieces: inPieces)
          guard conversation.ending == .halfClose else { continue }
          if answer.end != .closed { return "\(way): \(answer)" }
          if dependsOnTime(answer) || first.map(dependsOnTime) == true { return nil }
          // So it is with the answer to a HEAD, which does not say how much came.
          if conversation.isHead, let first, answer.text.isEmpty != first.text.isEmpty { return nil }
          if let first, first != answer { return "\(way): \(answer)\nbut before: \(first)" }
          first = answer
        } catch { return "\(way): \(error)" }
      }
    }
    return nil
  }

  /// How much of a cut body an app sees, and whether its answer leaves, depends on time. So does whether
  /// bytes stand behind a head whose length is 0 and whose client sent chunks (docs/PROTOCOLS.md).
  private func dependsOnTime(_ answer: Answer) -> Bool {
    answer.text.contains(", then -") || answer.text.contains("a body in chunks came without its length")
  }

  /// A good request over every protocol still gets its answer.
  private func serves(_ server: ServerProcess) throws {
    for gateway in GatewayRequest.gateways {
      let reply = try server.connect(gateway).exchange(gateway, "/echo/alive", body: [97, 98])
      #expect(reply.status == 200 && reply.text.hasSuffix("ab"), "\(gateway): \(reply)")
    }
  }

  @Test("the same bytes get the same answer on both loops, at once and in pieces")
  func conversations() throws {
    let servers = try Servers()
    for server in servers.all { try serves(server) }
    let before = try servers.all.map { try #require(ProcessUsage($0.process.pid)) }
    let count = Atomic<UInt64>(0)
    let failures = Mutex<[String]>([])
    let deadline = Deadline(seconds: Self.seconds)
    DispatchQueue.concurrentPerform(iterations: Self.clients) { _ in
      while !deadline.isOver, failures.withLock({ $0.count < 5 }) {
        let seed = Self.seed &+ count.wrappingAdd(1, ordering: .relaxed).oldValue
        guard let wrong = compare(Conversation(seed: seed), servers) else { continue }
        failures.withLock { $0.append("FUZZ_SEED=\(seed) \(Conversation(seed: seed))\n\(wrong)") }
      }
    }
    print("\(count.load(ordering: .relaxed)) conversations from FUZZ_SEED=\(Self.seed)")
    for failure in failures.withLock({ $0 }) { Issue.record("\(failure)") }
    for (server, usage) in zip(servers.all, before) {
      try serves(server)
      try Deadline(seconds: 30).wait(for: "the descriptors of all conversations to be closed") {
        ProcessUsage(server.process.pid).flatMap { $0.descriptors <= usage.descriptors + 2 ? true : nil }
      }
      let end = try server.stop()
      #expect(end == .status(0), "\(server.process.output.suffix(4000))")
    }
  }
}
