/// What a front end says about the path of a request. Some send neither SCRIPT_NAME nor PATH_INFO, some one
/// of them, some the whole path beside the other; an app always gets the same: SCRIPT_NAME and PATH_INFO,
/// joined, are the path (RFC 3875 §3.3).
struct ToldPath {
  let script: Text
  let info: Text
  /// DOCUMENT_URI: nginx's decoded path.
  let document: Text
  let query: Text
  /// The peer asks to remove SCRIPT_NAME from PATH_INFO (uwsgi, modifier1 30).
  let isWhole: Bool
  /// SCRIPT_NAME and PATH_INFO are to be taken together as the path.
  let fixesRoot: Bool

  private static let slash = UInt8(ascii: "/")

  /// Fills in SCRIPT_NAME, PATH_INFO, QUERY_STRING and REQUEST_URI; the last is in `meta` as the front end
  /// sent it.
  func put(into meta: inout MetaVariables, _ arena: inout Arena) throws(NormalizeError) {
    let target = ToldPath.behindAuthority(meta.requestURI, &arena)
    let (end, isEncoded) = Normalizer.endOfPath(target.bytes)
    let path = UnsafeRawBufferPointer(rebasing: target.bytes[..<end])
    let ownQuery = end < target.count ? Text(target.start! + end + 1, target.count - end - 1) : .empty
    meta.query = query.start == nil ? ownQuery : query
    meta.requestURI = target
    if target.start == nil { meta.requestURI = info.isEmpty ? document : info }
    if meta.requestURI.start == nil { meta.requestURI = .empty }
    var (script, info) = isEncoded ? try decodedIfRaw(path, &arena) : (self.script, self.info)
    let endsWithSlash = script.bytes.last == ToldPath.slash
    script = try ToldPath.mount(script, &arena)
    if info.isEmpty {
      info = ToldPath.rest(of: try decoded(target, end, isEncoded, &arena), below: script) ?? .empty
      // The slash after SCRIPT_NAME is all of the path that nothing else tells.
      if info.isEmpty, endsWithSlash, !script.isEmpty, path.isEmpty { info = Text("/") }
    } else if !script.isEmpty, let rest = ToldPath.rest(of: info, below: script) {
      let isDoubled = ToldPath.isSame(path, script, info)
      if isWhole || !isDoubled && ToldPath.isSame(path, .empty, info) {
        info = rest
      } else {
        meta.mayHaveWholePath = !isDoubled
      }
    }
    // "*" names no path at all.
    if info.count == 1, info.bytes[0] == UInt8(ascii: "*") { info = .empty }
    if fixesRoot { (script, info) = (.empty, Normalizer.joined(script, info, &arena)) }
    if !info.isEmpty, info.bytes[0] != ToldPath.slash { info = Normalizer.joined(Text("/"), info, &arena) }
    (meta.scriptName, meta.pathInfo) = (script, info)
  }

  /// Path and query of a target that a front end passes on in absolute-form (RFC 9112 §3.2.2); any other
  /// unchanged.
  @inline(__always)
  private static func behindAuthority(_ target: Text, _ arena: inout Arena) -> Text {
    guard let first = target.bytes.first, Ascii.lower(first) &- 0x61 < 26 else { return target }
    return behindScheme(target, &arena)
  }

  private static func behindScheme(_ target: Text, _ arena: inout Arena) -> Text {
    // scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )                             (RFC 3986 §3.1)
    let bytes = target.bytes
    let scheme = bytes.firstIndex { byte in
      !(Ascii.lower(byte) &- 0x61 < 26 || Ascii.isDigit(byte) || byte == 0x2b || byte == 0x2d || byte == 0x2e)
    }
    guard let scheme, bytes.count - scheme > 3, bytes[scheme] == HTTP1Grammar.colon,
      bytes[scheme + 1] == slash, bytes[scheme + 2] == slash
    else { return target }
    let end = bytes[(scheme + 3)...].firstIndex { $0 == slash || $0 == UInt8(ascii: "?") } ?? bytes.count
    let rest = Text(target.start! + end, target.count - end)
    return rest.bytes.first == slash ? rest : Normalizer.joined(Text("/"), rest, &arena)
  }

  /// Apache's mod_proxy_scgi passes the path as the client encoded it and, if it holds escapes, the decoded
  /// one as SCRIPT_NAME too. This can be recognised: PATH_INFO is exactly the request's raw path, although
  /// that holds escapes. A path that cannot be decoded was not encoded: a front end has decoded it already.
  private func decodedIfRaw(
    _ path: UnsafeRawBufferPointer, _ arena: inout Arena
  ) throws(NormalizeError) -> (script: Text, info: Text) {
    guard NameIndex.same(path, info.bytes) else { return (script, info) }
    do {
      let decoded = try PercentDecoding.decode(path, &arena)
      return (NameIndex.same(decoded.bytes, script.bytes) ? .empty : script, decoded)
    } catch {
      if error == .escapedNul { throw error }
      return (script, info)
    }
  }

  /// SCRIPT_NAME begins with a slash and does not end with one, or is empty (RFC 3875 §4.1.13).
  @inline(__always)
  private static func mount(_ script: Text, _ arena: inout Arena) throws(NormalizeError) -> Text {
    script.isEmpty ? .empty : try trimmed(script, &arena)
  }

  private static func trimmed(_ script: Text, _ arena: inout Arena) throws(NormalizeError) -> Text {
    var end = script.count
    while end > 0, script.bytes[end - 1] == slash { end -= 1 }
    if end == 0 { return .empty }
    var name = script
    if end < script.count {
      name = Text(arena.copy(UnsafeRawBufferPointer(rebasing: script.bytes[..<end])), end)
    }
    return name.bytes[0] == slash ? name : Normalizer.joined(Text("/"), name, &arena)
  }

  /// The path of the request, if the front end left out PATH_INFO.
  private func decoded(
    _ target: Text, _ end: Int, _ isEncoded: Bool, _ arena: inout Arena
  ) throws(NormalizeError) -> Text {
    if end == 0 { return document }
    do { return try Normalizer.decodedPath(target, end, isEncoded, &arena) } catch {
      // A path that cannot be decoded has been decoded by the front end already.
      if error == .escapedNul || document.isEmpty { throw error }
      return document
    }
  }

  /// The rest of `path` after `script`; nil if it does not begin with that, or goes on inside a segment.
  private static func rest(of path: Text, below script: Text) -> Text? {
    guard let start = path.start, path.count >= script.count else { return nil }
    let beginning = UnsafeRawBufferPointer(rebasing: path.bytes[..<script.count])
    guard NameIndex.same(beginning, script.bytes) else { return nil }
    let rest = Text(start + script.count, path.count - script.count)
    return rest.isEmpty || script.isEmpty || rest.bytes[0] == slash ? rest : nil
  }

  /// Whether `path`, decoded, is the two texts joined. Several slashes count as one, since nginx merges them;
  /// a % that is not followed by two digits stands for itself.
  private static func isSame(_ path: UnsafeRawBufferPointer, _ first: Text, _ second: Text) -> Bool {
    var position = 0
    var last: UInt8 = 0
    func isNext(_ text: Text) -> Bool {
      for byte in text.bytes {
        if byte == slash, last == slash { continue }
        guard position < path.count else { return false }
        let (found, size) = PercentDecoding.byte(path, at: position)
        guard found == byte else { return false }
        position += size
        last = byte
        while byte == slash, position < path.count, path[position] == slash { position += 1 }
      }
      return true
    }
    return isNext(first) && isNext(second) && position == path.count
  }
}
