import CTLS
import Config
import Control
import Wire

/// libnsgi_tls.so, loaded by the first TLS socket: a server without one has no OpenSSL in it.
enum TLSLibrary {
  /// Its functions; nil until it is loaded. Written once, before any connection is accepted.
  nonisolated(unsafe) private(set) static var table: UnsafePointer<ctls_table>?

  /// Loads it from the plugin directories.
  static func load(_ directories: [String]) throws(ServerFailure) {
    guard table == nil else { return }
    let path = try PluginSearch(directories: directories).find(library: "nsgi_tls")
    let place = HeldFiles.place(of: path)
    // Which file it is says nothing about a build.
    if place != path { LoadedLibraries.shared.hide(place) }
    guard let library = System.openLibrary(place) else {
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

/// The certificates of one listening socket, and what clients may do there. Lives until it is dropped and the
/// last of its sessions has ended.
struct TLSIdentities: @unchecked Sendable {
  private let set: OpaquePointer
  /// There is a choice.
  private let hasSeveral: Bool

  /// - Parameters:
  ///   - files: contents of all files that the settings name.
  ///   - checksTime: refuse certificates that have expired, or are not valid yet.
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
      plan.client_depth = Int32(settings.tls.clientDepth)
      if let path = settings.tls.revocations { plan.client_crl = file(path) }
    }
    let responses = settings.tls.responses.map { path in
      memory.file(path, TLSFiles.bytes(files.first { $0.path == path }?.text ?? ""))
    }
    (plan.responses, plan.response_count) = (memory.list(responses), responses.count)
    if let path = settings.tls.passwordFile {
      let text = files.first { $0.path == path }?.text ?? ""
      plan.password = memory.text(String(text.prefix { !$0.isNewline }))
    }
    plan.minimum = settings.tls.minimum == .v13 ? 3 : 2
    plan.ciphers = memory.text(listener.ciphers ?? settings.tls.ciphers)
    plan.curves = memory.text(settings.tls.curves)
    plan.offers_http2 = settings.http2 && listener.speaksHTTP ? 1 : 0
    plan.checks_time = checksTime ? 1 : 0
    // Tickets of the last two keys are accepted: each is good for at least that long.
    plan.session_seconds = Int(settings.tls.ticketHours) * 2 * 3600
    let room = 1024
    var reason = [CChar](repeating: 0, count: room)
    guard let made = TLSLibrary.table?.pointee.make(&plan, &reason, room) else {
      throw ServerFailure(reason.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
    }
    set = made
    hasSeveral = identities.count > 1
  }

  /// Keys of tickets in hexadecimal digits, newest first; called by the leader.
  func use(_ tickets: [String]) {
    let whole = tickets.prefix(Int(CTLS_KEYS)).filter { $0.utf8.count == 2 * Int(CTLS_KEY_BYTES) }
    let keys = whole.flatMap { TLSFiles.bytes($0) }
    TLSLibrary.table?.pointee.tickets(set, keys, keys.count / Int(CTLS_KEY_BYTES))
  }

  /// When each certificate expires, in seconds of the calendar, and its file.
  var ends: [(path: String, at: Int64)] { list(TLSLibrary.table?.pointee.ends) }

  /// When each OCSP response expires, `Int64.max` for one that does not, and its file.
  var staples: [(path: String, at: Int64)] { list(TLSLibrary.table?.pointee.staples) }

  private typealias Entry =
    @convention(c) (
      OpaquePointer?, Int, UnsafeMutablePointer<UnsafePointer<CChar>?>?
    ) -> Int64

  private func list(_ entry: Entry?) -> [(path: String, at: Int64)] {
    var list: [(path: String, at: Int64)] = []
    var name: UnsafePointer<CChar>?
    while let at = entry?(set, list.count, &name), at != 0, let name {
      list.append((String(cString: name), at))
    }
    return list
  }

  /// Throws if a name of the previous certificates is in none of these.
  func checkNames(_ before: TLSIdentities) throws(ServerFailure) {
    let room = 1024
    var reason = [CChar](repeating: 0, count: room)
    guard TLSLibrary.table?.pointee.misses(set, before.set, &reason, room) != 0 else { return }
    let sentence = reason.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    throw ServerFailure(
      "\(sentence); add it, or give the file another name and reload to give it up")
  }

  /// Lets no more sessions begin with it.
  func drop() { TLSLibrary.table?.pointee.drop(set) }

  /// The session of a connection; nil if there is no memory.
  func open(for fd: Int32) -> Carrier? {
    guard hasSeveral, let address = try? System.localAddress(fd) else {
      return TLSLibrary.table?.pointee.open(set, nil)
    }
    return PeerAddress(address).text.withCString { TLSLibrary.table?.pointee.open(set, $0) }
  }

  /// The sets of all sockets with TLS, in their order.
  static func all(
    _ settings: Settings, _ files: [HandedFile], checksTime: Bool
  ) throws(ServerFailure) -> [TLSIdentities] {
    var all: [TLSIdentities] = []
    do throws(ServerFailure) {
      for listener in settings.tlsListeners {
        all.append(try TLSIdentities(listener, settings, files, checksTime: checksTime))
      }
      let stapled = Set(all.flatMap { $0.staples.map(\.path) })
      if let path = settings.tls.responses.first(where: { !stapled.contains($0) }), !all.isEmpty {
        throw ServerFailure(
          "the OCSP response \(path) is about none of the certificates; ask for one that is")
      }
    } catch {
      for identities in all { identities.drop() }
      throw error
    }
    return all
  }

  /// Checks whether files could replace the serving ones under the same options.
  static func attempt(
    _ settings: Settings, _ files: [HandedFile], inPlaceOf served: [HandedFile]
  ) throws(ServerFailure) {
    let all = try all(settings, files, checksTime: true)
    guard !served.isEmpty else { return }
    let before = try TLSIdentities.all(settings, served, checksTime: false)
    for (identities, old) in zip(all, before) { try identities.checkNames(old) }
  }
}

/// The memory of a plan, as C reads it.
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

  mutating func file(_ path: String, _ bytes: [UInt8]) -> ctls_file {
    let block = UnsafeMutableRawPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
    bytes.withUnsafeBytes {
      if let base = $0.baseAddress { block.copyMemory(from: base, byteCount: $0.count) }
    }
    blocks.append(block)
    return ctls_file(
      name: text(path), bytes: UnsafePointer(block.assumingMemoryBound(to: CChar.self)), count: bytes.count)
  }

  mutating func list<Part>(_ parts: [Part]) -> UnsafePointer<Part> {
    let list = UnsafeMutablePointer<Part>.allocate(capacity: max(1, parts.count))
    list.initialize(from: parts, count: parts.count)
    blocks.append(UnsafeMutableRawPointer(list))
    return UnsafePointer(list)
  }

  mutating func free() {
    for block in blocks { block.deallocate() }
    blocks = []
  }
}
