import CNSGI
import Config
import Control
import Wire

/// The heads of the last safe requests of each application, for a swap that replays them: in memory only, and
/// bounded. The leader's.
struct Recall {
  /// Requests of an application at most; at least 1.
  let most: Int
  /// Requests with credentials are remembered too.
  let keepsCredentials: Bool
  /// By the places of the applications.
  private var rings: [Ring]

  /// - Parameter apps: how many applications there are.
  init(most: Int, keepsCredentials: Bool, apps: Int) {
    (self.most, self.keepsCredentials) = (most, keepsCredentials)
    let room = Limits.rememberedBytes / max(1, apps)
    rings = Array(repeating: Ring(room: room), count: apps)
  }

  /// The requests of one application. One that asks for the same as another takes its place, so that a health
  /// check does not fill the memory.
  private struct Ring {
    /// Bytes of all heads at most.
    let room: Int
    var bytes = 0
    /// An empty block: it had to give way.
    var heads: [RememberedHead] = []
    /// What they ask for, as a hash, and where they are.
    var keys: [UInt64] = []
    var places: [UInt64: Int] = [:]
    /// Where the next one is put, once there are enough.
    var next = 0

    /// Those that are there.
    var count: Int { places.count }

    mutating func take(_ head: RememberedHead, key: UInt64, most: Int) {
      if let place = places[key] { return put(head, key, at: place) }
      // Fewer of them, if they are long.
      if heads.isEmpty || heads.count < most && bytes + head.block.count <= room {
        heads.append(RememberedHead(app: head.app, at: 0, block: []))
        keys.append(key)
        return put(head, key, at: heads.count - 1)
      }
      let place = next
      next = (next + 1) % heads.count
      put(head, key, at: place)
    }

    private mutating func put(_ head: RememberedHead, _ key: UInt64, at place: Int) {
      drop(place)
      var oldest = next
      for _ in heads.indices where bytes + head.block.count > room {
        drop(oldest)
        oldest = (oldest + 1) % heads.count
      }
      (heads[place], keys[place], places[key]) = (head, key, place)
      bytes += head.block.count
    }

    private mutating func drop(_ place: Int) {
      guard !heads[place].block.isEmpty else { return }
      bytes -= heads[place].block.count
      places[keys[place]] = nil
      heads[place] = RememberedHead(app: heads[place].app, at: 0, block: [])
    }
  }

  /// Takes a head that is not empty; `key`: a hash of what it asks for.
  mutating func take(_ head: RememberedHead, key: UInt64) {
    guard rings.indices.contains(head.app), !head.block.isEmpty else { return }
    rings[head.app].take(head, key: key, most: most)
  }

  /// Heads that are remembered.
  var count: Int { rings.reduce(0) { $0 + $1.count } }
  /// Bytes that they take.
  var bytes: Int { rings.reduce(0) { $0 + $1.bytes } }
  /// All of them, in no order.
  var heads: [RememberedHead] { rings.flatMap { $0.heads.filter { !$0.block.isEmpty } } }
}

/// Which variables of a request a replay gets.
private enum RecalledVariable {
  /// The server's own, which a replay gets anew, and those about the connection that the request came on.
  private static let own: [StaticString] = [
    "GATEWAY_INTERFACE", "SERVER_SOFTWARE", "CONTENT_LENGTH", "FCGI_ROLE", "SCGI",
  ]
  /// The id that the server gives a request.
  private static let ids: [StaticString] = ["REQUEST_ID", "HTTP_X_REQUEST_ID"]
  /// What rules may have changed: a replay goes through them again.
  private static let changed: [StaticString] = ["SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"]
  /// They say who the client is, or prove it.
  private static let credentials: [StaticString] = [
    "HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION", "REMOTE_USER", "AUTH_TYPE",
    "HTTP_X_API_KEY", "HTTP_X_AUTH_TOKEN", "HTTP_X_CSRF_TOKEN", "HTTPS_DN", "HTTPS_CC",
    "HTTPS_CLIENT_CERTIFICATE",
  ]
  private static let clientCertificate: StaticString = "SSL_CLIENT_"

  static func isCredential(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
    if credentials.contains(where: { Ascii.equals(name, $0) }) { return true }
    // The client has none: Apache and nginx say so of each that has shown none.
    if Ascii.equals(name, "SSL_CLIENT_VERIFY"), Ascii.equals(value, "NONE") { return false }
    let count = clientCertificate.utf8CodeUnitCount
    return name.count > count
      && Ascii.equals(UnsafeRawBufferPointer(rebasing: name[..<count]), clientCertificate)
  }

  static func isKept(_ name: UnsafeRawBufferPointer, hasID: Bool, isRouted: Bool) -> Bool {
    if own.contains(where: { Ascii.equals(name, $0) }) { return false }
    if hasID, ids.contains(where: { Ascii.equals(name, $0) }) { return false }
    return !isRouted || !changed.contains { Ascii.equals(name, $0) }
  }
}

extension Worker {
  /// An exchange ends while requests are remembered: remembers its request, if an application has answered
  /// it, it is safe (RFC 9110 §9.2.1) and has no body, and it did not take long.
  @inline(never)
  func remember(_ exchange: ExchangePointer) {
    guard exchange.isCounted, let place = exchange.calls?.place, exchange.isNormalized, recall != nil,
      exchange.socketCall == .none, exchange.head.endsRequest, exchange.head.first(.upgrade) == nil,
      !exchange.head.hasWholePath, !exchange.head.asksForWebSocket, exchange.meta.contentLength == 0,
      now &- exchange.began < UInt64(Limits.rememberedSeconds * 1e9)
    else { return }
    let method = exchange.meta.method.bytes
    guard Ascii.equals(method, "GET") || Ascii.equals(method, "HEAD") else { return }
    guard let block = block(of: exchange, keepsCredentials: recall?.keepsCredentials ?? false) else { return }
    var key = FNV1a.hash(method)
    key = FNV1a.hash(exchange.meta.requestURI.bytes, from: FNV1a.hash(CollectionOfOne<UInt8>(0), from: key))
    let host = exchange.pointee.variable(named: Text("HTTP_HOST").bytes).bytes
    key = FNV1a.hash(host, from: FNV1a.hash(CollectionOfOne<UInt8>(0), from: key))
    recall?.take(RememberedHead(app: place, at: now, block: block), key: key)
    board?[.remembered].value = UInt64(recall?.count ?? 0)
  }

  /// The variables of a request; nil for one that must not be remembered, or is too long.
  private func block(of exchange: ExchangePointer, keepsCredentials: Bool) -> [UInt8]? {
    let list = exchange.pointee.environList()
    let (hasID, routing) = (exchange.pointee.hasName, exchange.routing)
    var block: [UInt8] = []
    block.reserveCapacity(1024)
    for index in 0..<exchange.pointee.lists.environCount {
      let (name, value) = (list[index].name.bytes, list[index].value.bytes)
      if !keepsCredentials, !value.isEmpty, RecalledVariable.isCredential(name, value) { return nil }
      guard !name.isEmpty, RecalledVariable.isKept(name, hasID: hasID, isRouted: routing != nil),
        !(routing?.variables.contains { $0.name.bytes.elementsEqual(name) } ?? false)
      else { continue }
      // Nothing of a head has a NUL; what had one could not be told apart from the next variable.
      guard !name.contains(0), !value.contains(0) else { return nil }
      block += name
      block.append(0)
      block += value
      block.append(0)
      guard block.count <= Limits.rememberedHeadBytes else { return nil }
    }
    return block
  }

  /// The master says how many requests are to be remembered from now on.
  func setRecall(_ message: Message) {
    let most = min(max(0, message.number("count") ?? 0), ReplaySettings.requestBounds.upperBound)
    let keepsCredentials = message["credentials"] == "1"
    if let recall, recall.most == most, recall.keepsCredentials == keepsCredentials { return }
    recall =
      most > 0
      ? Recall(most: most, keepsCredentials: keepsCredentials, apps: settings.apps.count) : nil
    board?[.remembered].value = 0
  }

  /// The master wants what is remembered, in a file in memory.
  func writeRecall(into file: Int32) {
    if file >= 0, let heads = recall?.heads {
      try? System.writeAll(file, heads.flatMap(\.bytes))
    }
    supervisor?.link.send(Message(.recalled))
  }
}
