// A mixed load on every protocol, in which one client of twenty goes away in the middle, for as long as
// SOAK_SECONDS says (`make soak`: ten minutes): memory stays what it is, and nobody else loses an answer.
import Foundation
import Support
import Synchronization
import Testing

extension Swaps {
  @Suite struct SoakTests {
    private static let seconds = ProcessInfo.processInfo.environment["SOAK_SECONDS"].flatMap { Double($0) }
    /// Bytes in 100,000 requests, of all processes of the server.
    private static let mostGrowth = 200_000.0

    /// A look: requests so far, and resident bytes of master and workers.
    private struct Sample {
      let requests: Double
      let bytes: Double
    }

    private static func look(_ server: SupervisedServer, _ requests: Int) throws -> Sample {
      let status = try server.status()
      let pids = [status.pid] + status.workers.map(\.pid)
      let resident = pids.reduce(0) { $0 + (ProcessUsage($1)?.resident ?? 0) }
      return Sample(requests: Double(requests), bytes: Double(resident) * 1024)
    }

    /// Bytes in 100,000 requests, by the line that fits the samples best (least squares).
    private static func growth(_ samples: [Sample]) -> Double {
      let count = Double(samples.count)
      let x = samples.reduce(0) { $0 + $1.requests } / count
      let y = samples.reduce(0) { $0 + $1.bytes } / count
      let above = samples.reduce(0) { $0 + ($1.requests - x) * ($1.bytes - y) }
      let below = samples.reduce(0) { $0 + ($1.requests - x) * ($1.requests - x) }
      return below > 0 ? above / below * 100_000 : 0
    }

    /// A client that asks for much or says half, and is gone.
    private static func abort(_ server: SupervisedServer, _ number: Int) throws {
      let gateway = GatewayRequest.gateways[number % GatewayRequest.gateways.count]
      let socket = try server.server.connect(gateway)
      socket.resetOnClose()
      let body = TestBody.bytes(20_000)
      switch number / GatewayRequest.gateways.count % 4 {
      case 0: try socket.send(Array(GatewayRequest.bytes(gateway, "/body?id=0", body: body).prefix(9000)))
      case 1: try socket.send(GatewayRequest.bytes(gateway, "/big?id=0"))
      case 2:
        try socket.send(GatewayRequest.bytes(gateway, "/stream?id=0"))
        _ = try socket.receive(1)
      default: try socket.send(Array(GatewayRequest.bytes(gateway, "/?id=0").prefix(12)))
      }
      socket.close()
    }

    @Test("memory is flat under a mixed load of which one client of twenty goes away")
    func flat() throws {
      let server = try SupervisedServer(Fixture.good, gateways: GatewayRequest.gateways)
      let ledger = try Ledger(server, Ledger.Way.allCases + [.httpFresh, .httpFresh, .httpKeepAlive])
      let seconds = Self.seconds ?? 4
      let end = Deadline(seconds: seconds)
      let period = max(0.2, seconds / 120)
      var (aborted, samples) = (0, [Sample]())
      var next = Deadline(seconds: seconds / 5)
      while !end.isOver {
        if aborted * 19 < ledger.answers {
          try Self.abort(server, aborted)
          aborted += 1
        } else {
          usleep(1000)
        }
        if next.isOver {
          samples.append(try Self.look(server, ledger.answers + aborted))
          next = Deadline(seconds: period)
        }
      }
      let report = try ledger.finish()
      #expect(report.losses.isEmpty && report.duplicates.isEmpty && report.unserved.isEmpty, "\(report)")
      #expect(aborted * 25 > report.answered, "\(aborted) of \(report.answered) have gone")
      let growth = Self.growth(samples)
      let first = try #require(samples.first)
      let last = try #require(samples.last)
      let (before, after) = (Int(first.bytes) / 1024, Int(last.bytes) / 1024)
      print(
        "soak: \(Int(growth / 1000)) kB of growth in 100,000 requests (\(Int(last.requests)) requests in "
          + "\(Int(seconds)) s, \(aborted) of them aborted; \(before) KiB became \(after))")
      // A short look sees what a heap grows by itself at first.
      let isLong = last.requests - first.requests >= 400_000
      #expect(growth < Self.mostGrowth || !isLong || Repository.isSanitized, "\(growth)")
      #expect(after < before + 16 * 1024 || Repository.isSanitized, "\(before) KiB became \(after)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
