// How a worker leaves to others: no kept connection ends where its client may just be sending, and no app is
// called for after it was told that nothing more comes.
import Config
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct LeavingTests {
    private func fastCGI(_ path: String) -> [UInt8] {
      var request = FastCGIClientRequest(params: [("REQUEST_METHOD", "GET"), ("REQUEST_URI", path)])
      request.keepsConnection = true
      return request.bytes
    }

    private func bench(
      _ app: String = "conformance", onUnixSockets: Bool = false, quiet: Double,
      options: [Generation.Option] = [], graceful: Double = 600, drain: Double = 600
    ) throws -> WorkerBench {
      try WorkerBench(
        app: app, [.fastcgi, .http1], onUnixSockets: onUnixSockets, options: options, isSupervised: true,
        settings: {
          $0.limits.quietSeconds = quiet
          $0.limits.gracefulSeconds = graceful
          $0.limits.drainSeconds = drain
        })
    }

    @Test("a kept FastCGI connection ends with the next short answer, HTTP says so", arguments: [0, 1])
    func endsWithShortAnswer(listener: Int) throws {
      let bench = try bench(quiet: 600)
      let socket = try bench.connect(listener)
      let request = listener == 0 ? fastCGI("/ok") : Array(get("/ok").utf8)
      func reply() throws -> Reply {
        try listener == 0 ? socket.receiveFastCGI().reply : socket.receiveReply()
      }
      try socket.send(request)
      #expect(try reply().text == "ok")
      try bench.order(.retire)
      try socket.send(request)
      let last = try reply()
      #expect(last.text == "ok" && last["connection"] == (listener == 0 ? nil : "close"))
      #expect(try socket.receiveAll().isEmpty)
      socket.close()
      #expect(try bench.waitForEnd())
    }

    @Test("a FastCGI front end that may be reading already is served again", arguments: ["/flushed", "/big"])
    func outlastsLongAnswers(path: String) throws {
      let bench = try bench(quiet: 600)
      let socket = try bench.connect()
      try socket.send(fastCGI("/ok"))
      #expect(try socket.receiveFastCGI().reply.text == "ok")
      try bench.order(.retire)
      for _ in 0..<3 {
        try socket.send(fastCGI(path))
        #expect(try socket.receiveFastCGI().reply.status == 200)
      }
      try socket.send(fastCGI("/ok"))
      #expect(try socket.receiveFastCGI().reply.text == "ok")
      #expect(try socket.receiveAll().isEmpty)
      socket.close()
      #expect(try bench.waitForEnd())
    }

    @Test("a unix socket brings no end along: its connection is served until it is quiet")
    func quietOnUnixSockets() throws {
      let bench = try bench(onUnixSockets: true, quiet: 1)
      let socket = try bench.connect()
      try bench.order(.retire)
      for _ in 0..<3 {
        try socket.send(fastCGI("/ok"))
        #expect(try socket.receiveFastCGI().reply.text == "ok")
      }
      #expect(try socket.receiveAll().isEmpty)
      #expect(try bench.waitForEnd())
    }

    @Test("a FastCGI connection that asks nothing ends when it has been quiet, long before an HTTP one")
    func quiet() throws {
      let bench = try bench(quiet: 0.1)
      let http = try bench.connect(1)
      let (used, fresh) = (try bench.connect(), try bench.connect())
      try used.send(fastCGI("/ok"))
      #expect(try used.receiveFastCGI().reply.text == "ok")
      try http.send(get("/ok"))
      #expect(try http.receiveReply().text == "ok")
      try bench.order(.retire)
      #expect(try used.receiveAll().isEmpty && fresh.receiveAll().isEmpty)
      try http.send(get("/ok"))
      #expect(try http.receiveLastReply()["connection"] == "close")
      http.close()
      #expect(try bench.waitForEnd())
    }

    @Test("a worker that is hurried, or late, closes what asks nothing", arguments: [true, false])
    func late(isHurried: Bool) throws {
      let bench = try bench(quiet: isHurried ? 0.3 : 600, graceful: isHurried ? 600 : 2)
      let sockets = try [bench.connect(0), bench.connect(1)]
      try sockets[0].send(fastCGI("/ok"))
      #expect(try sockets[0].receiveFastCGI().reply.text == "ok")
      try sockets[1].send(get("/ok"))
      #expect(try sockets[1].receiveReply().text == "ok")
      try bench.order(.retire)
      if isHurried { try bench.order(.stop) }
      for socket in sockets { #expect(try socket.receiveAll().isEmpty) }
      #expect(try bench.waitForEnd())
    }

    @Test("a stream that began with a promise holds the drain up, and its connection is served once more")
    func promisedStream() throws {
      let book = try Book()
      let bench = try bench("generations", quiet: 600, options: book.options(1))
      let socket = try bench.connect(1)
      try socket.send(get("/stream?\(book.gate("g"))"))
      try book.awaitCall("g")
      try bench.order(.retire)
      try book.open("g")
      #expect(try socket.receiveReply().text == "11")
      #expect(!book.lines(1).contains("drain"))
      try socket.send(get("/"))
      let last = try socket.receiveLastReply()
      #expect(last.text == "1" && last["connection"] == "close")
      socket.close()
      #expect(try bench.waitForEnd())
    }

    @Test("no call comes after the drain: a stream that outlasts it is the last of its connection")
    func drainedStream() throws {
      let book = try Book()
      let bench = try bench("generations", quiet: 600, options: book.options(1), drain: 0.1)
      let socket = try bench.connect(1)
      try socket.send(get("/stream?\(book.gate("g"))"))
      try book.awaitCall("g")
      let head = try socket.receive(until: "\r\n\r\n")
      #expect(!head.lowercased().contains("connection: close"))
      try bench.order(.retire)
      try Deadline.usual.wait(for: "the drain") { book.lines(1).contains("drain") ? () : nil }
      try book.open("g")
      let rest = try socket.receiveAll()
      #expect(String(decoding: rest, as: UTF8.self).hasSuffix("\r\n0\r\n\r\n"))
      socket.close()
      #expect(try bench.waitForEnd())
    }

    @Test("a FastCGI call holds the drain up: another may come on its connection")
    func fastCGIHoldsDrain() throws {
      let book = try Book()
      let bench = try bench("generations", quiet: 600, options: book.options(1))
      let socket = try bench.connect()
      try socket.send(fastCGI("/stream?\(book.gate("g"))"))
      try book.awaitCall("g")
      try bench.order(.retire)
      try book.open("g")
      #expect(try socket.receiveFastCGI().reply.status == 200)
      #expect(!book.lines(1).contains("drain"))
      try socket.send(fastCGI("/"))
      #expect(try socket.receiveFastCGI().reply.text == "1")
      #expect(try socket.receiveAll().isEmpty)
      socket.close()
      #expect(try bench.waitForEnd())
      #expect(book.lines(1).contains("drain"))
    }
  }
}
