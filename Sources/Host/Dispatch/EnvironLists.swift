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

extension Exchange {
  /// CGI meta-variables and HTTP_*, duplicates joined (RFC 3875 §4.1); the same for every gateway.
  mutating func environList() -> UnsafeMutablePointer<nsgi_pair> {
    if let list = lists.environ { return list }
    let capacity = EnvironLists.ownVariables + head.count
    let list = arena.allocate(capacity * MemoryLayout<nsgi_pair>.stride).bindMemory(
      to: nsgi_pair.self, capacity: capacity)
    var count = 0
    let own = ownVariables()
    for index in own.indices {
      guard let pair = own[index] else { continue }
      list[count] = pair
      count += 1
    }
    switch head.form {
    case .fields: count = addFields(to: list, from: count)
    case .variables: count = addVariables(to: list, from: count)
    }
    lists.environ = list
    lists.environCount = count
    return list
  }

  /// The variables that the server itself answers for, whatever the front end said.
  private mutating func ownVariables() -> InlineArray<17, nsgi_pair?> {
    var own = InlineArray<17, nsgi_pair?>(repeating: nil)
    own[0] = nsgi_pair(Text("REQUEST_METHOD"), meta.method)
    own[1] = nsgi_pair(Text("SCRIPT_NAME"), meta.scriptName)
    own[2] = nsgi_pair(Text("PATH_INFO"), meta.pathInfo)
    own[3] = nsgi_pair(Text("QUERY_STRING"), meta.query)
    own[4] = nsgi_pair(Text("REQUEST_URI"), meta.requestURI)
    own[5] = nsgi_pair(Text("SERVER_PROTOCOL"), meta.serverProtocol)
    own[6] = nsgi_pair(Text("REQUEST_SCHEME"), meta.scheme)
    own[7] = nsgi_pair(Text("REMOTE_ADDR"), meta.remoteAddr)
    own[8] = nsgi_pair(Text("SERVER_NAME"), meta.serverName)
    own[9] = nsgi_pair(Text("GATEWAY_INTERFACE"), Text("CGI/1.1"))
    if meta.scheme.count == 5 { own[10] = nsgi_pair(Text("HTTPS"), Text("on")) }
    if meta.contentType.start != nil { own[11] = nsgi_pair(Text("CONTENT_TYPE"), meta.contentType) }
    if meta.contentLength > 0 {
      own[12] = nsgi_pair(Text("CONTENT_LENGTH"), decimal(meta.contentLength))
    }
    // A front end that sends neither is completed (RFC 3875 §4.1.15, §4.1.17).
    if head.form == .variables {
      if head.first(.serverSoftware) == nil {
        own[13] = nsgi_pair(Text("SERVER_SOFTWARE"), Text(Worker.software))
      }
      if head.first(.serverPort) == nil {
        own[14] = nsgi_pair(Text("SERVER_PORT"), meta.scheme.count == 5 ? Text("443") : Text("80"))
      }
    }
    if head.form == .fields {
      own[13] = nsgi_pair(Text("SERVER_SOFTWARE"), Text(Worker.software))
      own[14] = nsgi_pair(Text("SERVER_PORT"), decimal(Int64(worker.listeners[listenerIndex].port)))
      own[15] = nsgi_pair(Text("REMOTE_PORT"), decimal(Int64(connection.pointee.peer.port)))
    }
    // Absent means RESPONDER; what the library of the FastCGI developer's kit does.
    if head.isAuthorizer { own[16] = nsgi_pair(Text("FCGI_ROLE"), Text("AUTHORIZER")) }
    return own
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
      let name = field.name.bytes(in: base)
      guard Exchange.isShown(field.known), !name.contains(UInt8(ascii: "_")) else { continue }
      let text = terminated(field.value)
      let variable = httpName(name)
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

  /// "User-Agent" as "HTTP_USER_AGENT" (RFC 3875 §4.1.18).
  private mutating func httpName(_ name: UnsafeRawBufferPointer) -> Text {
    let out = arena.allocate(name.count + 6).assumingMemoryBound(to: UInt8.self)
    for (index, byte) in "HTTP_".utf8.enumerated() { out[index] = byte }
    for index in 0..<name.count {
      let byte = name[index]
      out[5 + index] = byte == UInt8(ascii: "-") ? UInt8(ascii: "_") : byte &- 0x61 < 26 ? byte & 0xdf : byte
    }
    out[5 + name.count] = 0
    return Text(out, name.count + 5)
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
    guard name.n == other.count else { return false }
    for index in 0..<other.count where UInt8(bitPattern: name.p[index]) != other.start![index] {
      return false
    }
    return true
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
