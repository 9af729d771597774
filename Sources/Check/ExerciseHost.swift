import CNSGI
import Config
import Host
import Synchronization
import Wire

/// The host of the exercise: every function of `nsgi_host` over exchanges in memory. It answers as nsgi.h
/// says, misbehaves like clients, and reports each call that nsgi.h does not allow.
///
/// One per process: C functions carry no context. Unchecked: mutable parts are guarded by `mutex`, except
/// those that are set before the application is opened or between two steps.
final class ExerciseHost: @unchecked Sendable {
  static let shared = ExerciseHost()

  /// Where violations go.
  var reporter = CheckReporter(descriptor: -1)
  /// The current step.
  var step = "check"
  /// Nanoseconds after which the client of an endless response leaves.
  var patience: UInt64 = .max
  /// The application, as far as answers depend on it.
  var isPlain = false
  var canCancel = false
  var flags: UInt32 = 0
  /// Calls of on_ready() so far.
  let registrations = Atomic<Int>(0)

  /// Different violations so far.
  private(set) var violations = 0

  private let mutex = Monitor()
  private var exchanges: [ExerciseExchange] = []
  private var told: Set<String> = []
  private static let firstID: nsgi_id = 0x1_0000_0001

  private init() {}

  /// Opens a new exchange.
  func open(_ scenario: ExerciseScenario) throws(SystemError) -> ExerciseExchange {
    mutex.lock()
    defer { mutex.unlock() }
    let id = Self.firstID + nsgi_id(exchanges.count)
    let exchange = try ExerciseExchange(scenario, id: id, step: step, host: self)
    exchanges.append(exchange)
    return exchange
  }

  /// Reports a violation, once for each step.
  func violation(_ text: String, step: String? = nil) {
    let step = step ?? self.step
    mutex.lock()
    let isNew = told.count < 1000 && told.insert("\(step): \(text)").inserted
    if isNew { violations += 1 }
    mutex.unlock()
    if isNew { reporter.send(.violation(step: step, text)) }
  }

  func promises(_ flag: nsgi_app_flags) -> Bool { flags & flag.rawValue != 0 }

  /// The exchange of an id; reports an id that never existed.
  private func find(_ id: nsgi_id, _ call: String) -> ExerciseExchange? {
    if ForkedCopy.isThis { return nil }
    mutex.lock()
    let index = id &- Self.firstID
    let exchange = index < exchanges.count ? exchanges[Int(index)] : nil
    mutex.unlock()
    if exchange == nil { violation("\(call) for a request that never was") }
    return exchange
  }

  private func with<Result>(
    _ id: nsgi_id, _ call: String, gone: Result, _ body: (ExerciseExchange) -> Result
  ) -> Result {
    guard let exchange = find(id, call) else { return gone }
    return body(exchange)
  }

  // MARK: The table

  /// The table that `nsgi_entry` and `load` get; it lives as long as the process.
  nonisolated(unsafe) static let table: UnsafePointer<nsgi_host> = {
    let table = UnsafeMutablePointer<nsgi_host>.allocate(capacity: 1)
    var host = nsgi_host()
    host.head = nsgi_head(
      magic: UInt32(NSGI_MAGIC), major: UInt16(NSGI_MAJOR), minor: UInt16(NSGI_MINOR),
      size: UInt32(MemoryLayout<nsgi_host>.size), flags: 0)
    host.server = text("nsgi-server")
    host.version = text(Program.version)
    addRequest(to: &host)
    addResponse(to: &host)
    table.initialize(to: host)
    return UnsafePointer(table)
  }()

  private static func text(_ literal: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
  }

  private static func addRequest(to host: inout nsgi_host) {
    host.log = { _, level, text in ExerciseHost.shared.log(level, text) }
    host.extension = { ExerciseExtensions.find($0) }
    host.environ = { id, count in
      ExerciseHost.shared.list(id, count, "environ()") { ($0.environ, $0.environCount) }
    }
    host.fields = { id, count in
      ExerciseHost.shared.list(id, count, "fields()") { ($0.fields, $0.fieldCount) }
    }
    host.env = { id, name in
      let absent = nsgi_str(p: nil, n: 0)
      return ExerciseHost.shared.with(id, "env()", gone: absent) { exchange in
        exchange.use("env()", gone: absent) { exchange.request.variable(name.bytes) }
      }
    }
    host.read = { id, buffer, capacity in
      ExerciseHost.shared.with(id, "read()", gone: Int64(ForkedCopy.absent)) { $0.read(buffer, capacity) }
    }
    host.body = { id, whole in
      let host = ExerciseHost.shared
      return host.with(id, "body()", gone: ForkedCopy.absent) {
        $0.wholeBody(whole, streams: host.promises(NSGI_STREAMS_IN))
      }
    }
    host.request_trailers = { id, count in
      let host = ExerciseHost.shared
      return host.with(id, "request_trailers()", gone: nil) {
        $0.requestTrailers(count, streams: host.promises(NSGI_STREAMS_IN))
      }
    }
  }

  private static func addResponse(to host: inout nsgi_host) {
    host.respond = { id, status, fields, count, body, length in
      ExerciseHost.shared.with(id, "respond()", gone: ForkedCopy.absent) {
        $0.respond(status, fields, count, body, length)
      }
    }
    host.start = { id, status, fields, count in
      ExerciseHost.shared.with(id, "start()", gone: ForkedCopy.absent) { $0.start(status, fields, count) }
    }
    host.write = { id, bytes, count in
      ExerciseHost.shared.with(id, "write()", gone: ForkedCopy.absent) { $0.write("write()", bytes, count) }
    }
    host.lend = { id, bytes, count, release, argument in
      guard let exchange = ExerciseHost.shared.find(id, "lend()") else {
        release?(argument)
        return ForkedCopy.absent
      }
      return exchange.lend(bytes, count, release, argument)
    }
    host.sendfile = { id, fd, offset, count in
      ExerciseHost.shared.with(id, "sendfile()", gone: ForkedCopy.absent) { $0.sendFile(fd, offset, count) }
    }
    host.flush = { id in ExerciseHost.shared.with(id, "flush()", gone: ForkedCopy.absent) { $0.flush() } }
    host.on_ready = { id, what, function, argument in
      ExerciseHost.shared.with(id, "on_ready()", gone: ForkedCopy.absent) {
        $0.onReady(what, function, argument)
      }
    }
    host.finish = { id, result in
      let host = ExerciseHost.shared
      return host.with(id, "finish()", gone: ForkedCopy.absent) {
        $0.finish(result, mayAsync: host.promises(NSGI_MAY_ASYNC))
      }
    }
    host.reason = { id, phrase in
      ExerciseHost.shared.with(id, "reason()", gone: ForkedCopy.absent) { $0.announce(phrase) }
    }
    host.interim = { id, status, fields, count in
      ExerciseHost.shared.with(id, "interim()", gone: ForkedCopy.absent) {
        $0.interim(status, fields, count)
      }
    }
    host.trailers = { id, fields, count in
      ExerciseHost.shared.with(id, "trailers()", gone: ForkedCopy.absent) { $0.trailers(fields, count) }
    }
  }

  private func list(
    _ id: nsgi_id, _ count: UnsafeMutablePointer<Int>?, _ call: String,
    _ get: (ExerciseRequest) -> (UnsafeMutablePointer<nsgi_pair>, Int)
  ) -> UnsafePointer<nsgi_pair>? {
    count?.pointee = 0
    return with(id, call, gone: nil) { exchange in
      exchange.use(call, gone: nil) {
        let (list, length) = get(exchange.request)
        count?.pointee = length
        return UnsafePointer(list)
      }
    }
  }

  private func log(_ level: Int32, _ text: nsgi_str) {
    guard text.p != nil || text.n == 0 else { return violation("log() with \(text.n) bytes at NULL") }
    if level < Int32(NSGI_TRACE.rawValue) || level > Int32(NSGI_FATAL.rawValue) {
      violation("log() at level \(level), which is none")
    }
    Log.shared.app(level: level, text.bytes)
  }
}
