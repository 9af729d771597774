// One table for all front doors: a request, and the reply that every protocol must bring.
import Support

/// What a field of the reply must be.
enum FieldRule: Sendable, ExpressibleByStringLiteral {
  case value(String)
  case some
  case absent

  init(stringLiteral text: String) { self = .value(text) }

  func allows(_ actual: String?) -> Bool {
    switch self {
    case .value(let text): actual == text
    case .some: actual != nil
    case .absent: actual == nil
    }
  }
}

/// The reply that is expected.
struct Expected: Sendable {
  var status = 200
  /// nil: any.
  var reason: String?
  /// nil: any.
  var body: String? = ""
  var fields: [(name: String, rule: FieldRule)] = []
  /// Whether the content comes whole.
  var isComplete = true

  init(
    _ status: Int = 200, reason: String? = nil, body: String? = nil, _ fields: [(String, FieldRule)] = [],
    isComplete: Bool = true
  ) {
    self.status = status
    self.reason = reason
    self.body = body
    self.fields = fields.map { (name: $0.0, rule: $0.1) }
    self.isComplete = isComplete
  }

  /// What is wrong with a reply; empty if nothing is.
  func problems(_ reply: Reply) -> [String] {
    var list: [String] = []
    if reply.status != status { list.append("status \(reply.status), not \(status)") }
    if let reason, reply.reason != reason { list.append("reason \(reply.reason), not \(reason)") }
    if let body, reply.text != body {
      list.append("body \"\(reply.text.prefix(200))\", not \"\(body.prefix(200))\"")
    }
    if reply.isComplete != isComplete { list.append(isComplete ? "content was cut" : "content seems whole") }
    for field in fields where !field.rule.allows(reply[field.name]) {
      list.append("\(field.name): \(reply[field.name] ?? "absent"), not \(field.rule)")
    }
    return list
  }
}

/// A request, the reply to it, and the doors where the reply has to differ.
struct Row: Sendable, CustomStringConvertible {
  var name: String
  var call: Call
  var expected: Expected
  var except: [Door: (expected: Expected, why: String)] = [:]

  var description: String { name }

  init(
    _ name: String, _ call: Call, _ expected: Expected,
    except doors: Set<Door> = [], _ other: Expected = Expected(), why: String = ""
  ) {
    self.name = name
    self.call = call
    self.expected = expected
    for door in doors { except[door] = (other, why) }
  }
}

extension Row {
  private static let gateways: Set<Door> = [.scgi, .uwsgi, .cgi, .fastcgi]

  /// What `/big` sends: 48 times 65536 bytes, a letter each time.
  private static let letters = (0..<48).map {
    String(repeating: Character(UnicodeScalar(UInt8(97 + $0 % 26))), count: 65536)
  }.joined()

  static let heads: [Row] = [
    Row(
      "a short response", Call("GET", "/ok"),
      Expected(
        body: "ok",
        [("content-type", "text/plain"), ("content-length", "2"), ("date", .some), ("server", .some)]),
      except: gateways,
      Expected(
        body: "ok",
        [("content-type", "text/plain"), ("content-length", "2"), ("date", .absent), ("server", .absent)]),
      why: "Date and Server are the front end's"),
    Row("an empty response", Call("GET", "/empty"), Expected(body: "", [("content-length", "0")])),
    Row(
      "HEAD has the fields of GET and no content", Call("HEAD", "/ok"),
      Expected(body: "", [("content-type", "text/plain"), ("content-length", "2")])),
    Row("HEAD of what is written in pieces", Call("HEAD", "/pieces"), Expected(body: "")),
    Row(
      "204 has no content and no length", Call("GET", "/no-content"),
      Expected(204, body: "", [("content-length", .absent), ("transfer-encoding", .absent)])),
    Row(
      "304 has no content, and the length that the app named", Call("GET", "/not-modified"),
      Expected(304, body: "", [("etag", "\"1\""), ("content-length", "5")])),
    Row("a status with its phrase", Call("GET", "/status/418"), Expected(418, body: "body")),
    Row(
      "a phrase of the app's own", Call("GET", "/reason"),
      Expected(299, reason: "Fine By Me", body: "reason")),
    Row(
      "the phrase of a head that is replaced", Call("GET", "/replaced-reason"),
      Expected(200, reason: "OK", body: "second")),
    Row(
      "a phrase with CR LF, one that is taken back, one that is late", Call("GET", "/no-reason"),
      Expected(200, reason: "OK", body: "first results -3 -3", [("x-evil", .absent)])),
    Row("a status that nobody knows", Call("GET", "/status/599"), Expected(599, body: "body")),
    Row("404", Call("GET", "/status/404"), Expected(404, reason: "Not Found", body: "body")),
    Row(
      "a redirect to a path stays what it is", Call("GET", "/redirect"),
      Expected(302, body: "", [("location", "/elsewhere")])),
    Row(
      "Set-Cookie twice stays twice", Call("GET", "/cookies"),
      Expected(body: "two", [("set-cookie", "a=1 | b=2")])),
    Row(
      "Date and Server of the app stay alone", Call("GET", "/dated"),
      Expected(body: "dated", [("date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("server", "mine")])),
    Row(
      "a second start replaces the first", Call("GET", "/twice"),
      Expected(200, body: "second", [("x-first", .absent)])),
    Row(
      "a start after the first byte is misuse", Call("GET", "/late-start"),
      Expected(200, body: "first result -3", [("x-late", .absent)])),
  ]

  static let bodies: [Row] = [
    Row("written in pieces", Call("GET", "/pieces"), Expected(body: "aaaaabbbbbccccc")),
    Row("flushed in pieces", Call("GET", "/flushed"), Expected(body: "aaaaabbbbbccccc")),
    Row("three MiB", Call("GET", "/big"), Expected(body: letters)),
    Row(
      "of the length that was announced", Call("GET", "/exact"),
      Expected(body: "abcdef", [("content-length", "6")])),
    Row("longer than announced", Call("GET", "/too-long"), Expected(body: "abc", [("content-length", "3")])),
    Row("shorter than announced", Call("GET", "/too-short"), Expected(body: "abc", isComplete: false)),
    Row("no start at all", Call("GET", "/no-start"), Expected(500, body: nil)),
    Row("a failure before the first byte", Call("GET", "/fail"), Expected(500, body: nil)),
    Row(
      "a failure after the first byte", Call("GET", "/fail-late"), Expected(body: "half", isComplete: false),
      except: [.cgi], Expected(body: "half"), why: "a program's output has no other end than its end"),
    Row("a request body comes back", Call("POST", "/echo", body: "hello"), Expected(body: "POST 5 hello")),
    Row(
      "a body of 100000 bytes comes back", Call("PUT", "/echo", body: String(repeating: "x", count: 100_000)),
      Expected(body: "PUT 100000 " + String(repeating: "x", count: 100_000))),
    Row("no request body", Call("GET", "/echo"), Expected(body: "GET 0 ")),
    Row(
      "a body read in pieces ends, and stays at its end",
      Call("POST", "/count", body: String(repeating: "y", count: 50)),
      Expected(body: "read 50, then 0")),
    Row("a body that is not read", Call("POST", "/unread", body: "unread"), Expected(body: "not read")),
    Row("any method reaches the app", Call("PROPFIND", "/echo", body: "?"), Expected(body: "PROPFIND 1 ?")),
  ]

  static let misuse: [Row] = [
    Row("CR LF in a value", Call("GET", "/crlf"), Expected(body: "result -3", [("x-evil", .absent)])),
    Row("LF in a value", Call("GET", "/lf"), Expected(body: "result -3", [("x-evil", .absent)])),
    Row("a name that is no token", Call("GET", "/bad-name"), Expected(body: "result -3")),
    Row("Connection", Call("GET", "/connection"), Expected(body: "result -3", [("connection", .absent)])),
    Row(
      "Transfer-Encoding", Call("GET", "/transfer-encoding"),
      Expected(body: "result -3", [("transfer-encoding", .absent)])),
    Row("a status that is none", Call("GET", "/bad-status"), Expected(body: "result -3")),
  ]

  static let plainForm: [Row] = [
    Row(
      "a reason phrase of the app", Call("GET", "/plain/reason"),
      Expected(299, reason: "Fine By Me", body: "reason")),
    Row(
      "a status without a phrase", Call("GET", "/plain/bare"),
      Expected(404, reason: "Not Found", body: "bare")),
    Row("no start_response", Call("GET", "/plain/no-start"), Expected(500, body: nil)),
    Row("CR LF in a header", Call("GET", "/plain/crlf"), Expected(body: "result -3", [("x-evil", .absent)])),
    Row(
      "CR LF in a status", Call("GET", "/plain/status-crlf"),
      Expected(body: "result -3", [("x-evil", .absent)])),
    Row("start_response twice", Call("GET", "/plain/twice"), Expected(body: "second")),
    Row("an empty body", Call("GET", "/plain/"), Expected(body: "", [("content-length", "0")])),
  ]
}
