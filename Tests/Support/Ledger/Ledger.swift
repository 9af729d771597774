// A load of every kind at once that keeps account of each request: Tests/Fixtures/apps/ledger.c answers with
// its build, its generation and the request's id at both ends of the body, and writes down each id it serves.
import Foundation
import Synchronization

/// Clients that ask until they are stopped, and what became of each request.
public final class Ledger: Sendable {
  /// How a client asks.
  public enum Way: String, CaseIterable, Sendable {
    /// GET, POST and chunked POST one after the other on one connection, as long as it lasts.
    case httpKeepAlive
    /// The same with pauses in which the connection is idle.
    case httpIdle
    /// A connection for each request.
    case httpFresh
    case scgi, uwsgi, fastcgi
    /// FastCGI with keep_conn.
    case fastcgiKeepAlive
    /// Takes a long answer slowly.
    case slowReader
    /// An answer that comes in pieces.
    case stream
    /// A chunked body that goes out in pieces.
    case upload
    /// Requests of all kinds, a stream of HTTP/2 each, on one connection as long as it takes streams.
    case http2

    /// All but HTTP/2, which not every server of the tests speaks.
    public static let usual = allCases.filter { $0 != .http2 }

    /// The protocol, by the name of its option.
    public var gateway: String {
      switch self {
      case .scgi, .uwsgi, .fastcgi: rawValue
      case .fastcgiKeepAlive: "fastcgi"
      default: "http"
      }
    }
  }

  /// A request without its proper answer.
  public struct Loss: Sendable, CustomStringConvertible {
    /// What is wrong.
    public enum Kind: String, Sendable {
      /// No connection.
      case refused
      case reset
      /// The connection ended where an answer should begin.
      case unanswered
      case truncated
      /// A status that is not 200.
      case status
      /// Begun by one generation and ended by another.
      case mixed
      /// Answered by a generation that was replaced before the connection was opened.
      case stale
      /// An answer to something else.
      case wrong
      case timedOut
    }

    public let kind: Kind
    public let way: Way
    public let id: Int
    public let detail: String
    /// The connection's request, from 1.
    public let turn: Int

    public var description: String {
      "\(way) id \(id) (request \(turn) of its connection): \(kind): \(detail)"
    }
  }

  /// What came of the whole load.
  public struct Report: Sendable, CustomStringConvertible {
    public var answered = 0
    public var losses: [Loss] = []
    /// Ids that were served more than once.
    public var duplicates: [Int] = []
    /// Answered, but never written down by the app.
    public var unserved: [Int] = []
    /// Idle connections that had ended before a request was sent; no loss.
    public var idleEnds = 0
    /// Answers by "letter generation".
    public var generations: [String: Int] = [:]
    /// Nanoseconds of each short request, sorted.
    public var latencies: [UInt64] = []

    /// The time below which so many percent of the short requests were answered, in milliseconds.
    public func percentile(_ percent: Double) -> Double {
      guard !latencies.isEmpty else { return 0 }
      return Double(latencies[min(latencies.count - 1, Int(Double(latencies.count) * percent / 100))]) / 1e6
    }

    /// Losses of these kinds.
    public func losses(_ kinds: Loss.Kind...) -> [Loss] { losses.filter { kinds.contains($0.kind) } }

    public var description: String {
      let first = losses.prefix(20).map { "\n  \($0)" }.joined()
      return "\(answered) answered, \(losses.count) lost, \(duplicates.count) duplicated, "
        + "\(unserved.count) unserved, \(idleEnds) idle ends, p50 \(percentile(50)) ms, "
        + "p99 \(percentile(99)) ms\(first)"
    }
  }

  private let ways: [Way]
  private let served: String
  private let report = Mutex(Report())
  private let ids = Atomic<Int>(1)
  private let answeredIDs = Mutex<[Int]>([])
  private let count = Atomic<Int>(0)
  private let floor = Atomic<Int>(0)
  private let isStopping = Atomic<Bool>(false)
  private let ended = DispatchSemaphore(value: 0)

  /// Starts clients of a server for each of `ways`, one each, or several if named several times.
  public convenience init(_ server: SupervisedServer, _ ways: [Way] = Way.usual) throws {
    var addresses: [String: Address] = [:]
    for way in ways { addresses[way.gateway] = try server.server.address(way.gateway) }
    try self.init(at: addresses, served: server.served, ways)
  }

  /// Starts clients of these addresses, by the protocols' names. `served` is the file in which the app
  /// writes the ids.
  public init(at addresses: [String: Address], served: String, _ ways: [Way]) throws {
    (self.ways, self.served) = (ways, served)
    for way in ways {
      let address = addresses[way.gateway]!
      Thread.detachNewThread { [self] in
        var client = LedgerClient(self, way, address)
        while !isStopping.load(ordering: .relaxed) { client.ask() }
        client.close()
        ended.signal()
      }
    }
  }

  /// From now on an answer on a new connection comes from this generation or a later one.
  public func expect(generation: Int) { floor.store(generation, ordering: .sequentiallyConsistent) }

  /// Waits until so many more requests are answered.
  public func waitForAnswers(_ more: Int, _ deadline: Deadline = .usual) throws {
    let goal = count.load(ordering: .relaxed) + more
    try deadline.wait(for: "\(more) more answers", output: { "\(self.report.withLock { $0 })" }) {
      count.load(ordering: .relaxed) >= goal ? true : nil
    }
  }

  /// Answers so far.
  public var answers: Int { count.load(ordering: .relaxed) }

  /// Losses so far.
  public var losses: [Loss] { report.withLock { $0.losses } }

  /// Stops the clients, each after its request, and closes the account.
  public func finish() throws -> Report {
    isStopping.store(true, ordering: .relaxed)
    for _ in ways {
      guard ended.wait(timeout: .now() + 60) == .success else {
        throw SupportError.timedOut(waitingFor: "the clients", output: "\(report.withLock { $0 })")
      }
    }
    var result = report.withLock { $0 }
    result.latencies.sort()
    let text = (try? String(contentsOfFile: served, encoding: .utf8)) ?? ""
    var times: [Int: Int] = [:]
    for line in text.split(separator: "\n") { times[Int(line) ?? -1, default: 0] += 1 }
    result.duplicates = times.filter { $0.key > 0 && $0.value > 1 }.map(\.key).sorted()
    result.unserved = answeredIDs.withLock { $0 }.filter { times[$0] == nil }
    return result
  }

  // MARK: For the clients

  func nextID() -> Int { ids.add(1, ordering: .relaxed).oldValue }

  /// The oldest generation that may answer on a connection that is opened now.
  var oldestGeneration: Int { floor.load(ordering: .sequentiallyConsistent) }

  func answered(_ id: Int, _ generation: String, short nanoseconds: UInt64?) {
    count.add(1, ordering: .relaxed)
    answeredIDs.withLock { $0.append(id) }
    report.withLock {
      $0.answered += 1
      $0.generations[generation, default: 0] += 1
      if let nanoseconds { $0.latencies.append(nanoseconds) }
    }
  }

  func lost(_ loss: Loss) { report.withLock { $0.losses.append(loss) } }

  func idleEnded() { report.withLock { $0.idleEnds += 1 } }
}
