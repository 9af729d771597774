// The runtime behind nsgi_entry: an app whose options are signatures. Nothing of Swift crosses the C table:
// errors end here.
import CNSGI

/// The ffi runtime as a server knows it.
public enum FFIRuntime {
  /// The table of functions (nsgi.h, nsgi_entry); lives for ever. NULL without a host.
  public static func entry(_ host: UnsafePointer<nsgi_host>?) -> UnsafePointer<nsgi_app>? {
    host == nil ? nil : UnsafePointer(bitPattern: table)
  }

  /// The address of the one table.
  private static let table: UInt = {
    let table = UnsafeMutablePointer<nsgi_app>.allocate(capacity: 1)
    table.initialize(to: nsgi_app())
    // Thread-safe to the host: calls of functions that are not are put in line here.
    table.pointee.head = nsgi_head(
      magic: UInt32(NSGI_MAGIC), major: UInt16(NSGI_MAJOR), minor: 0,
      size: UInt32(MemoryLayout<nsgi_app>.size), flags: NSGI_THREADSAFE.rawValue)
    table.pointee.name = permanent("ffi")
    table.pointee.version = permanent("")
    table.pointee.load = { boot, state in
      guard let boot, let state else { return NSGI_FAIL.rawValue }
      return FFIRuntime.load(boot, state)
    }
    table.pointee.call = { state, request in
      guard let state, let request else { return NSGI_FAIL.rawValue }
      return Unmanaged<Service>.fromOpaque(state).takeUnretainedValue().call(request)
    }
    table.pointee.unload = { state in
      guard let state else { return }
      let service = Unmanaged<Service>.fromOpaque(state).takeRetainedValue()
      service.app.handles.removeAll()
    }
    return UInt(bitPattern: table)
  }()

  private static func permanent(_ text: String) -> UnsafePointer<CChar> {
    let source = text.utf8CString
    let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: source.count)
    _ = copy.initialize(from: source)
    return UnsafePointer(copy.baseAddress ?? UnsafeMutablePointer.allocate(capacity: 1))
  }

  private static func load(
    _ boot: UnsafePointer<nsgi_boot>, _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) -> Int32 {
    guard let host = boot.pointee.host else { return NSGI_MISUSE.rawValue }
    do {
      let declarations = try Declarations(options(boot))
      if boot.pointee.workers > 1, let endpoint = declarations.makerOfHandles {
        throw Declarations.OptionError.handlesInMany(path: endpoint.path, workers: Int(boot.pointee.workers))
      }
      var libraries = Libraries()
      let app = try FFIApp(
        declarations.endpoints, entry: declarations.entry, limits: declarations.handles
      ) { try libraries.resolve($0) }
      // Every worker finds the same; one of them says so.
      for note in libraries.notes where boot.pointee.worker == 0 { log(host, NSGI_INFO, note) }
      state.pointee = Unmanaged.passRetained(Service(app, host)).toOpaque()
      return NSGI_OK.rawValue
    } catch {
      explain("\(error)", boot)
      return NSGI_FAIL.rawValue
    }
  }

  private static func options(_ boot: UnsafePointer<nsgi_boot>) -> [(key: String, value: String)] {
    var options: [(key: String, value: String)] = []
    guard var place = boot.pointee.options else { return [] }
    while let key = place[0], let value = place[1] {
      options.append((String(cString: key), String(cString: value)))
      place += 2
    }
    return options
  }

  private static func explain(_ text: String, _ boot: UnsafePointer<nsgi_boot>) {
    guard let buffer = boot.pointee.error, boot.pointee.error_cap > 0 else { return }
    var count = 0
    for byte in text.utf8.prefix(boot.pointee.error_cap - 1) {
      buffer[count] = CChar(bitPattern: byte)
      count += 1
    }
    buffer[count] = 0
  }

  static func log(_ host: UnsafePointer<nsgi_host>, _ level: nsgi_level, _ text: String) {
    var text = text
    text.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) {
        host.pointee.log(0, Int32(level.rawValue), nsgi_str(p: $0.baseAddress, n: $0.count))
      }
    }
  }
}

/// What the options of an app declare.
struct Declarations {
  private(set) var endpoints: [Endpoint] = []
  private(set) var entry: Signature?
  private(set) var handles = HandleLimits()

  /// `call=SIGNATURE`, `call-file=FILE`, `entry=SIGNATURE`, `handle-age=SECONDS`, `handle-share=N`.
  init(_ options: [(key: String, value: String)]) throws {
    for (key, value) in options {
      switch key {
      case "call": endpoints.append(try Self.located("call", value) { try SignatureParser.parse(value) })
      case "call-file": endpoints += try SignatureFile.parse(try LibrarySystem.text(of: value), name: value)
      case "entry":
        entry = try Self.located("entry", value) {
          let signature = try SignatureParser.parse(value).signature
          try AppEntry.check(signature)
          return signature
        }
      case "handle-age":
        guard let seconds = Double(value), seconds >= 0, seconds.isFinite else {
          throw OptionError.notANumber(key, value)
        }
        handles.age = seconds
      case "handle-share":
        guard let count = Int(value), (0...HandleLimits.most).contains(count) else {
          throw OptionError.notANumber(key, value)
        }
        handles.share = count
      // What the server tells every runtime about itself.
      case let key where key.hasPrefix("server."): continue
      default: throw OptionError.unknown(key)
      }
    }
    if endpoints.isEmpty, entry == nil { throw OptionError.nothing }
  }

  /// The first function that gives clients handles.
  var makerOfHandles: Endpoint? {
    endpoints.first { endpoint in
      if case .handle = endpoint.signature.result { return true }
      return endpoint.signature.parameters.contains { if case .outHandle = $0.type { true } else { false } }
    }
  }

  private static func located<Result>(
    _ option: String, _ value: String, _ parse: () throws -> Result
  ) throws -> Result {
    do { return try parse() } catch var error as SignatureError {
      error.source = "\(option) \"\(value)\""
      throw error
    }
  }

  /// Options that mean nothing.
  enum OptionError: Error, CustomStringConvertible {
    case unknown(String)
    case nothing
    case notANumber(String, String)
    case handlesInMany(path: String, workers: Int)

    var description: String {
      switch self {
      case .unknown(let key):
        "\(key) is no option of the ffi runtime; "
          + "there are call, call-file, entry, handle-age and handle-share"
      case .notANumber(let key, let value):
        key == "handle-age"
          ? "\(key)=\(value) is no time; write seconds, as in handle-age=600 (0: no limit)"
          : "\(key)=\(value) is no number of handles; write 0 (no limit) to \(HandleLimits.most)"
      case .nothing:
        "no function is declared; add call=/pow=libm.so.6:pow(x: f64, y: f64) -> f64, or call-file=FILE"
      case .handlesInMany(let path, let workers):
        "\(path) opens handles, which live in one process, and there are \(workers) workers; add -p 1"
      }
    }
  }
}

/// One app at work: the `state` of the C table.
private final class Service {
  let app: FFIApp
  private let host: UnsafePointer<nsgi_host>

  init(_ app: FFIApp, _ host: UnsafePointer<nsgi_host>) { (self.app, self.host) = (app, host) }

  /// One request. Answers an nsgi_result.
  func call(_ view: UnsafePointer<nsgi_request>) -> Int32 {
    let id = view.pointee.id
    var request = Incoming(
      method: Self.text(view.pointee.method), path: Self.text(view.pointee.path_info),
      query: Self.bytes(view.pointee.query), contentType: Self.text(view.pointee.content_type),
      mount: Self.text(view.pointee.script_name), client: Self.text(view.pointee.remote_addr))
    request.accept = variable("HTTP_ACCEPT", id).map { String(decoding: $0, as: UTF8.self) }
    if view.pointee.flags & NSGI_HAS_BODY.rawValue != 0 {
      var body = nsgi_str()
      let result = host.pointee.body(id, &body)
      if result == NSGI_TOOBIG.rawValue {
        return send(Answer(RequestError(413, "the body is larger than the server takes")), id)
      }
      guard result == NSGI_OK.rawValue else { return result }
      request.body = Self.bytes(body)
    }
    return send(app.answer(request) { self.variable($0, id) }, id)
  }

  private func variable(_ name: String, _ id: nsgi_id) -> [UInt8]? {
    var name = name
    let value = name.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) {
        host.pointee.env(id, nsgi_str(p: $0.baseAddress, n: $0.count))
      }
    }
    return value.p == nil ? nil : Self.bytes(value)
  }

  private func send(_ answer: Answer, _ id: nsgi_id) -> Int32 {
    let fields = [("Content-Type", answer.type), ("X-Content-Type-Options", "nosniff")] + answer.fields
    // One text holds all names and values, so that one pointer reaches them all.
    let text = fields.map { $0.0 + $0.1 }.joined()
    var copy = Array(text.utf8).map { CChar(bitPattern: $0) }
    return copy.withUnsafeMutableBufferPointer { text in
      var place = UnsafePointer(text.baseAddress)
      let pairs = fields.map { name, value in
        let pair = nsgi_pair(
          name: nsgi_str(p: place, n: name.utf8.count),
          value: nsgi_str(p: place.map { $0 + name.utf8.count }, n: value.utf8.count))
        place = place.map { $0 + name.utf8.count + value.utf8.count }
        return pair
      }
      return answer.body.withUnsafeBytes { body in
        host.pointee.respond(id, Int32(answer.status), pairs, pairs.count, body.baseAddress, body.count)
      }
    }
  }

  private static func text(_ text: nsgi_str) -> String { String(decoding: raw(text), as: UTF8.self) }
  private static func bytes(_ text: nsgi_str) -> [UInt8] { Array(raw(text)) }
  private static func raw(_ text: nsgi_str) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: text.p, count: text.n)
  }
}
