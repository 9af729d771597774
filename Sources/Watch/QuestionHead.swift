import Config

/// A request's head, as far as it matters: what is asked, under which name, and from whose page.
///
/// Pages of other sites reach these sockets through the browsers of people who may: an attacker's name that
/// resolves to 127.0.0.1 (DNS rebinding) lets his page read the answer. So the server must be addressed by an
/// address, by `localhost`, or by a name that its operator has given it.
struct QuestionHead {
  private let method: Substring
  /// The host and port that are meant; nil if nothing says so.
  private let authority: String?
  private let path: String
  private let origin: String?
  /// `Sec-Fetch-Site`: whose page asks, according to the browser.
  private let site: String?

  /// Reads it; nil if it is not one, and for HTTP/1.1 without exactly one Host (RFC 9112 §3.2).
  init?(_ bytes: ArraySlice<UInt8>) {
    var lines = bytes.split(separator: UInt8(ascii: "\n")).map { line in
      line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    }
    let isText = { (byte: UInt8) in byte >= 0x20 && byte != 0x7f || byte == 0x09 }
    guard !lines.isEmpty, lines.allSatisfy({ $0.allSatisfy(isText) }) else { return nil }
    let first = String(decoding: lines.removeFirst(), as: UTF8.self)
    let words = first.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, !words[0].isEmpty, words[2].hasPrefix("HTTP/1.") else { return nil }
    var fields: [(name: String, value: String)] = []
    for line in lines {
      guard let field = QuestionHead.field(line) else { return nil }
      fields.append(field)
    }
    let hosts = fields.filter { $0.name == "host" }.map(\.value)
    guard hosts.count == 1 || hosts.isEmpty && words[2] == "HTTP/1.0" else { return nil }
    guard let target = QuestionHead.target(words[1]) else { return nil }
    (method, path) = (words[0], target.path)
    authority = (target.authority ?? hosts.first)?.lowercased()
    origin = fields.first { $0.name == "origin" }?.value.lowercased()
    site = fields.first { $0.name == "sec-fetch-site" }?.value
  }

  /// A field's name in lower case, and its value; nil if it is not one.
  private static func field(_ line: ArraySlice<UInt8>) -> (name: String, value: String)? {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else { return nil }
    let name = line[..<colon]
    guard name.allSatisfy({ $0 > 0x20 }) else { return nil }
    let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
    let value = line[(colon + 1)...].drop(while: isBlank).reversed().drop(while: isBlank).reversed()
    return (String(decoding: name, as: UTF8.self).lowercased(), String(decoding: Array(value), as: UTF8.self))
  }

  /// `/path?query`, or the same after `http://host` (RFC 9112 §3.2.2), without the query.
  private static func target(_ text: Substring) -> (authority: String?, path: String)? {
    let path = { (text: Substring) in String(text.prefix { $0 != "?" }) }
    if text.hasPrefix("/") { return (nil, path(text)) }
    let scheme = "http://"
    guard text.count > scheme.count, text.prefix(scheme.count).lowercased() == scheme else { return nil }
    let rest = text.dropFirst(scheme.count)
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let found = path(rest.dropFirst(authority.count))
    return authority.isEmpty ? nil : (String(authority), found.isEmpty ? "/" : found)
  }

  /// The question to a server that has these names.
  func question(_ names: [String]) -> Question {
    guard method == "GET" || method == "HEAD" else { return .refused(405) }
    guard isOurs(names), isOwnPage else { return .refused(403) }
    return .path(path, isHead: method == "HEAD")
  }

  /// The request comes from no page, or from one that this server has shown.
  private var isOwnPage: Bool {
    if site == "cross-site" { return false }
    guard let origin else { return true }
    return authority.map { origin == "http://\($0)" || origin == "https://\($0)" } ?? false
  }

  /// The name belongs to the server. An HTTP/1.0 client need not give any.
  private func isOurs(_ names: [String]) -> Bool {
    guard let authority else { return true }
    guard let host = Self.host(of: authority) else { return false }
    return host == "localhost"
      || IPAddress(parsing: host) != nil || names.contains { $0.lowercased() == host }
  }

  /// The authority without its port, and an IPv6 address without its brackets; nil for none.
  private static func host(of authority: String) -> String? {
    var rest = authority[...]
    var host = rest.prefix { $0 != ":" }
    if rest.hasPrefix("[") {
      guard let end = rest.firstIndex(of: "]") else { return nil }
      host = rest[..<end].dropFirst()
      guard host.contains(":") else { return nil }
      rest = rest[rest.index(after: end)...]
    } else {
      rest = rest.dropFirst(host.count)
    }
    let isPort = rest.isEmpty || rest.hasPrefix(":") && rest.dropFirst().utf8.allSatisfy { 0x30...0x39 ~= $0 }
    return isPort ? String(host) : nil
  }
}
