// Asynchronous exchanges, ended by threads of the app while their clients go away: each is ended exactly
// once, and the server's memory stays what it is. STRESS_FINISHES=1000000 (make stress) is the full size.
import Foundation
import Support
import Testing

@Suite struct StressTests {
  /// What the app has counted.
  private struct Counts {
    var calls = 0, finishes = 0, refusals = 0, cancels = 0, strange = 0

    init(_ server: ServerProcess) throws {
      let socket = try server.connect()
      try socket.send("GET /counts HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
      let words = try socket.receiveReply().text.split(whereSeparator: \.isWhitespace)
      let numbers = stride(from: 1, to: words.count, by: 2).compactMap { Int(words[$0]) }
      guard numbers.count == 5 else { throw SupportError.malformedReply("\(words)") }
      (calls, finishes, refusals) = (numbers[0], numbers[1], numbers[2])
      (cancels, strange) = (numbers[3], numbers[4])
    }
  }

  private static let wanted =
    Int(ProcessInfo.processInfo.environment["STRESS_FINISHES"] ?? "") ?? 20_000

  /// Bytes of memory that the server really uses.
  private func memory(_ server: ServerProcess) throws -> Int {
    let text = try String(contentsOfFile: "/proc/\(server.process.pid)/statm", encoding: .utf8)
    guard let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
      throw SupportError.malformedReply(text)
    }
    return pages * 4096
  }

  /// Sends `count` requests at once and takes all answers, which are of one length.
  private func exchange(_ socket: RawSocket, _ requests: [UInt8], _ count: Int) throws {
    try socket.send(requests)
    let first = try socket.receive(until: "storm\n")
    var left = (count - 1) * first.utf8.count
    while left > 0 {
      let bytes = try socket.receive(min(left, 65536))
      guard !bytes.isEmpty else { throw SupportError.malformedReply("\(left) bytes are missing") }
      left -= bytes.count
    }
  }

  /// Works until the app has had `target` calls; every fourth client goes without its answers.
  private func storm(_ server: ServerProcess, until target: Int) throws {
    let count = 32
    let requests = (0..<count).map { _ in "GET / HTTP/1.1\r\nHost: h\r\n\r\n" }.joined()
    let held = "GET /?held HTTP/1.1\r\nHost: h\r\n\r\n"
    var round = 0
    while try Counts(server).calls < target {
      for _ in 0..<8 {
        round += 1
        let socket = try server.connect()
        for _ in 0..<4 { try exchange(socket, Array(requests.utf8), count) }
        // One goes in the middle of what it has asked for, one waits for a cancel.
        let leaver = try server.connect()
        leaver.resetOnClose()
        try leaver.send(round % 4 == 0 ? held : requests)
        if round % 4 == 0 { usleep(200) }
        leaver.close()
        socket.close()
      }
    }
  }

  @Test("every exchange is ended exactly once, and memory is steady")
  func finishesRacingCancels() async throws {
    let app = try FixtureApp.path("storm")
    // One process, whose memory is looked at and whose app counts.
    let server = try ServerProcess(app: app, ["--no-master", "-L", "--http-socket", "127.0.0.1:0"])
    let wanted = Self.wanted
    func clients(until target: Int) async throws {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<3 { group.addTask { try self.storm(server, until: target) } }
        try await group.waitForAll()
      }
    }
    // What grows at first: the slabs, the pools, the heap of each thread.
    try await clients(until: wanted / 5)
    let early = try memory(server)
    try await clients(until: wanted)
    let late = try memory(server)
    let said = { (try? Counts(server)).map { "\($0)" } ?? "" }
    let counts = try Deadline.usual.wait(for: "the last finish", output: said) { () -> Counts? in
      let counts = try Counts(server)
      // Whoever cancels ends it as well: one of the two is refused each time.
      return counts.finishes == counts.calls && counts.refusals == counts.cancels ? counts : nil
    }
    #expect(counts.calls >= wanted)
    #expect(counts.strange == 0)
    #expect(counts.cancels > wanted / 2000, "no client went in time")
    #expect(late - early < 4 << 20 || Repository.isSanitized, "\(early) bytes became \(late)")
    print("stress: \(counts), memory \(early) and \(late) bytes")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
