import CTLS
import Config
import Control
import Wire

/// libnsgi_tls.so, which the first socket with TLS loads: no other server has OpenSSL in it.
enum TLSLibrary {
  /// Its functions; nil while nobody has loaded it. Written once, before any connection is accepted.
  nonisolated(unsafe) private(set) static var table: UnsafePointer<ctls_table>?

  /// Loads it from where plugins lie.
  static func load(_ directories: [String]) throws(ServerFailure) {
    guard table == nil else { return }
    let path = try PluginSearch(directories: directories).find(library: "nsgi_tls")
    guard let library = System.openLibrary(path) else {
      throw ServerFailure(
        "the TLS library \(path) cannot be loaded (\(System.linkerError())); install OpenSSL 3 (libssl3)")
    }
    typealias Entry = @convention(c) () -> UnsafePointer<ctls_table>?
    let entry = System.symbol(CTLS_ENTRY, in: library).map { unsafeBitCast($0, to: Entry.self) }
    guard let found = entry?(), found.pointee.version == UInt32(CTLS_VERSION) else {
      throw ServerFailure("\(path) is of another build than this server; build both by `make build`")
    }
    table = found
  }
}

/// The certificates of one listening socket, and what clients may do there. Lives as long as the process.
struct TLSIdentities: @unchecked Sendable {
  private let set: OpaquePointer

  /// - Parameters:
  ///   - files: contents of all files that the settings name.
  ///   - checksTime: certificates that have expired, or are not valid yet, are refused.
  init(
    _ listener: TLSListenerSettings, _ settings: Settings, _ files: [HandedFile], checksTime: Bool
  ) throws(ServerFailure) {
    try TLSLibrary.load(settings.pluginDirectories)
    var memory = PlanMemory()
    defer { memory.free() }
    func file(_ path: String) -> ctls_file {
      memory.file(path, files.first { $0.path == path }?.text ?? "")
    }
    var plan = ctls_plan()
    let identities = settings.tlsIdentities(of: listener).map {
      ctls_identity(certificate: file($0.certificate), key: file($0.key))
    }
    (plan.identities, plan.count) = (memory.list(identities), identities.count)
    if let clients = listener.clients ?? settings.tls.clients {
      plan.client_ca = file(clients.authorities)
      plan.client_required = clients.isRequired ? 1 : 0
    }
    if let path = settings.tls.passwordFile {
      let text = files.first { $0.path == path }?.text ?? ""
      plan.password = memory.text(String(text.prefix { !$0.isNewline }))
    }
    plan.minimum = settings.tls.minimum == .v13 ? 3 : 2
    plan.ciphers = memory.text(listener.ciphers ?? settings.tls.ciphers)
    plan.curves = memory.text(settings.tls.curves)
    plan.offers_http2 = settings.http2 && listener.speaksHTTP ? 1 : 0
    plan.checks_time = checksTime ? 1 : 0
    // A ticket of two keys before is taken: it is good for that long at least.
    plan.session_seconds = Int(settings.tls.ticketHours) * 2 * 3600
    let room = 1024
    var reason = [CChar](repeating: 0, count: room)
    guard let made = TLSLibrary.table?.pointee.make(&plan, &reason, room) else {
      throw ServerFailure(reason.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
    }
    set = made
  }

  /// Keys of tickets in hexadecimal digits, newest first; by the leader.
  func use(_ tickets: [String]) {
    var keys: [UInt8] = []
    for ticket in tickets.prefix(Int(CTLS_KEYS)) {
      let digits = ticket.utf8.compactMap { Ascii.hex($0) }
      guard digits.count == 2 * Int(CTLS_KEY_BYTES) else { continue }
      for place in stride(from: 0, to: digits.count, by: 2) {
        keys.append(digits[place] << 4 | digits[place + 1])
      }
    }
    TLSLibrary.table?.pointee.tickets(set, keys, keys.count / Int(CTLS_KEY_BYTES))
  }

  /// When each certificate ends, in seconds of the calendar, and its file.
  var ends: [(path: String, at: Int64)] {
    var ends: [(path: String, at: Int64)] = []
    var name: UnsafePointer<CChar>?
    while let at = TLSLibrary.table?.pointee.ends(set, ends.count, &name), at != 0, let name {
      ends.append((String(cString: name), at))
    }
    return ends
  }

  /// A connection's session; nil without memory.
  func open() -> Carrier? { TLSLibrary.table?.pointee.open(set) }

  /// The sets of all sockets with TLS, in their order.
  static func all(
    _ settings: Settings, _ files: [HandedFile], checksTime: Bool
  ) throws(ServerFailure) -> [TLSIdentities] {
    var all: [TLSIdentities] = []
    for listener in settings.tlsListeners {
      all.append(try TLSIdentities(listener, settings, files, checksTime: checksTime))
    }
    return all
  }
}

/// Memory of a plan, as C reads it.
private struct PlanMemory {
  private var blocks: [UnsafeMutableRawPointer] = []

  mutating func text(_ text: String?) -> UnsafePointer<CChar>? {
    guard let text else { return nil }
    let bytes = Array(text.utf8) + [0]
    let block = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 1)
    bytes.withUnsafeBytes { block.copyMemory(from: $0.baseAddress!, byteCount: bytes.count) }
    blocks.append(block)
    return UnsafePointer(block.assumingMemoryBound(to: CChar.self))
  }

  mutating func file(_ path: String, _ contents: String) -> ctls_file {
    ctls_file(name: text(path), bytes: text(contents), count: contents.utf8.count)
  }

  mutating func list(_ identities: [ctls_identity]) -> UnsafePointer<ctls_identity> {
    let list = UnsafeMutablePointer<ctls_identity>.allocate(capacity: max(1, identities.count))
    list.initialize(from: identities, count: identities.count)
    blocks.append(UnsafeMutableRawPointer(list))
    return UnsafePointer(list)
  }

  mutating func free() {
    for block in blocks { block.deallocate() }
    blocks = []
  }
}
