import CNSGI
import Glibc
import Wire

/// The lists of a request that an app may ask for, built on first use in the exchange's arena.
struct EnvironLists {
  /// CGI meta-variables.
  var environ: UnsafeMutablePointer<nsgi_pair>?
  var environCount = 0
  /// Header fields, names in lower case.
  var fields: UnsafeMutablePointer<nsgi_pair>?
  var fieldCount = 0
  /// The plain form's list: name, value, …, NULL.
  var vars: UnsafeMutablePointer<UnsafePointer<CChar>?>?

  /// Room for the variables that the server itself answers for.
  static let ownVariables = 17
}

/// Writes pairs one after the other into a list that has room for them.
private struct PairWriter {
  var next: UnsafeMutablePointer<nsgi_pair>

  @inline(__always)
  mutating func add(_ name: StaticString, _ value: Text) {
    next.pointee = nsgi_pair(Text(name), value)
    next += 1
  }
}

extension Exchange {
  /// CGI meta-variables and HTTP_*, duplicates joined (RFC 3875 §4.1); the same for every gateway.
  mutating func environList() -> UnsafeMutablePointer<nsgi_pair> {
    if let list = lists.environ { return list }
    let capacity = EnvironLists.ownVariables + head.count
    let list = arena.allocate(capacity * MemoryLayout<nsgi_pair>.stride).bindMemory(
      to: nsgi_pair.self, capacity: capacity)
    var count = addOwnVariables(to: list)
    switch head.form {
    case .fields: count = addFields(to: list, from: count)
    case .variables: count = addVariables(to: list, from: count)
    }
    lists.environ = list
    lists.environCount = count
    return list
  }

  /// The variables that the server itself answers for, whatever the front end said.
  private mutating func addOwnVariables(to list: UnsafeMutablePointer<nsgi_pair>) -> Int {
    var own = PairWriter(next: list)
    own.add("REQUEST_METHOD", meta.method)
    own.add("SCRIPT_NAME", meta.scriptName)
    own.add("PATH_INFO", meta.pathInfo)
    own.add("QUERY_STRING", meta.query)
    own.add("REQUEST_URI", meta.requestURI)
    own.add("SERVER_PROTOCOL", meta.serverProtocol)
    own.add("REQUEST_SCHEME", meta.scheme)
    own.add("REMOTE_ADDR", meta.remoteAddr)
    own.add("SERVER_NAME", meta.serverName)
    own.add("GATEWAY_INTERFACE", Text("CGI/1.1"))
    let isTLS = meta.scheme.count == 5
    if isTLS { own.add("HTTPS", Text("on")) }
    if meta.contentType.start != nil { own.add("CONTENT_TYPE", meta.contentType) }
    if meta.contentLength > 0 { own.add("CONTENT_LENGTH", decimal(meta.contentLength)) }
    switch head.form {
    case .variables:
      // A front end that sends neither is completed (RFC 3875 §4.1.15, §4.1.17).
      if head.first(.serverSoftware) == nil { own.add("SERVER_SOFTWARE", Text(Worker.software)) }
      if head.first(.serverPort) == nil { own.add("SERVER_PORT", isTLS ? Text("443") : Text("80")) }
    case .fields:
      own.add("SERVER_SOFTWARE", Text(Worker.software))
      let port = owner._withUnsafeGuaranteedRef { $0.listeners[listenerIndex].port }
      own.add("SERVER_PORT", decimal(Int64(port)))
      own.add("REMOTE_PORT", decimal(Int64(connection.pointee.peer.port)))
    }
    // Absent means RESPONDER; what the library of the FastCGI developer's kit does.
    if head.isAuthorizer { own.add("FCGI_ROLE", Text("AUTHORIZER")) }
    return own.next - list
  }

  private var listenerIndex: Int { Int(connection.pointee.listener) }

  private mutating func decimal(_ value: Int64) -> Text {
    let out = arena.allocate(24).assumingMemoryBound(to: UInt8.self)
    var digits = InlineArray<20, UInt8>(repeating: 0)
    var count = 0
    var left = value
    repeat {
      digits[count] = 0x30 + UInt8(left % 10)
      left /= 10
      count += 1
    } while left > 0
    for index in 0..<count { out[index] = digits[count - 1 - index] }
    out[count] = 0
    return Text(out, count)
  }

  // MARK: HTTP header fields as HTTP_ variables

  private mutating func addFields(to list: UnsafeMutablePointer<nsgi_pair>, from start: Int) -> Int {
    var count = start
    for index in 0..<head.count {
      let field = head[index]
      guard Exchange.isShown(field.known) else { continue }
      let name = field.name.bytes(in: base)
      let out = arena.allocate(FieldVariable.room(name.count))
      guard FieldVariable.write(name, to: out) else { continue }
      let variable = Text(out.assumingMemoryBound(to: UInt8.self), name.count + 5)
      let text = terminated(field.value)
      if let earlier = (start..<count).first(where: { Exchange.same(list[$0].name, variable) }) {
        list[earlier].value = joined(list[earlier].value, text, isCookie: field.known == .cookie)
        continue
      }
      list[count] = nsgi_pair(variable, text)
      count += 1
    }
    return count
  }

  /// Fields that become no HTTP_ variable: they have one of their own, speak of the connection that ends
  /// here, or are "Proxy" (httpoxy, CVE-2016-5385).
  static func isShown(_ known: KnownName) -> Bool {
    switch known {
    case .contentLength, .contentType, .proxy, .transferEncoding, .httpContentDouble, .connection, .keepAlive,
      .te,
      .trailer, .upgrade:
      false
    default: true
    }
  }

  /// A field's value with a NUL behind it.
  @inline(__always)
  mutating func terminated(_ range: ByteRange) -> Text { head.ended(range, base, &arena) }

  private mutating func joined(_ first: nsgi_str, _ second: Text, isCookie: Bool) -> nsgi_str {
    let separator: StaticString = isCookie ? "; " : ", "
    let count = first.n + separator.utf8CodeUnitCount + second.count
    let out = arena.allocate(count + 1)
    out.copyMemory(from: first.p, byteCount: first.n)
    (out + first.n).copyMemory(from: separator.utf8Start, byteCount: separator.utf8CodeUnitCount)
    (out + first.n + separator.utf8CodeUnitCount).copyMemory(from: second.start!, byteCount: second.count)
    out.assumingMemoryBound(to: UInt8.self)[count] = 0
    return nsgi_str(p: UnsafePointer(out.assumingMemoryBound(to: CChar.self)), n: count)
  }

  static func same(_ name: nsgi_str, _ other: Text) -> Bool {
    name.n == other.count && memcmp(name.p, other.start!, other.count) == 0
  }

  // MARK: The front end's own variables

  private mutating func addVariables(to list: UnsafeMutablePointer<nsgi_pair>, from start: Int) -> Int {
    var count = start
    for index in 0..<head.count {
      let field = head[index]
      guard Exchange.isShown(field.known), !Exchange.isOwn(field.known) else { continue }
      let name = variableName(field.name)
      let text = terminated(field.value)
      if let earlier = (0..<count).first(where: { Exchange.same(list[$0].name, name) }) {
        guard earlier >= start else { continue }
        // Repeated header fields are one list (RFC 9110 §5.3); of any other variable the last one counts.
        let isField = name.count > 5 && memcmp(name.start!, "HTTP_", 5) == 0
        list[earlier].value =
          isField ? joined(list[earlier].value, text, isCookie: field.known == .cookie) : nsgi_str(text)
        continue
      }
      list[count] = nsgi_pair(name, text)
      count += 1
    }
    return count
  }

  private mutating func variableName(_ range: ByteRange) -> Text {
    switch connection.pointee.gateway {
    case .scgi, .cgi: terminated(range)
    case .http1, .uwsgi, .fastcgi: Text(arena.copy(range.bytes(in: base)), Int(range.count))
    }
  }

  /// Variables that `ownVariables` answers for.
  static func isOwn(_ known: KnownName) -> Bool {
    switch known {
    case .requestMethod, .scriptName, .pathInfo, .queryString, .requestURI, .serverProtocol, .requestScheme,
      .remoteAddr, .serverName, .https, .contentType, .contentLength, .scgi:
      true
    default: false
    }
  }

  // MARK: Header fields

  /// Header fields with lower-case names, duplicates kept; of other gateways rebuilt from HTTP_*.
  mutating func fieldList() -> UnsafeMutablePointer<nsgi_pair> {
    if let list = lists.fields { return list }
    let list = arena.allocate((head.count + 2) * MemoryLayout<nsgi_pair>.stride).bindMemory(
      to: nsgi_pair.self, capacity: head.count + 2)
    var count = 0
    for index in 0..<head.count {
      let field = head[index]
      guard let name = fieldName(field) else { continue }
      list[count] = nsgi_pair(name, terminated(field.value))
      count += 1
    }
    lists.fields = list
    lists.fieldCount = count
    return list
  }

  private mutating func fieldName(_ field: Field) -> Text? {
    var name = field.name.bytes(in: base)
    if head.form == .variables {
      if field.known == .contentType || field.known == .contentLength {
        if field.value.isEmpty { return nil }
      } else {
        guard name.count > 5, Ascii.equals(UnsafeRawBufferPointer(rebasing: name[..<5]), "HTTP_"),
          field.known != .httpContentDouble, field.known != .proxy
        else { return nil }
        name = UnsafeRawBufferPointer(rebasing: name[5...])
      }
    }
    let out = arena.allocate(name.count + 1).assumingMemoryBound(to: UInt8.self)
    for index in 0..<name.count {
      let byte = Ascii.lower(name[index])
      out[index] = head.form == .variables && byte == UInt8(ascii: "_") ? UInt8(ascii: "-") : byte
    }
    out[name.count] = 0
    return Text(out, name.count)
  }

  /// The plain form's list.
  mutating func varsList() -> UnsafePointer<UnsafePointer<CChar>?> {
    if let list = lists.vars { return UnsafePointer(list) }
    let pairs = environList()
    let count = lists.environCount
    let list = arena.allocate((2 * count + 1) * MemoryLayout<UnsafePointer<CChar>?>.stride).bindMemory(
      to: UnsafePointer<CChar>?.self, capacity: 2 * count + 1)
    for index in 0..<count {
      list[2 * index] = pairs[index].name.p
      list[2 * index + 1] = pairs[index].value.p
    }
    list[2 * count] = nil
    lists.vars = list
    return UnsafePointer(list)
  }

  /// One meta-variable by name; absent when there is none.
  mutating func variable(named name: UnsafeRawBufferPointer) -> nsgi_str {
    let pairs = environList()
    for index in 0..<lists.environCount where pairs[index].name.n == name.count {
      if memcmp(pairs[index].name.p, name.baseAddress!, name.count) == 0 { return pairs[index].value }
    }
    return nsgi_str(p: nil, n: 0)
  }
}
