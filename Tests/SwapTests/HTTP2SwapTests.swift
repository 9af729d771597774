// HTTP/2 over the life of a server: streams of workers that leave are answered.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct HTTP2SwapTests {
    @Test("no stream is lost by swaps")
    func load() throws {
      let server = try SupervisedServer(
        Fixture.good, workers: 2, ["--swap-soak", "0", "--swap-probation", "0"])
      let end = server.folder.file("end")
      let client = try ChildProcess(
        try Repository.python("python"),
        [
          "\(Repository.root)/Tests/Fixtures/clients/h2_client.py", "load",
          "\(try server.server.address("http"))", "/?id=0", end,
        ])
      for build in [try Fixture.better, try Fixture.good, try Fixture.better] {
        try waitForAnswers(40, end, client)
        try server.install(build)
        #expect(try server.ctl("swap").exit == 0)
      }
      try waitForAnswers(40, end, client)
      try "".write(toFile: end, atomically: true, encoding: .utf8)
      #expect(try client.wait() == .status(0), "\(client.output)")
      let words = client.output.split { $0.isWhitespace }
      try #require(words.count > 5, "\(client.output)")
      #expect(Int(words[1]) ?? 0 >= 160 && words[3] == "0", "\(client.output) \(server.log)")
      // Every swap sends its clients to other workers.
      #expect(Int(words[5]) ?? 0 > 3, "\(client.output) \(server.log)")
      #expect(try server.stop() == .status(0))
    }

    /// Waits until the client has so many answers more than now.
    private func waitForAnswers(_ count: Int, _ end: String, _ client: ChildProcess) throws {
      func answers() -> Int {
        (try? String(contentsOfFile: end + ".answers", encoding: .utf8)).flatMap { Int($0) } ?? 0
      }
      let before = answers()
      _ = try Deadline.usual.wait(for: "\(count) more answers", output: { client.output }) {
        answers() >= before + count ? true : nil
      }
    }
  }
}
