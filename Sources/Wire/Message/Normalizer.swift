/// One function for all protocols: turns what the wire said into `MetaVariables`.
///
/// `base` is the connection's buffer, in which the bytes after values (delimiters and lengths, already read)
/// are overwritten with NUL, so that nothing has to be copied.
public enum Normalizer {
  /// - Parameters:
  ///   - head: a complete head. It is not changed; borrowed it would be copied to the stack.
  ///   - base: where its ranges count from.
  ///   - meta: fresh ones, to be filled; of no meaning after an error.
  ///   - arena: memory for what must be decoded or ended with NUL.
  /// - Throws: `NormalizeError`, to be answered with 400.
  @inline(__always)
  public static func normalize(
    _ head: inout RequestHead, _ base: UnsafeMutableRawPointer, _ facts: ConnectionFacts,
    into meta: inout MetaVariables, _ arena: inout Arena
  ) throws(NormalizeError) {
    switch head.form {
    case .fields: try fromFields(&head, base, facts, &meta, &arena)
    case .variables: try fromVariables(&head, base, facts, &meta, &arena)
    }
  }

  // MARK: HTTP header fields

  private static func fromFields(
    _ head: inout RequestHead, _ base: UnsafeMutableRawPointer, _ facts: ConnectionFacts,
    _ meta: inout MetaVariables, _ arena: inout Arena
  ) throws(NormalizeError) {
    meta.method = head.ended(head.method, base, &arena)
    var target = head.ended(head.path, base, &arena)
    // The path of an absolute-form target may be empty: it means "/" (RFC 9112 §3.2.4).
    if target.isEmpty || target.bytes[0] == UInt8(ascii: "?") { target = joined(Text("/"), target, &arena) }
    meta.requestURI = target
    let parts = try split(target, &arena)
    (meta.pathInfo, meta.query) = (parts.path, parts.query)
    // "*" names no path at all.
    if target.count == 1, target.bytes[0] == UInt8(ascii: "*") { meta.pathInfo = .empty }
    if head.isHTTP2 {
      meta.serverProtocol = Text("HTTP/2")
      // An application sees the same whatever the client speaks: over HTTP/1.1 this is a GET.
      if head.asksForWebSocket { meta.method = Text("GET") }
    } else {
      meta.serverProtocol = head.minorVersion == 0 ? Text("HTTP/1.0") : Text("HTTP/1.1")
    }
    meta.remoteAddr = facts.remoteAddr
    meta.serverName = facts.localName
    if !head.authority.isEmpty {
      // A copy: it is followed by the path, which has begun already.
      let authority = head.authority.bytes(in: base)
      meta.host = Text(arena.copy(authority), authority.count)
      meta.serverName = name(of: meta.host, &arena)
    } else if let host = head.first(.host), !host.isEmpty {
      let count = head.hostNameCount >= 0 ? head.hostNameCount : HostPort(host.bytes(in: base)).name.count
      // Keeps the colon before a port, since the field is shown whole.
      meta.serverName =
        count == Int(host.count)
        ? head.ended(host, base, &arena)
        : Text(arena.copy(UnsafeRawBufferPointer(rebasing: host.bytes(in: base)[..<count])), count)
    }
    if let type = head.first(.contentType) { meta.contentType = head.ended(type, base, &arena) }
    meta.contentLength = head.framing.knownLength ?? -1
  }

  /// PATH_INFO and QUERY_STRING out of a request target (RFC 3875 §4.1.5, §4.1.7).
  @inline(__always)
  private static func split(
    _ target: Text, _ arena: inout Arena
  ) throws(NormalizeError) -> (path: Text, query: Text) {
    let (end, isEncoded) = endOfPath(target.bytes)
    if end == target.count, !isEncoded { return (target, .empty) }
    return try splitUnusual(target, end, isEncoded, &arena)
  }

  @inline(never)
  private static func splitUnusual(
    _ target: Text, _ end: Int, _ isEncoded: Bool, _ arena: inout Arena
  ) throws(NormalizeError) -> (path: Text, query: Text) {
    let query = end < target.count ? Text(target.start! + end + 1, target.count - end - 1) : .empty
    return (try decodedPath(target, end, isEncoded, &arena), query)
  }

  /// The path of a target, decoded; `endOfPath` says where it ends.
  static func decodedPath(
    _ target: Text, _ end: Int, _ isEncoded: Bool, _ arena: inout Arena
  ) throws(NormalizeError) -> Text {
    if end == target.count, !isEncoded { return target }
    let path = UnsafeRawBufferPointer(rebasing: target.bytes[..<end])
    if isEncoded { return try PercentDecoding.decode(path, &arena) }
    return Text(arena.copy(path), end)
  }

  /// The position of the query's "?", or the end without one, and whether there are escapes before it.
  @inline(__always)
  static func endOfPath(_ target: UnsafeRawBufferPointer) -> (end: Int, isEncoded: Bool) {
    let count = target.count
    var isEncoded = false
    var position = 0
    if count >= 8, let base = target.baseAddress {
      while position < count {
        // The last word overlaps the one before.
        let start = min(position, count &- 8)
        let word = Word.load(base, start)
        let (query, escape) = (Word.equal(word, to: 0x3f), Word.equal(word, to: 0x25))
        if Word.index(escape) < Word.index(query) { isEncoded = true }
        if query != 0 { return (start &+ Word.index(query), isEncoded) }
        position &+= 8
      }
      return (count, isEncoded)
    }
    while position < count, target[position] != 0x3f {
      if target[position] == 0x25 { isEncoded = true }
      position &+= 1
    }
    return (position, isEncoded)
  }

  /// The host of a text that may end with a port.
  @inline(__always)
  private static func name(of host: Text, _ arena: inout Arena) -> Text {
    HostPort.isName(host.bytes) ? host : nameWithoutPort(host, &arena)
  }

  private static func nameWithoutPort(_ host: Text, _ arena: inout Arena) -> Text {
    let name = HostPort(host.bytes).name
    return name.count == host.count ? host : Text(arena.copy(name), name.count)
  }

  // MARK: CGI meta-variables

  private static func fromVariables(
    _ head: inout RequestHead, _ base: UnsafeMutableRawPointer, _ facts: ConnectionFacts,
    _ meta: inout MetaVariables, _ arena: inout Arena
  ) throws(NormalizeError) {
    @inline(__always)
    func text(_ known: KnownName, _ arena: inout Arena) -> Text {
      guard let range = head.first(known) else { return .absent }
      return head.ended(range, base, &arena)
    }
    let method = text(.requestMethod, &arena)
    meta.method = method.isEmpty ? Text("GET") : method
    meta.requestURI = text(.requestURI, &arena)
    let version = text(.serverProtocol, &arena)
    meta.serverProtocol = version.isEmpty ? Text("HTTP/1.0") : version
    meta.remoteAddr = text(.remoteAddr, &arena)
    if meta.remoteAddr.start == nil { meta.remoteAddr = facts.remoteAddr }
    setServer(text(.serverName, &arena), port: text(.serverPort, &arena), facts.localName, &meta, &arena)
    let port = text(.remotePort, &arena)
    if HostPort.isPort(port.bytes) { meta.remotePort = port }
    let type = text(.contentType, &arena)
    if !type.isEmpty { meta.contentType = type }
    meta.contentLength = head.framing.knownLength ?? -1
    let isSecure = isSecure(
      uwsgi: text(.uwsgiScheme, &arena), text(.https, &arena), text(.requestScheme, &arena))
    if isSecure { meta.scheme = Text("https") }
    let told = ToldPath(
      script: text(.scriptName, &arena), info: text(.pathInfo, &arena), document: text(.documentURI, &arena),
      query: text(.queryString, &arena), isWhole: head.hasWholePath, fixesRoot: facts.fixesRootScriptName)
    try told.put(into: &meta, &arena)
  }

  /// uWSGI's own variable comes first, as in uWSGI: nginx configurations have it where TLS ends before nginx.
  private static func isSecure(uwsgi: Text, _ https: Text, _ scheme: Text) -> Bool {
    if !uwsgi.isEmpty { return ForwardedList.isSecure(uwsgi.bytes) }
    return Ascii.matches(https.bytes, "on") || Ascii.equals(https.bytes, "1")
      || Ascii.matches(scheme.bytes, "https")
  }

  /// SERVER_NAME without the port that some front ends leave in it (HAProxy), SERVER_PORT if it is one (RFC
  /// 3875 §4.1.14, §4.1.15); nginx has none on a unix socket.
  private static func setServer(
    _ name: Text, port: Text, _ localName: Text, _ meta: inout MetaVariables, _ arena: inout Arena
  ) {
    meta.serverName = self.name(of: name, &arena)
    if HostPort.isPort(port.bytes) {
      meta.serverPort = port
    } else if case let port = HostPort(name.bytes).port, HostPort.isPort(port) {
      meta.serverPort = Text(arena.copy(port), port.count)
    }
    if meta.serverName.isEmpty { meta.serverName = localName }
  }

  /// Gives a request another path and query: those of a target, whose query is put before the existing one.
  public static func rewrite(
    _ target: Text, _ meta: inout MetaVariables, _ arena: inout Arena
  ) throws(NormalizeError) {
    let (path, query) = try split(target, &arena)
    meta.pathInfo = path.bytes.first == UInt8(ascii: "/") ? path : joined(Text("/"), path, &arena)
    meta.mayHaveWholePath = false
    if meta.query.isEmpty {
      meta.query = query
    } else if !query.isEmpty {
      meta.query = joined(query, joined(Text("&"), meta.query, &arena), &arena)
    }
  }

  /// Two texts joined; one of them itself when the other is empty.
  public static func joined(_ first: Text, _ second: Text, _ arena: inout Arena) -> Text {
    if first.isEmpty { return second.start == nil ? .empty : second }
    if second.isEmpty { return first }
    let out = arena.allocate(first.count + second.count + 1).assumingMemoryBound(to: UInt8.self)
    UnsafeMutableRawPointer(out).copyMemory(from: first.start!, byteCount: first.count)
    UnsafeMutableRawPointer(out + first.count).copyMemory(from: second.start!, byteCount: second.count)
    out[first.count + second.count] = 0
    return Text(out, first.count + second.count)
  }
}
