// The life of an app in a worker: who is told what, in which order, and an app that takes another one's place
// while requests are under way.
import Foundation
import Support
import Testing

@testable import Host

extension WorkerSuites {
  @Suite struct ReplacementTests {
    /// Said by the worker when a replaced app is over.
    private final class Over: @unchecked Sendable {
      private let ended = DispatchSemaphore(value: 0)
      private(set) var app: App?
      func tell(_ app: App) {
        self.app = app
        ended.signal()
      }
      func wait() throws -> Generation {
        guard ended.wait(timeout: .now() + 30) == .success, let app else {
          throw SupportError.timedOut(waitingFor: "the end of the replaced app", output: "")
        }
        return app.generation
      }
    }

    private func bench(_ book: Book, _ symbol: String? = nil) throws -> WorkerBench {
      try WorkerBench(app: "generations", symbol: symbol, options: book.options(1))
    }

    private func replace(_ bench: WorkerBench, _ book: Book, _ version: Int) throws -> Over {
      let over = Over()
      let app = try bench.next(UInt32(version), options: book.options(version))
      bench.worker.replace(0, with: app) { over.tell($0) }
      // The replacement is one message: whoever is served by the new app comes after it.
      try Deadline.usual.wait(for: "generation \(version)") {
        try answer(bench, "/") == "\(version)" ? () : nil
      }
      return over
    }

    private func answer(_ bench: WorkerBench, _ path: String) throws -> String {
      let socket = try bench.connect()
      try socket.send(get(path, "Connection: close\r\n"))
      return try socket.receiveReply().text
    }

    @Test("load, probe, thread(1), calls, drain, thread(0), unload", arguments: [nil, "single_nsgi_entry"])
    func orderOfLife(symbol: String?) throws {
      let book = try Book()
      let bench = try bench(book, symbol)
      for _ in 0..<3 { #expect(try answer(bench, "/") == "1") }
      #expect(try bench.stop())
      bench.generation.unload()
      #expect(book.lines(1) == ["load", "probe", "enter", "drain", "leave", "unload"])
    }

    @Test("every host thread that calls is told of, once, and again when it goes")
    func threads() throws {
      let book = try Book()
      let bench = try bench(book)
      var sockets: [RawSocket] = []
      for name in ["a", "b", "c"] {
        let socket = try bench.connect()
        try socket.send(get("/wait?\(book.gate(name))"))
        try book.awaitCall(name)
        sockets.append(socket)
      }
      #expect(try answer(bench, "/") == "1")
      for (name, socket) in zip(["a", "b", "c"], sockets) {
        try book.open(name)
        #expect(try socket.receiveReply().text == "1")
      }
      for _ in 0..<5 { #expect(try answer(bench, "/") == "1") }
      #expect(try bench.stop())
      let lines = book.lines(1)
      let entered = lines.count { $0 == "enter" }
      // Three calls waited at once, each on its own thread, while another one answered.
      #expect(entered >= 4)
      #expect(lines.count { $0 == "leave" } == entered)
      #expect(lines.last == "leave")
    }

    @Test("an exchange stays with the app that it began with", arguments: ["/wait", "/later"])
    func exchangesStay(path: String) throws {
      let book = try Book()
      let bench = try bench(book)
      let socket = try bench.connect()
      try socket.send(get("\(path)?\(book.gate("g"))") + get("/"))
      try book.awaitCall("g")
      let over = try replace(bench, book, 2)
      #expect(!book.lines(1).contains("unload"))
      try book.open("g")
      #expect(try socket.receiveReply().text == "1")
      // The next request of the same connection is the new app's.
      #expect(try socket.receiveReply().text == "2")
      let old = try over.wait()
      #expect(old === bench.generation)
      // Threads leave before and after: in which order is theirs.
      let last = book.lines(1).filter { $0 != "leave" }.suffix(2)
      #expect(Array(last) == ["drain", "unload"])
      #expect(book.lines(1).last == "unload")
      #expect(book.lines(1).count { $0 == "enter" } == book.lines(1).count { $0 == "leave" })
      #expect(try bench.stop())
      #expect(book.lines(2).last == "leave")
    }

    @Test("a library that may be unloaded is gone from memory")
    func unloads() throws {
      let book = try Book()
      let bench = try bench(book)
      #expect(try answer(bench, "/") == "1")
      #expect(!bench.generation.close(), "nothing is unloaded under an app that runs")
      let old = try replace(bench, book, 2).wait()
      #expect(old.close())
      #expect(try answer(bench, "/") == "2")
      #expect(try bench.stop())
    }

    @Test("an app is drained when the last of its requests has been called for, not before")
    func drainComesAfterTheLastCall() throws {
      let book = try Book()
      let bench = try bench(book)
      let socket = try bench.connect()
      try socket.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n")
      #expect(try socket.receiveReply().status == 100)
      let over = try replace(bench, book, 2)
      #expect(!book.lines(1).contains("drain"))
      try socket.send("abcdef")
      #expect(try socket.receiveReply().text == "6 1")
      _ = try over.wait()
      #expect(Array(book.lines(1).suffix(3)) == ["drain", "leave", "unload"])
      #expect(try bench.stop())
    }

    @Test("what waits in the queue of the app before is answered by it")
    func queuedRequests() throws {
      let book = try Book()
      let bench = try bench(book, "single_nsgi_entry")
      var sockets: [RawSocket] = []
      for index in 0..<5 {
        let socket = try bench.connect()
        try socket.send(get("/wait?\(book.gate("q\(index)"))"))
        if index == 0 { try book.awaitCall("q0") }
        sockets.append(socket)
      }
      try Deadline.usual.wait(for: "the requests to be read") { bench.worker.exchanges.alive == 5 ? () : nil }
      let over = try replace(bench, book, 2)
      #expect(!book.lines(1).contains("drain"))
      // On a busy machine they may have been read in another order than they were sent.
      for index in sockets.indices { try book.open("q\(index)") }
      for socket in sockets { #expect(try socket.receiveReply().text == "1") }
      _ = try over.wait()
      #expect(book.lines(1).last == "unload")
      #expect(try bench.stop())
    }

    @Test("replaced again and again under load, every request is answered, by one generation each")
    func underLoad() throws {
      let book = try Book()
      let bench = try bench(book)
      let address = try bench.address()
      let isOver = DispatchSemaphore(value: 0)
      let answers = Answers()
      let clients = DispatchGroup()
      for _ in 0..<4 {
        clients.enter()
        Thread.detachNewThread {
          defer { clients.leave() }
          do {
            let socket = try RawSocket(address)
            while isOver.wait(timeout: .now()) != .success {
              try socket.send(get("/") + get("/"))
              for _ in 0..<2 { answers.add(try socket.receiveReply().text) }
            }
            isOver.signal()
          } catch { answers.add("\(error)") }
        }
      }
      var overs: [Over] = []
      for version in 2...12 { overs.append(try replace(bench, book, version)) }
      for over in overs { #expect(try over.wait().close()) }
      isOver.signal()
      #expect(clients.wait(timeout: .now() + 30) == .success)
      #expect(answers.all.isSubset(of: Set((1...12).map { "\($0)" })), "\(answers.all)")
      #expect(try bench.stop())
      for version in 1...11 { #expect(book.lines(version).last == "unload") }
    }

    @Test("a worker that stops while an app retires unloads both")
    func stopWhileRetiring() throws {
      let book = try Book()
      let bench = try bench(book)
      let socket = try bench.connect()
      try socket.send(get("/later?\(book.gate("g"))"))
      try book.awaitCall("g")
      _ = try replace(bench, book, 2)
      bench.send(SIGTERM)
      try Deadline.usual.wait(for: "the new app to be drained") {
        book.lines(2).contains("drain") ? () : nil
      }
      try book.open("g")
      #expect(try socket.receiveReply().text == "1")
      #expect(try bench.waitForEnd())
      for app in bench.worker.apps.all { app.generation.unload() }
      for version in [1, 2] {
        try Deadline.usual.wait(for: "the unloading of \(version)") {
          book.lines(version).last == "unload" ? () : nil
        }
      }
    }

    @Test("drain, when the worker stops, waits for requests that are still called for")
    func drainAtTheStop() throws {
      let book = try Book()
      let bench = try bench(book)
      let half = try bench.connect()
      try half.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n")
      #expect(try half.receiveReply().status == 100)
      let later = try bench.connect()
      try later.send(get("/later?\(book.gate("g"))"))
      try book.awaitCall("g")
      bench.send(SIGTERM)
      try Deadline.usual.wait(for: "the stop") {
        bench.worker.common.hasBegunToStop ? () : nil
      }
      #expect(!book.lines(1).contains("drain"))
      try half.send("abcdef")
      #expect(try half.receiveReply().text == "6 1")
      // The asynchronous exchange goes on, and the app can be told now.
      try Deadline.usual.wait(for: "the drain") { book.lines(1).contains("drain") ? () : nil }
      try book.open("g")
      #expect(try later.receiveReply().text == "1")
      #expect(try bench.waitForEnd())
    }
  }

  /// Texts from several threads.
  private final class Answers: @unchecked Sendable {
    private let lock = NSLock()
    private var texts: Set<String> = []
    func add(_ text: String) { _ = lock.withLock { texts.insert(text) } }
    var all: Set<String> { lock.withLock { texts } }
  }
}
