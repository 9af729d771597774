import CNSGI
import Config
import Glibc
import Wire

/// The lists of a request that an app may ask for, built on first use in the exchange's arena.
struct EnvironLists {
  /// CGI meta-variables.
  var environ: UnsafeMutablePointer<nsgi_pair>?
  var environCount = 0
  /// Finds a variable in a long list.
  var index: NameIndex?
  /// Header fields, names in lower case.
  var fields: UnsafeMutablePointer<nsgi_pair>?
  var fieldCount = 0
  /// The plain form's list: name, value, …, NULL.
  var vars: UnsafeMutablePointer<UnsafePointer<CChar>?>?

  /// Room for the variables that the server itself provides.
  static let ownVariables = 20
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
    let more = head.count + (routing?.variables.count ?? 0)
    let capacity = EnvironLists.ownVariables + TLSVariables.count + more
    let list = arena.allocate(capacity * MemoryLayout<nsgi_pair>.stride).bindMemory(
      to: nsgi_pair.self, capacity: capacity)
    var table = PairTable(list, count: addOwnVariables(to: list), more: more, &arena)
    switch head.form {
    case .fields: addFields(&table)
    case .variables: addVariables(&table)
    }
    table.join(&arena)
    if let routing { addVariables(of: routing, &table) }
    lists.environ = list
    lists.environCount = table.count
    lists.index = table.index
    return list
  }

  /// The variables that the server itself provides, whatever the front end said.
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
    let carrier = outlet.carrier ?? connection.pointee.multiplexer?.pointee.tls
    if let carrier, connection.gateway.isHTTP {
      TLSVariables.each(carrier) { own.add($0, $1) }
    }
    if meta.contentType.start != nil { own.add("CONTENT_TYPE", meta.contentType) }
    // A stated length is passed on, even if it is 0; so is the counted length of a chunked body.
    let isKnown = meta.contentLength > 0 || meta.contentLength == 0 && (head.statesLength || head.isChunked)
    if isKnown { own.add("CONTENT_LENGTH", decimal(meta.contentLength)) }
    // Fills in for a front end that sends none (RFC 3875 §4.1.15, §4.1.17).
    if head.form == .fields || head.first(.serverSoftware) == nil {
      own.add("SERVER_SOFTWARE", Text(Program.software))
    }
    own.add("SERVER_PORT", serverPort(isTLS))
    if let port = remotePort { own.add("REMOTE_PORT", port) }
    if meta.host.start != nil { own.add("HTTP_HOST", meta.host) }
    // Absent means RESPONDER, as in the library of the FastCGI developer's kit.
    if head.isAuthorizer { own.add("FCGI_ROLE", Text("AUTHORIZER")) }
    if hasName {
      own.add("REQUEST_ID", requestID())
      own.add("HTTP_X_REQUEST_ID", requestID())
    }
    return own.next - list
  }

  private var listenerIndex: Int { Int(connection.listener) }

  /// The port of the request: as the front end says it, otherwise the socket's own, otherwise that of the
  /// scheme.
  private mutating func serverPort(_ isTLS: Bool) -> Text {
    if meta.serverPort.start != nil { return meta.serverPort }
    if head.form == .fields {
      let port = owner._withUnsafeGuaranteedRef { $0.listeners[listenerIndex].port }
      if port > 0 { return decimal(Int64(port)) }
    }
    return isTLS ? Text("443") : Text("80")
  }

  /// The client's port; nil if it is not known, as on a unix socket.
  private var remotePort: Text? {
    mutating get {
      if meta.remotePort.start != nil { return meta.remotePort }
      let port = connection.peer.port
      return head.form == .fields && !meta.isForwarded && port > 0 ? decimal(Int64(port)) : nil
    }
  }

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

  private mutating func addFields(_ table: inout PairTable) {
    // The server's own variables have no such names, except HTTP_HOST, which is not added again.
    let start = table.count
    let hasName = hasName
    for index in 0..<head.count {
      let field = head[index]
      guard Exchange.isShown(field.known) else { continue }
      if field.known == .host, meta.host.start != nil { continue }
      if hasName, isName(field) { continue }
      let name = field.name.bytes(in: base)
      let out = arena.allocate(FieldVariable.room(name.count))
      guard FieldVariable.write(name, to: out) else { continue }
      let variable = Text(out.assumingMemoryBound(to: UInt8.self), name.count + 5)
      let text = terminated(field.value)
      if let earlier = table.add(variable, text, from: start) {
        table.join(text, to: earlier, isCookie: field.known == .cookie, &arena)
      }
    }
  }

  /// Fields that become no HTTP_ variable: they have one of their own, are about the connection that ends
  /// here, or are "Proxy" (httpoxy, CVE-2016-5385). Likewise names that are the server's own.
  static func isShown(_ known: KnownName) -> Bool {
    switch known {
    case .contentLength, .contentType, .proxy, .transferEncoding, .httpContentDouble, .connection, .keepAlive,
      .te, .trailer, .upgrade, .reserved:
      false
    default: true
    }
  }

  /// A field's value followed by a NUL.
  @inline(__always)
  mutating func terminated(_ range: DelimitedRange) -> Text { head.ended(range, base, &arena) }

  static func same(_ name: nsgi_str, _ other: Text) -> Bool {
    name.n == other.count && memcmp(name.p, other.start!, other.count) == 0
  }

  // MARK: The front end's own variables

  private mutating func addVariables(_ table: inout PairTable) {
    let start = table.count
    let hasName = hasName
    for index in 0..<head.count {
      let field = head[index]
      guard Exchange.isShown(field.known), !Exchange.isOwn(field.known) else { continue }
      if hasName, isName(field) { continue }
      let name = head.endedName(field, base, &arena)
      let text = terminated(field.value)
      guard let earlier = table.add(name, text), earlier >= start else { continue }
      // Repeated header fields are one list (RFC 9110 §5.3); of any other variable the last one counts.
      if name.count > 5, memcmp(name.start!, "HTTP_", 5) == 0 {
        table.join(text, to: earlier, isCookie: field.known == .cookie, &arena)
      } else {
        table.list[earlier].value = nsgi_str(text)
      }
    }
  }

  /// Variables that rules give the application replace those of the front end.
  private func addVariables(of routing: Routing, _ table: inout PairTable) {
    for (name, value) in routing.variables {
      if let earlier = table.add(name, value) { table.list[earlier].value = nsgi_str(value) }
    }
  }

  /// Variables that `ownVariables` provides.
  static func isOwn(_ known: KnownName) -> Bool {
    switch known {
    case .requestMethod, .scriptName, .pathInfo, .queryString, .requestURI, .serverProtocol, .requestScheme,
      .remoteAddr, .remotePort, .serverName, .serverPort, .https, .contentType, .contentLength, .scgi:
      true
    default: false
    }
  }

  // MARK: Header fields

  /// Header fields with lower-case names, duplicates kept; with other gateways rebuilt from HTTP_*.
  mutating func fieldList() -> UnsafeMutablePointer<nsgi_pair> {
    if let list = lists.fields { return list }
    let list = arena.allocate((head.count + 2) * MemoryLayout<nsgi_pair>.stride).bindMemory(
      to: nsgi_pair.self, capacity: head.count + 2)
    var count = 0
    if meta.host.start != nil {
      list[0] = nsgi_pair(Text("host"), meta.host)
      count = 1
    }
    for index in 0..<head.count {
      let field = head[index]
      if field.known == .host, meta.host.start != nil { continue }
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
        if field.value.isEmpty || field.known == .contentLength && !head.statesLength { return nil }
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

  /// One meta-variable by name; absent if there is none.
  mutating func variable(named name: UnsafeRawBufferPointer) -> nsgi_str {
    let pairs = environList()
    if let index = lists.index {
      let place = index.find(name) { pairs[$0].name.bytes }
      return place.map { pairs[$0].value } ?? nsgi_str(p: nil, n: 0)
    }
    for index in 0..<lists.environCount where pairs[index].name.n == name.count {
      if memcmp(pairs[index].name.p, name.baseAddress!, name.count) == 0 { return pairs[index].value }
    }
    return nsgi_str(p: nil, n: 0)
  }
}
