// Swaps behind real web servers, with the configurations of docs/deploy: their clients see no error.
import Foundation
import Support
import Synchronization
import Testing

extension Swaps {
  @Suite struct FrontEndSwapTests {
    @Test(
      "clients of a web server see no error while builds are swapped behind it",
      arguments: [
        ("lighttpd/scgi-tcp.conf", "scgi"), ("lighttpd/fastcgi-tcp.conf", "fastcgi"),
        ("lighttpd/uwsgi-tcp.conf", "uwsgi"), ("lighttpd/proxy-tcp.conf", "http"),
        ("nginx/scgi-tcp.conf", "scgi"), ("nginx/fastcgi-tcp.conf", "fastcgi"),
        ("nginx/fastcgi-keep-tcp.conf", "fastcgi"), ("nginx/fastcgi-keep-unix.conf", "fastcgi"),
        ("nginx/uwsgi-tcp.conf", "uwsgi"), ("nginx/proxy-tcp.conf", "http"),
      ])
    func behind(file: String, gateway: String) throws {
      let onUnixSocket = file.contains("unix")
      let server = try SupervisedServer(
        Fixture.good, gateways: onUnixSocket ? [] : [gateway],
        ["--swap-soak", "0", "--swap-probation", "0"]
          + (onUnixSocket ? ["--\(gateway)-socket", "DIR/gateway.sock"] : []))
      let frontEnd = try FrontEnd(file, before: server.server)
      let builds = [try Fixture.good, try Fixture.better]
      let ledger = try Ledger(
        at: ["http": .tcp(host: "127.0.0.1", port: frontEnd.port)], served: server.served,
        [.httpKeepAlive, .httpFresh, .httpFresh, .stream, .slowReader, .httpIdle])
      // What a web server asks on a connection of before the swap, an old worker may still answer.
      for swap in 1...(Swaps.isProof ? 40 : 4) {
        try ledger.waitForAnswers(.random(in: 20...80))
        try server.install(builds[swap % 2])
        let (exit, output) = try server.ctl("swap")
        #expect(exit == 0, "\(output)")
      }
      try ledger.waitForAnswers(50)
      let report = try ledger.finish()
      let said = "\(file): \(report)\n\(frontEnd.process.output)"
      #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(said)")
      try frontEnd.stop()
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
