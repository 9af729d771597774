/// One function for all protocols: from what the wire said to `MetaVariables`.
///
/// `base` is the connection's buffer, in which the bytes behind values (delimiters and lengths, already
/// read) are overwritten with NUL, so that nothing has to be copied.
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
    meta.serverProtocol = head.minorVersion == 0 ? Text("HTTP/1.0") : Text("HTTP/1.1")
    meta.remoteAddr = facts.remoteAddr
    meta.serverName = facts.localName
    if let host = head.authority.isEmpty ? head.first(.host) : head.authority, host.count > 0 {
      let name = hostName(host.bytes(in: base))
      // What stays as it is: the colon in front of a port, since the field is shown whole, and the path
      // behind the authority of a target.
      if name.count == host.count, Int(host.start) > head.target.end {
        meta.serverName = head.ended(host, base, &arena)
      } else if name.count > 0 {
        meta.serverName = Text(arena.copy(name), name.count)
      }
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
    let path = UnsafeRawBufferPointer(rebasing: target.bytes[..<end])
    let query = end < target.count ? Text(target.start! + end + 1, target.count - end - 1) : .empty
    if isEncoded { return (try PercentDecoding.decode(path, &arena), query) }
    return (Text(arena.copy(path), end), query)
  }

  /// Where the query's "?" stands, or the end without one, and whether escapes stand before it.
  @inline(__always)
  private static func endOfPath(_ target: UnsafeRawBufferPointer) -> (end: Int, isEncoded: Bool) {
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

  /// The host without its port (RFC 9110 §7.2).
  private static func hostName(_ host: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var end = host.count
    while end > 0, Ascii.isDigit(host[end - 1]) { end -= 1 }
    guard end > 0, host[end - 1] == UInt8(ascii: ":") else { return host }
    return UnsafeRawBufferPointer(rebasing: host[..<(end - 1)])
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
    let name = text(.serverName, &arena)
    meta.serverName = name.isEmpty ? facts.localName : name
    let type = text(.contentType, &arena)
    if !type.isEmpty { meta.contentType = type }
    meta.contentLength = head.framing.knownLength ?? -1
    if isSecure(text(.https, &arena), text(.requestScheme, &arena)) { meta.scheme = Text("https") }
    try path(
      script: text(.scriptName, &arena), info: text(.pathInfo, &arena), document: text(.documentURI, &arena),
      query: text(.queryString, &arena), fixesRoot: facts.fixesRootScriptName, &meta, &arena)
  }

  private static func isSecure(_ https: Text, _ scheme: Text) -> Bool {
    Ascii.matches(https.bytes, "on") || Ascii.equals(https.bytes, "1") || Ascii.matches(scheme.bytes, "https")
  }

  /// SCRIPT_NAME and PATH_INFO as front ends mean them: nginx sends neither or only one, lighttpd's "/"
  /// prefix puts the first segment into SCRIPT_NAME.
  private static func path(
    script: Text, info: Text, document: Text, query: Text, fixesRoot: Bool, _ meta: inout MetaVariables,
    _ arena: inout Arena
  ) throws(NormalizeError) {
    let target = try split(meta.requestURI.start == nil ? .empty : meta.requestURI, &arena)
    meta.query = query.start == nil ? target.query : query
    if meta.requestURI.start == nil { meta.requestURI = info.isEmpty ? document : info }
    if meta.requestURI.start == nil { meta.requestURI = .empty }
    let (script, info) = try decodedIfRaw(script, info, of: meta.requestURI, &arena)
    meta.scriptName = isSlash(script) || script.start == nil ? .empty : script
    meta.pathInfo = info
    if info.isEmpty { meta.pathInfo = derived(target.path, document, below: meta.scriptName) }
    if fixesRoot {
      meta.pathInfo = joined(meta.scriptName, meta.pathInfo, &arena)
      meta.scriptName = .empty
    }
    if !meta.pathInfo.isEmpty, meta.pathInfo.bytes[0] != UInt8(ascii: "/") {
      meta.pathInfo = joined(Text("/"), meta.pathInfo, &arena)
    }
  }

  /// Apache's mod_proxy_scgi passes the path as the client encoded it, and, where that holds escapes, the
  /// decoded one as SCRIPT_NAME too. It shows: PATH_INFO is the request's raw path to the letter,
  /// although that holds escapes.
  private static func decodedIfRaw(
    _ script: Text, _ info: Text, of target: Text, _ arena: inout Arena
  ) throws(NormalizeError) -> (script: Text, info: Text) {
    guard isPath(info, of: target), info.bytes.contains(UInt8(ascii: "%")) else { return (script, info) }
    let decoded = try PercentDecoding.decode(info.bytes, &arena)
    let isDoubled = script.count == decoded.count && isPath(decoded, of: script)
    return (isDoubled ? .empty : script, decoded)
  }

  /// Whether `path` is the path of `target`, its query left out.
  private static func isPath(_ path: Text, of target: Text) -> Bool {
    let count = path.count
    guard count > 0, target.count >= count else { return false }
    guard target.count == count || target.bytes[count] == UInt8(ascii: "?") else { return false }
    for index in 0..<count where target.bytes[index] != path.bytes[index] { return false }
    return true
  }

  private static func isSlash(_ text: Text) -> Bool { text.count == 1 && text.bytes[0] == UInt8(ascii: "/") }

  /// The path of the request below SCRIPT_NAME, when the front end left PATH_INFO out.
  private static func derived(_ decoded: Text, _ document: Text, below script: Text) -> Text {
    let path = decoded.isEmpty ? document : decoded
    guard path.count >= script.count, let start = path.start else { return .empty }
    for index in 0..<script.count where path.bytes[index] != script.bytes[index] { return .empty }
    let rest = Text(start + script.count, path.count - script.count)
    guard rest.isEmpty || rest.bytes[0] == UInt8(ascii: "/") else { return .empty }
    return rest
  }

  /// Two texts one behind the other; one of them itself when the other is empty.
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
