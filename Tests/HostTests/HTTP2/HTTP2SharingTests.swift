// A connection of HTTP/2 as the leader serves it, without an app: the test is the leader.
import Config
import Glibc
import Support
import Testing
import Wire

@testable import Host

extension WorkerSuites {
  @Suite struct HTTP2SharingTests {
    /// Preface, and SETTINGS and WINDOW_UPDATE that open all windows.
    private static let client =
      HTTP2Bytes.preface + HTTP2Bytes.frame(HTTP2Bytes.settings, 0, 0, [0, 4, 0x40, 0, 0, 0])
      + HTTP2Bytes.frame(HTTP2Bytes.windowUpdate, 0, 0, [0x3f, 0, 0, 0])
    /// GET, http, `/`, and an authority of one letter.
    private static let request: [UInt8] = [0x82, 0x86, 0x84, 0x41, 0x01, 0x78]

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

    /// Gives the client's bytes to the session and takes the heads of its requests, for streams 1, 3, …, with
    /// these priorities.
    private func ask(_ multiplexer: MultiplexerPointer, _ priorities: [String?]) throws {
      var out = ByteBuffer()
      var offset = 0
      var client = Self.client
      for (number, priority) in priorities.enumerated() {
        let block = Self.request + HTTP2Bytes.block(priority.map { [(name: "priority", value: $0)] } ?? [])
        client += HTTP2Bytes.frame(HTTP2Bytes.headers, 5, UInt32(2 * number + 1), block)
      }
      try client.withUnsafeBytes { bytes in
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

    /// All that has come by now.
    private func receive(_ fd: Int32) -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      var all: [UInt8] = []
      while true {
        let count = recv(fd, &bytes, 1 << 16, Int32(MSG_DONTWAIT))
        guard count > 0 else { return all }
        all += bytes[..<count]
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

    /// A connection of HTTP/2 in the worker, whose client has asked for streams with these priorities.
    private func begin(
      _ worker: Worker, _ fd: Int32, _ priorities: [String?]
    ) throws -> (carrier: ConnectionPointer, multiplexer: MultiplexerPointer) {
      let (carrier, multiplexer) = try makeCarrier(fd, worker)
      try ask(multiplexer, priorities)
      return (carrier, multiplexer)
    }

    /// A stream whose body of so many bytes is there, and nothing else.
    private func stream(
      _ id: UInt32, _ total: Int, _ worker: Worker, _ multiplexer: MultiplexerPointer
    ) -> (record: ConnectionPointer, frames: Int) {
      let record = makeStream(id, of: multiplexer, worker)
      let outlet = record.outlet
      var (left, frames) = (total, 0)
      while left > 0 {
        let size = HTTP2ResponseWriter.dataHead(left, id: id, into: &outlet.output)
        [UInt8](repeating: 0x61, count: size).withUnsafeBytes { outlet.output.append($0) }
        left -= size
        frames += 1
      }
      worker.waits(record)
      return (record, frames)
    }

    // RFC 9218 §10.
    @Test(
      "of equal urgency, answers that are wanted whole leave in order, all others in turns",
      arguments: [
        ([nil, nil, nil], [1, 3, 5, 1, 3, 5]), (["u=3", "i=?0", "u=3;x"], [1, 3, 5]),
        (["i", "u=3, i", "i=?1"], [1, 3, 5, 1, 3, 5]), (["u=4", "u=1", "u=1"], [3, 5, 1]),
        (["i", "u=3", "u=3"], [1, 3, 1, 5]),
      ] as [([String?], [UInt32])])
    func order(priorities: [String?], expected: [UInt32]) throws {
      let worker = try ExchangeBench(Array(get("/").utf8)).worker
      let ends = try pair()
      defer { for end in [ends.server, ends.client] { close(end) } }
      let (carrier, multiplexer) = try begin(worker, ends.server, priorities)
      // Two turns each.
      let records = [1, 3, 5].map { stream($0, 2 * 16_384, worker, multiplexer).record }
      var received: [UInt8] = []
      for _ in 0..<20 where !worker.rounds.carriers.isEmpty {
        worker.sendCarriers()
        received += receive(ends.client)
      }
      var (rest, order) = (received[...], [UInt32]())
      while let frame = HTTP2Bytes.take(&rest) {
        if frame.type == HTTP2Bytes.data, order.last != frame.id { order.append(frame.id) }
      }
      #expect(order == expected, "\(order)")
      takeApart(multiplexer, carrier, records)
    }

    @Test("gets a share of a turn, however fast its client reads, and goes on with the next")
    func share() throws {
      var settings = Settings()
      settings.limits.fileBytesPerTurn = 100_000
      let worker = try ExchangeBench(Array(get("/").utf8), settings: settings).worker
      let ends = try pair()
      defer { for end in [ends.server, ends.client] { close(end) } }
      let (carrier, multiplexer) = try begin(worker, ends.server, [nil])
      let total = 1_000_000
      let (record, frames) = stream(1, total, worker, multiplexer)
      var (turns, received) = (0, 0)
      repeat {
        worker.sendCarriers()
        turns += 1
        let some = receive(ends.client).count
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
