import CLinux
import CNSGI
import Config
import Wire

/// The functions of `nsgi_host`: what a full-form app may ask of the server. Each finds the exchange by
/// id and returns NSGI_GONE for one that is over, NSGI_MISUSE for a call out of order; no call is undefined
/// behaviour. `Access` deals with the calling thread, and with others that are inside meanwhile.
enum HostTable {
  /// The table that `nsgi_entry` and `load` get; it lives as long as the process.
  nonisolated(unsafe) static let shared: UnsafePointer<nsgi_host> = {
    let table = UnsafeMutablePointer<nsgi_host>.allocate(capacity: 1)
    table.initialize(to: make())
    return UnsafePointer(table)
  }()

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
    table.version = text(Program.version)
    table.log = { id, level, message in HostTable.log(id, level, message) }
    table.extension = { name in Extensions.find(name) }
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
    table.sendfile = { id, fd, offset, count in HostTable.sendfile(id, fd, offset, count) }
    table.flush = { id in HostTable.flush(id) }
    table.on_ready = { id, what, function, argument in
      let call = ReadyCall(what: what, function: function, argument: argument)
      return Access.with(id) { $0.worker.onReady($0, call) } ?? ForkedCopy.absent
    }
    table.finish = { id, result in
      Access.with(id) { $0.worker.finish($0, result) } ?? ForkedCopy.absent
    }
    table.reason = { id, phrase in HostTable.reason(id, phrase) }
    table.interim = { id, status, fields, count in HostTable.interim(id, status, fields, count) }
    table.trailers = { id, fields, count in HostTable.trailers(id, fields, count) }
    table.request_trailers = { id, count in HostTable.requestTrailers(id, count) }
    return table
  }

  /// Bytes as an app gives them; nil for a null pointer with a length.
  private static func checked(_ start: UnsafeRawPointer?, _ count: Int) -> UnsafeRawBufferPointer? {
    guard count >= 0, start != nil || count == 0 else { return nil }
    return UnsafeRawBufferPointer(start: start, count: count)
  }

  // MARK: Request

  private static func environ(_ id: nsgi_id, _ count: UnsafeMutablePointer<Int>?) -> UnsafePointer<nsgi_pair>?
  {
    count?.pointee = 0
    return Access.with(id) { exchange in
      let list = exchange.pointee.environList()
      count?.pointee = exchange.lists.environCount
      return UnsafePointer(list)
    }
  }

  private static func fields(_ id: nsgi_id, _ count: UnsafeMutablePointer<Int>?) -> UnsafePointer<nsgi_pair>?
  {
    count?.pointee = 0
    return Access.with(id) { exchange in
      let list = exchange.pointee.fieldList()
      count?.pointee = exchange.lists.fieldCount
      return UnsafePointer(list)
    }
  }

  private static func variable(_ id: nsgi_id, _ name: nsgi_str) -> nsgi_str {
    let absent = nsgi_str(p: nil, n: 0)
    guard name.p != nil || name.n == 0 else { return absent }
    return Access.with(id) { $0.pointee.variable(named: name.bytes) } ?? absent
  }

  private static func read(_ id: nsgi_id, _ buffer: UnsafeMutableRawPointer?, _ capacity: Int) -> Int64 {
    Access.with(id) { $0.worker.read($0, buffer, capacity) } ?? Int64(ForkedCopy.absent)
  }

  private static func body(_ id: nsgi_id, _ whole: UnsafeMutablePointer<nsgi_str>?) -> Int32 {
    guard let whole else { return NSGI_MISUSE.rawValue }
    return Access.with(id) { exchange in
      switch exchange.worker.whole(exchange) {
      case .failure(let code): return code
      case .success(let bytes):
        let start = bytes.baseAddress ?? UnsafeRawPointer(Text.empty.start!)
        whole.pointee = nsgi_str(p: start.assumingMemoryBound(to: CChar.self), n: bytes.count)
        return NSGI_OK.rawValue
      }
    } ?? ForkedCopy.absent
  }

  private static func requestTrailers(
    _ id: nsgi_id, _ count: UnsafeMutablePointer<Int>?
  ) -> UnsafePointer<nsgi_pair>? {
    count?.pointee = 0
    return Access.with(id) { (exchange) -> UnsafePointer<nsgi_pair>? in
      guard exchange.stream.isComplete else { return nil }
      guard let trailers = exchange.pointee.trailers else { return RequestTrailers.none }
      count?.pointee = trailers.pointee.count
      return UnsafePointer(trailers.pointee.pairs)
    } ?? nil
  }

  // MARK: Response

  private static func respond(
    _ id: nsgi_id, _ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int,
    _ body: UnsafeRawPointer?, _ length: Int
  ) -> Int32 {
    Access.with(id) { exchange in
      guard let bytes = checked(body, length), count == 0 || fields != nil else {
        return NSGI_MISUSE.rawValue
      }
      return exchange.owner._withUnsafeGuaranteedRef {
        $0.respond(exchange, status, fields, count, bytes)
      }
    } ?? ForkedCopy.absent
  }

  private static func reason(_ id: nsgi_id, _ phrase: nsgi_str) -> Int32 {
    guard let text = checked(phrase.p, phrase.n) else { return NSGI_MISUSE.rawValue }
    return Access.with(id) { $0.worker.announce($0, reason: text) } ?? ForkedCopy.absent
  }

  private static func start(
    _ id: nsgi_id, _ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int
  ) -> Int32 {
    guard count == 0 || fields != nil else { return NSGI_MISUSE.rawValue }
    return Access.with(id) { exchange in
      exchange.owner._withUnsafeGuaranteedRef { $0.begin(exchange, status, fields, count) }
    } ?? ForkedCopy.absent
  }

  private static func write(_ id: nsgi_id, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int32 {
    Access.with(id) { exchange in
      guard let bytes = checked(bytes, count) else { return NSGI_MISUSE.rawValue }
      return exchange.owner._withUnsafeGuaranteedRef { $0.write(exchange, bytes) }
    } ?? ForkedCopy.absent
  }

  private static func sendfile(_ id: nsgi_id, _ fd: Int32, _ offset: Int64, _ count: Int64) -> Int32 {
    Access.with(id) { $0.worker.sendFile($0, fd, offset, count) } ?? ForkedCopy.absent
  }

  private static func flush(_ id: nsgi_id) -> Int32 {
    Access.with(id) { $0.worker.flushResponse($0) } ?? ForkedCopy.absent
  }

  private static func interim(
    _ id: nsgi_id, _ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int
  ) -> Int32 {
    guard count == 0 || fields != nil else { return NSGI_MISUSE.rawValue }
    return Access.with(id) { $0.worker.interim($0, status, fields, count) } ?? ForkedCopy.absent
  }

  private static func trailers(_ id: nsgi_id, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int) -> Int32 {
    guard count == 0 || fields != nil else { return NSGI_MISUSE.rawValue }
    return Access.with(id) { $0.worker.trailers($0, fields, count) } ?? ForkedCopy.absent
  }

  // MARK: Log

  private static func log(_ id: nsgi_id, _ level: Int32, _ message: nsgi_str) {
    guard message.p != nil else { return }
    let isTold: Void? = Access.with(id) { exchange in
      let name = exchange.pointee.hasName ? exchange.pointee.requestID().bytes : Text.empty.bytes
      Log.shared.app(level: level, message.bytes, request: name)
      exchange.worker.copyToFrontEnd(exchange, message.bytes)
    }
    if isTold == nil { Log.shared.app(level: level, message.bytes) }
  }
}

extension Exchange {
  /// The request for a log line: method and raw target, and its id if requests have ids.
  var requestLine: String {
    mutating get {
      let line =
        String(decoding: meta.method.bytes, as: UTF8.self) + " "
        + String(decoding: meta.requestURI.bytes, as: UTF8.self)
      return hasName ? line + " [\(String(decoding: requestID().bytes, as: UTF8.self))]" : line
    }
  }
}
