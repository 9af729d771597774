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
        try server.install(build)
        #expect(try server.ctl("swap").exit == 0)
      }
      try "".write(toFile: end, atomically: true, encoding: .utf8)
      #expect(try client.wait() == .status(0), "\(client.output)")
      let words = client.output.split(separator: " ")
      #expect(words.count > 5 && Int(words[1]) ?? 0 > 50 && words[3] == "0", "\(client.output) \(server.log)")
      #expect(try server.stop() == .status(0))
    }
  }
}
