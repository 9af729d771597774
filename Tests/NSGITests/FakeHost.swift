// A host for one request at a time: what an app would ask the server, answered from memory and written
// down.
import CNSGI

/// What the app under test did, and what it is told. C functions carry no context, hence one for all.
nonisolated(unsafe) var current = FakeHost()

struct FakeHost {
  struct Head: Equatable {
    var status: Int32
    var fields: [String]
  }

  // What the app is told.
  var method = "GET"
  var path = "/"
  var query = ""
  var contentType = ""
  var fields: [(String, String)] = []
  var body: [UInt8] = []
  var bodyResult = NSGI_OK.rawValue
  var writeResult = NSGI_OK.rawValue
  var requestTrailers: [(String, String)] = []

  // What it did.
  var head: Head?
  var sent: [UInt8] = []
  var flushes = 0
  var interims: [Head] = []
  /// nil: trailers() was not called.
  var trailers: [String]?
  var log: [String] = []
  var bodyPosition = 0

  var sentText: String { String(decoding: sent, as: UTF8.self) }

  static let id: nsgi_id = 41

  nonisolated(unsafe) static let table: UnsafeMutablePointer<nsgi_host> = {
    let table = UnsafeMutablePointer<nsgi_host>.allocate(capacity: 1)
    table.initialize(to: nsgi_host())
    table.pointee.head = nsgi_head(
      magic: UInt32(NSGI_MAGIC), major: 1, minor: 1, size: UInt32(MemoryLayout<nsgi_host>.size), flags: 0)
    table.pointee.server = UnsafePointer(lend("fake"))
    table.pointee.version = UnsafePointer(lend("7"))
    table.pointee.log = { id, level, text in current.log.append("\(id) \(level) \(copy(text))") }
    table.pointee.environ = { _, n in FakeHost.pairs([("REQUEST_METHOD", current.method)], n) }
    table.pointee.fields = { _, n in FakeHost.pairs(current.fields, n) }
    table.pointee.env = { _, name in
      FakeHost.copy(name) == "REQUEST_METHOD" ? FakeHost.string(current.method) : nsgi_str(p: nil, n: 0)
    }
    table.pointee.read = { _, buffer, capacity in
      let piece = current.body[current.bodyPosition...].prefix(capacity)
      UnsafeMutableRawBufferPointer(start: buffer, count: capacity).copyBytes(from: piece)
      current.bodyPosition += piece.count
      return Int64(piece.count)
    }
    table.pointee.body = { _, whole in
      guard current.bodyResult == NSGI_OK.rawValue else { return current.bodyResult }
      whole!.pointee = FakeHost.string(String(decoding: current.body, as: UTF8.self))
      return NSGI_OK.rawValue
    }
    table.pointee.respond = { _, status, fields, n, bytes, length in
      guard current.sent.isEmpty else { return NSGI_MISUSE.rawValue }
      current.head = FakeHost.head(status, fields, n)
      current.sent = Array(UnsafeRawBufferPointer(start: bytes, count: length))
      return NSGI_OK.rawValue
    }
    table.pointee.start = { _, status, fields, n in
      current.head = FakeHost.head(status, fields, n)
      return NSGI_OK.rawValue
    }
    table.pointee.write = { _, bytes, n in
      guard current.writeResult == NSGI_OK.rawValue else { return current.writeResult }
      current.sent += Array(UnsafeRawBufferPointer(start: bytes, count: n))
      return NSGI_OK.rawValue
    }
    table.pointee.lend = { _, bytes, n, release, argument in
      defer { release?(argument) }
      guard current.writeResult == NSGI_OK.rawValue else { return current.writeResult }
      current.sent += Array(UnsafeRawBufferPointer(start: bytes, count: n))
      return NSGI_OK.rawValue
    }
    table.pointee.flush = { _ in
      current.flushes += 1
      return NSGI_OK.rawValue
    }
    table.pointee.interim = { _, status, fields, n in
      current.interims.append(FakeHost.head(status, fields, n))
      return NSGI_OK.rawValue
    }
    table.pointee.trailers = { _, fields, n in
      guard current.trailers == nil else { return NSGI_MISUSE.rawValue }
      current.trailers = FakeHost.head(0, fields, n).fields
      return NSGI_OK.rawValue
    }
    table.pointee.request_trailers = { _, n in FakeHost.pairs(current.requestTrailers, n) }
    return table
  }()

  /// The same host before there was minor 1.
  nonisolated(unsafe) static let olderTable: UnsafeMutablePointer<nsgi_host> = {
    let older = UnsafeMutablePointer<nsgi_host>.allocate(capacity: 1)
    older.initialize(to: table.pointee)
    older.pointee.head.minor = 0
    older.pointee.head.size = UInt32(MemoryLayout<nsgi_host>.offset(of: \.interim)!)
    older.pointee.interim = nil
    older.pointee.trailers = nil
    older.pointee.request_trailers = nil
    return older
  }()

  private static func head(_ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ n: Int) -> Head {
    Head(status: status, fields: (0..<n).map { "\(copy(fields![$0].name)): \(copy(fields![$0].value))" })
  }

  static func copy(_ text: nsgi_str) -> String {
    String(decoding: UnsafeRawBufferPointer(start: text.p, count: text.n), as: UTF8.self)
  }

  /// Bytes that live as long as the tests.
  static func lend(_ text: String) -> UnsafeMutablePointer<CChar> {
    let source = text.utf8CString
    let result = UnsafeMutableBufferPointer<CChar>.allocate(capacity: source.count)
    _ = result.initialize(from: source)
    return result.baseAddress!
  }

  static func string(_ text: String) -> nsgi_str { nsgi_str(p: lend(text), n: text.utf8.count) }

  private static func pairs(
    _ list: [(String, String)], _ n: UnsafeMutablePointer<Int>?
  ) -> UnsafePointer<nsgi_pair>? {
    n?.pointee = list.count
    let result = UnsafeMutableBufferPointer<nsgi_pair>.allocate(capacity: list.count + 1)
    for (index, pair) in list.enumerated() {
      result.initializeElement(at: index, to: nsgi_pair(name: string(pair.0), value: string(pair.1)))
    }
    return UnsafePointer(result.baseAddress!)
  }

  // MARK: Driving an app

  /// Loads an app as the server does.
  static func load(
    _ table: UnsafePointer<nsgi_app>, options: [String] = [],
    host: UnsafeMutablePointer<nsgi_host> = Self.table
  ) -> (result: Int32, state: UnsafeMutableRawPointer?, error: String) {
    var boot = nsgi_boot()
    let error = UnsafeMutablePointer<CChar>.allocate(capacity: 32)
    error.initialize(repeating: 0, count: 32)
    let list = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: options.count + 1)
    list.initialize(repeating: nil, count: options.count + 1)
    for (index, option) in options.enumerated() { list[index] = UnsafePointer(lend(option)) }
    (boot.size, boot.workers, boot.generation) = (UInt32(MemoryLayout<nsgi_boot>.size), 3, 5)
    (boot.host, boot.app, boot.options) = (UnsafePointer(host), table, UnsafePointer(list))
    (boot.from_version, boot.from_state) = (string(""), string(""))
    (boot.error, boot.error_cap) = (error, 32)
    var state: UnsafeMutableRawPointer?
    let result = table.pointee.load(&boot, &state)
    return (result, state, String(cString: error))
  }

  /// One request to a loaded app.
  static func call(_ table: UnsafePointer<nsgi_app>, _ state: UnsafeMutableRawPointer?) -> Int32 {
    var view = nsgi_request()
    (view.size, view.id) = (UInt32(MemoryLayout<nsgi_request>.size), id)
    (view.method, view.path_info, view.query) = (
      string(current.method), string(current.path), string(current.query)
    )
    (view.script_name, view.protocol, view.scheme) = (string("/shop"), string("HTTP/1.1"), string("http"))
    (view.remote_addr, view.content_type) = (string("::1"), string(current.contentType))
    view.content_length = Int64(current.body.count)
    view.flags = NSGI_TAKES_TRAILERS.rawValue
    return table.pointee.call(state, &view)
  }
}
