// The front doors of the server: one client each, written against the protocol and not against the server.
import Foundation
import Support

/// A request, before any protocol has it.
struct Call: Sendable {
  var method = "GET"
  /// Path and query, encoded as in a URL.
  var target: String
  var fields: [(name: String, value: String)] = []
  var body: [UInt8] = []

  init(_ method: String, _ target: String, _ fields: [(String, String)] = [], body: String = "") {
    self.method = method
    self.target = target
    self.fields = fields.map { (name: $0.0, value: $0.1) }
    self.body = Array(body.utf8)
  }

  /// The meta-variables that a front end would make of it (RFC 3875 §4.1).
  var variables: [(name: String, value: String)] {
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    var list = [
      (name: "REQUEST_METHOD", value: method), ("REQUEST_URI", target), ("SCRIPT_NAME", ""),
      ("PATH_INFO", parts[0].removingPercentEncoding ?? ""),
      ("QUERY_STRING", parts.count > 1 ? "\(parts[1])" : ""),
      ("SERVER_PROTOCOL", "HTTP/1.1"), ("SERVER_NAME", "localhost"), ("SERVER_PORT", "80"),
      ("REMOTE_ADDR", "192.0.2.1"), ("HTTP_HOST", "localhost"),
    ]
    for field in fields {
      let name = field.name.uppercased().replacingOccurrences(of: "-", with: "_")
      list.append((name == "CONTENT_TYPE" ? name : "HTTP_\(name)", field.value))
    }
    return list
  }
}

/// A front door.
enum Door: String, Sendable, CaseIterable {
  case http, scgi, uwsgi, fastcgi, cgi

  /// The option that opens it; CGI has a process of its own.
  var options: [String] { self == .cgi ? [] : ["--\(rawValue)-socket", "127.0.0.1:0"] }

  /// The response to `call`; a connection that is reset or cut gives one that is not complete.
  func reply(to call: Call, _ server: ServerProcess, apps: [String]) throws -> Reply {
    let toHead = call.method == "HEAD"
    let sized = call.variables + [(name: "CONTENT_LENGTH", value: "\(call.body.count)")]
    switch self {
    case .http: return try Self.reply(to: call, on: server.connect())
    case .scgi:
      var request = SCGIRequest()
      request.variables = call.variables
      request.body = call.body
      return try reply(exchange(request.bytes, server), toHead: toHead)
    case .uwsgi:
      let request = UWSGIClientRequest(variables: sized, body: call.body)
      return try reply(exchange(request.bytes, server), toHead: toHead)
    case .fastcgi:
      let (bytes, isReset) = try exchange(
        FastCGIClientRequest(params: sized, body: call.body).bytes, server)
      var rest = bytes[...]
      // Without END_REQUEST it is cut: what came of it is its STDOUT.
      if let answer = try? FastCGIReply(&rest) {
        return try reply((answer.stdout, isReset), toHead: toHead)
      }
      rest = bytes[...]
      var stdout: [UInt8] = []
      while let record = try? FastCGIReplyRecord(&rest) { if record.type == 6 { stdout += record.content } }
      return try reply((stdout, true), toHead: toHead)
    case .cgi: return try overCGI(call, apps: apps)
    }
  }

  private func reply(_ answer: (bytes: [UInt8], isReset: Bool), toHead: Bool) throws -> Reply {
    var reply = try Reply(gateway: answer.bytes, toHead: toHead)
    if answer.isReset { reply.isComplete = false }
    return reply
  }

  /// Sends all, receives all; whether it ended with a reset.
  private func exchange(
    _ bytes: [UInt8], _ server: ServerProcess
  ) throws -> (bytes: [UInt8], isReset: Bool) {
    let socket = try server.connect(rawValue)
    try socket.send(bytes)
    return try socket.receiveToItsEnd()
  }

  /// The response over HTTP/1.1 on a connection that is made for it.
  static func reply(to call: Call, on socket: RawSocket) throws -> Reply {
    var request = HTTP1Request()
    request.method = call.method
    request.target = call.target
    request.fields = [("Host", "localhost")] + call.fields
    request.body = call.body
    try socket.send(request.bytes)
    let reply = try socket.receiveReply(toHead: call.method == "HEAD")
    if reply.isComplete, reply["connection"] != "close" {
      // Nothing may be left over: the next answer on the connection is that of the next request.
      try socket.send("GET /ok HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      let next = try socket.receiveLastReply()
      guard next.text == "ok" else { throw SupportError.malformedReply("the next one was \(next)") }
    }
    return reply
  }

  private func overCGI(_ call: Call, apps: [String]) throws -> Reply {
    let folder = try TemporaryFolder()
    let body = folder.file("body")
    try Data(call.body).write(to: URL(fileURLWithPath: body))
    var environment = ["GATEWAY_INTERFACE": "CGI/1.1", "CONTENT_LENGTH": "\(call.body.count)"]
    for variable in call.variables {
      let earlier = environment[variable.name].map { $0 + ", " } ?? ""
      environment[variable.name] = earlier + variable.value
    }
    let words = apps.map { "--app '\($0)'" }.joined(separator: " ")
    let command = "exec '\(Repository.server)' --cgi \(words) <'\(body)' >'\(folder.file("out"))'"
    _ = try ChildProcess.run("/bin/sh", ["-c", command], environment: environment)
    let output = FileManager.default.contents(atPath: folder.file("out")) ?? Data()
    return try Reply(gateway: Array(output), toHead: call.method == "HEAD")
  }
}
