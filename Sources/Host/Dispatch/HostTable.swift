import CLinux
import CNSGI
import Wire

/// The functions of `nsgi_host`: what a full-form app may ask of the server. Each finds the exchange by id and
/// says NSGI_GONE for one that is over, NSGI_MISUSE for a call out of order; none is undefined behaviour.
///
/// Inline dispatch: an exchange can be reached from within its `call` on the thread that runs it.
enum HostTable {
  /// The table that `nsgi_entry` and `load` get; lives as long as the process.
  nonisolated(unsafe) static let shared: UnsafePointer<nsgi_host> = {
    let table = UnsafeMutablePointer<nsgi_host>.allocate(capacity: 1)
    table.initialize(to: make())
    return UnsafePointer(table)
  }()

  private static let version: StaticString = "0.1.0"
  private static let name: StaticString = "nsgi-server"

  private static func text(_ literal: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
  }

  private static func make() -> nsgi_host {
    var table = nsgi_host()
    table.head.magic = UInt32(NSGI_MAGIC)
    table.head.major = UInt16(NSGI_MAJOR)
    table.head.minor = UInt16(NSGI_MINOR)
    table.head.size = UInt32(MemoryLayout<nsgi_host>.size)
    table.server = text(name)
    table.version = text(version)
    table.log = { id, level, message in HostTable.log(id, level, message) }
    table.extension = { _ in nil }
    table.environ = { id, count in HostTable.environ(id, count) }
    table.fields = { id, count in HostTable.fields(id, count) }
    table.env = { id, name in HostTable.variable(id, name) }
    table.read = { id, buffer, capacity in HostTable.read(id, buffer, capacity) }
    table.body = { id, whole in HostTable.body(id, whole) }
    table.respond = { id, status, fields, count, body, length in
      HostTable.respond(id, status, fields, count, body, length)
    }
    table.start = { id, status, fields, count in HostTable.start(id, status, fields, count) }
    table.write = { id, bytes, count in HostTable.write(id, bytes, count) }
    table.lend = { id, bytes, count, release, argument in
      let result = HostTable.write(id, bytes, count)
      release?(argument)
      return result
    }
    table.sendfile = { _, _, _, _ in NSGI_MISUSE.rawValue }
    table.flush = { id in HostTable.flush(id) }
    table.on_ready = { _, _, _, _ in NSGI_MISUSE.rawValue }
    table.finish = { _, _ in NSGI_MISUSE.rawValue }
    return table
  }

  /// The exchange that this thread is in, if `id` names it.
  @inline(__always)
  static func find(_ id: nsgi_id) -> Result<ExchangePointer, HostError> {
    guard let current = clinux_get_current() else { return .failure(.misuse) }
    let exchange = current.assumingMemoryBound(to: Exchange.self)
    return exchange.pointee.id == id ? .success(exchange) : .failure(.gone)
  }

  /// Work on the connection: while it lasts, the call is not taken off the loop.
  @inline(__always)
  static func inside(_ exchange: ExchangePointer, _ body: () -> Int32) -> Int32 {
    if !exchange.pointee.isDetached, !exchange.pointee.word.enter() { exchange.pointee.isDetached = true }
    if exchange.pointee.isDetached, exchange.pointee.isAbandoned.load(ordering: .relaxed) {
      exchange.pointee.phase = .gone
    }
    defer { if !exchange.pointee.isDetached { exchange.pointee.word.leave() } }
    return body()
  }

  // MARK: Request

  private static func environ(_ id: nsgi_id, _ count: UnsafeMutablePointer<Int>?) -> UnsafePointer<nsgi_pair>? {
    count?.pointee = 0
    guard case .success(let exchange) = find(id) else { return nil }
    let list = exchange.pointee.environList()
    count?.pointee = exchange.pointee.lists.environCount
    return UnsafePointer(list)
  }

  private static func fields(_ id: nsgi_id, _ count: UnsafeMutablePointer<Int>?) -> UnsafePointer<nsgi_pair>? {
    count?.pointee = 0
    guard case .success(let exchange) = find(id) else { return nil }
    let list = exchange.pointee.fieldList()
    count?.pointee = exchange.pointee.lists.fieldCount
    return UnsafePointer(list)
  }

  private static func variable(_ id: nsgi_id, _ name: nsgi_str) -> nsgi_str {
    guard case .success(let exchange) = find(id), name.p != nil else { return nsgi_str(p: nil, n: 0) }
    return exchange.pointee.variable(named: name.bytes)
  }

  private static func read(_ id: nsgi_id, _ buffer: UnsafeMutableRawPointer?, _ capacity: Int) -> Int64 {
    switch find(id) {
    case .failure(let error): return Int64(error.code)
    case .success(let exchange): return exchange.pointee.read(buffer, capacity)
    }
  }

  private static func body(_ id: nsgi_id, _ whole: UnsafeMutablePointer<nsgi_str>?) -> Int32 {
    switch find(id) {
    case .failure(let error): return error.code
    case .success(let exchange):
      guard let whole else { return NSGI_MISUSE.rawValue }
      do {
        let bytes = try exchange.pointee.body.whole()
        let start = bytes.baseAddress ?? UnsafeRawPointer(Text.empty.start!)
        whole.pointee = nsgi_str(p: start.assumingMemoryBound(to: CChar.self), n: bytes.count)
        return NSGI_OK.rawValue
      } catch {
        exchange.pointee.worker.log.error("request body cannot be read: \(error)")
        return NSGI_IO.rawValue
      }
    }
  }

  // MARK: Response

  private static func respond(
    _ id: nsgi_id, _ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int,
    _ body: UnsafeRawPointer?, _ length: Int
  ) -> Int32 {
    switch find(id) {
    case .failure(let error): return error.code
    case .success(let exchange):
      return inside(exchange) {
        let worker = exchange.pointee.worker
        let begun = worker.begin(exchange, status, fields, count)
        guard begun == NSGI_OK.rawValue else { return begun }
        worker.encodeHead(exchange, knownLength: Int64(length))
        let result = worker.encodeBody(exchange, UnsafeRawBufferPointer(start: body, count: length))
        worker.endBody(exchange)
        return result
      }
    }
  }

  private static func start(
    _ id: nsgi_id, _ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int
  ) -> Int32 {
    switch find(id) {
    case .failure(let error): error.code
    case .success(let exchange): exchange.pointee.worker.begin(exchange, status, fields, count)
    }
  }

  private static func write(_ id: nsgi_id, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int32 {
    switch find(id) {
    case .failure(let error): error.code
    case .success(let exchange):
      inside(exchange) {
        exchange.pointee.worker.write(exchange, UnsafeRawBufferPointer(start: bytes, count: count))
      }
    }
  }

  private static func flush(_ id: nsgi_id) -> Int32 {
    switch find(id) {
    case .failure(let error): return error.code
    case .success(let exchange):
      switch exchange.pointee.phase {
      case .called where exchange.pointee.response.status == 0: return NSGI_MISUSE.rawValue
      case .called, .responding:
        return inside(exchange) { exchange.pointee.worker.flushResponse(exchange) }
      default: return NSGI_GONE.rawValue
      }
    }
  }

  // MARK: Log

  private static func log(_ id: nsgi_id, _ level: Int32, _ message: nsgi_str) {
    Log.shared.app(level: level, message.bytes)
    if case .success(let exchange) = find(id) { exchange.pointee.worker.copyToFrontEnd(exchange, message.bytes) }
  }
}

/// Why a host function did nothing.
enum HostError: Error {
  /// Not inside a call, or not the thread that is.
  case misuse
  /// The exchange is over.
  case gone

  var code: Int32 {
    switch self {
    case .misuse: NSGI_MISUSE.rawValue
    case .gone: NSGI_GONE.rawValue
    }
  }
}

extension Exchange {
  /// Body bytes for the app: > 0, 0 at the end, < 0 an nsgi_result.
  mutating func read(_ buffer: UnsafeMutableRawPointer?, _ capacity: Int) -> Int64 {
    guard let buffer, capacity > 0 else { return capacity == 0 ? 0 : Int64(NSGI_MISUSE.rawValue) }
    do { return Int64(try body.read(buffer, capacity)) } catch {
      worker.log.error("request body cannot be read: \(error)")
      return Int64(NSGI_IO.rawValue)
    }
  }

  /// The request for a log line: method and raw target.
  var requestLine: String {
    String(decoding: meta.method.bytes, as: UTF8.self) + " "
      + String(decoding: meta.requestURI.bytes, as: UTF8.self)
  }
}
