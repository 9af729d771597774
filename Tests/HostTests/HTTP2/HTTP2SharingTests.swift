// A connection of HTTP/2 as the leader serves it, without an app: the test is the leader.
import Config
import Glibc
import Support
import Testing
import Wire

@testable import Host

extension WorkerSuites {
  @Suite struct HTTP2SharingTests {
    /// Preface, SETTINGS and WINDOW_UPDATE that open all windows, and GET for stream 1.
    private static let client = HTTP2Bytes.preface + frames.joined()
    private static let frames: [[UInt8]] = [
      HTTP2Bytes.frame(HTTP2Bytes.settings, 0, 0, [0, 4, 0x40, 0, 0, 0]),
      HTTP2Bytes.frame(HTTP2Bytes.windowUpdate, 0, 0, [0x3f, 0, 0, 0]),
      HTTP2Bytes.frame(HTTP2Bytes.headers, 5, 1, [0x82, 0x86, 0x84, 0x41, 0x01, 0x78]),
    ]

    /// Two ends of a connection that takes some hundred KiB before it is full.
    private func pair() throws -> (server: Int32, client: Int32) {
      var ends: [Int32] = [0, 0]
      guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
        throw SupportError.system(call: "socketpair", errno: errno)
      }
      var size: Int32 = 1 << 20
      setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
      try System.setNonBlocking(ends[0])
      return (ends[0], ends[1])
    }

    /// Gives the client's bytes to the session and takes the head of its request.
    private func ask(_ multiplexer: MultiplexerPointer) throws {
      var out = ByteBuffer()
      var offset = 0
      try Self.client.withUnsafeBytes { bytes in
        while true {
          let event = try multiplexer.pointee.session.next(bytes, &offset, into: &out)
          if event == .needMore { return }
          guard case .request = event else { continue }
          var head = RequestHead(capacity: 64)
          let fault = try multiplexer.pointee.session.takeHead(&head)
          #expect(fault == nil)
        }
      }
    }

    /// A connection that speaks HTTP/2, without a request yet.
    private func makeCarrier(
      _ socket: Int32, _ worker: Worker
    ) throws -> (ConnectionPointer, MultiplexerPointer) {
      let carrier = worker.connections.take()
      carrier.next(.opened)
      carrier.fd = socket
      worker.beginHTTP2(carrier)
      return (carrier, try #require(carrier.multiplexer))
    }

    /// The record of a stream, as a request on it makes one.
    private func makeStream(
      _ id: UInt32, of multiplexer: MultiplexerPointer, _ worker: Worker
    ) -> ConnectionPointer {
      let record = worker.connections.take()
      record.next(.opened)
      record.gateway = .http2
      record.codec = Codec(.http2, limits: HeadLimits(worker.limits))
      record.codec.begin(stream: id)
      record.multiplexer = multiplexer
      record.outlet.pointee.isStream = true
      multiplexer.pointee.streams.append(Multiplexer.Stream(id: id, record: record))
      return record
    }

    /// Takes the streams and their connection apart.
    private func takeApart(
      _ multiplexer: MultiplexerPointer, _ carrier: ConnectionPointer, _ records: [ConnectionPointer]
    ) {
      multiplexer.pointee.streams = []
      for record in records { record.multiplexer = nil }
      carrier.multiplexer = nil
      multiplexer.deinitialize(count: 1)
      multiplexer.deallocate()
    }

    /// All that has come by now.
    private func receive(_ fd: Int32) -> Int {
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      var total = 0
      while true {
        let count = recv(fd, &bytes, 1 << 16, Int32(MSG_DONTWAIT))
        guard count > 0 else { return total }
        total += count
      }
    }

    @Test("gets a share of a turn, however fast its client reads, and goes on with the next")
    func share() throws {
      var settings = Settings()
      settings.limits.fileBytesPerTurn = 100_000
      let worker = try ExchangeBench(Array(get("/").utf8), settings: settings).worker
      let ends = try pair()
      defer { for end in [ends.server, ends.client] { close(end) } }
      let (carrier, multiplexer) = try makeCarrier(ends.server, worker)
      try ask(multiplexer)
      // A stream whose answer is there, and nothing else.
      let record = makeStream(1, of: multiplexer, worker)
      let outlet = record.outlet
      let total = 1_000_000
      var left = total
      var frames = 0
      while left > 0 {
        let size = HTTP2ResponseWriter.dataHead(left, id: 1, into: &outlet.output)
        [UInt8](repeating: 0x61, count: size).withUnsafeBytes { outlet.output.append($0) }
        left -= size
        frames += 1
      }
      worker.waits(record)
      var (turns, received) = (0, 0)
      repeat {
        worker.sendCarriers()
        turns += 1
        let some = receive(ends.client)
        received += some
        let isBlocked = carrier.outlet.isBlocked
        #expect(!isBlocked)
        // What waits ahead of the socket at most comes on top.
        #expect(some < 2 * 100_000, "\(some)")
      } while !worker.rounds.carriers.isEmpty && turns < 100
      #expect(turns > 4 && turns < 100, "\(turns)")
      // The server's greeting stands in front of the answer.
      #expect(received > total + 9 * frames && received < total + 9 * frames + 100, "\(received)")
      takeApart(multiplexer, carrier, [record])
    }

    @Test("carries several exchanges at once, each with its own way out: one is lost, and the others go on")
    func exchanges() throws {
      let worker = try ExchangeBench(Array(get("/").utf8)).worker
      let ends = try pair()
      defer { for end in [ends.server, ends.client] { close(end) } }
      let (carrier, multiplexer) = try makeCarrier(ends.server, worker)
      let records = [makeStream(1, of: multiplexer, worker), makeStream(3, of: multiplexer, worker)]
      let exchanges = records.map { worker.begin($0) }
      let areTwo = exchanges[0] != exchanges[1]
      #expect(areTwo)
      for (record, exchange) in zip(records, exchanges) {
        let isItsOwn = exchange.connection == record && record.exchange == exchange
        let hasItsOwn = exchange.outlet == record.outlet && exchange.outlet != carrier.outlet
        #expect(isItsOwn)
        #expect(hasItsOwn)
      }
      let carrierHasNone = carrier.exchange == nil
      #expect(carrierHasNone)
      worker.lost(exchanges[0])
      let lost = [records[0].outlet.isLost, records[1].outlet.isLost, carrier.outlet.isLost]
      #expect(lost == [true, false, false])
      worker.give(exchanges[0])
      let (isOver, goesOn) = (records[0].exchange == nil, records[1].exchange == exchanges[1])
      #expect(isOver && goesOn)
      worker.give(exchanges[1])
      takeApart(multiplexer, carrier, records)
    }
  }
}
