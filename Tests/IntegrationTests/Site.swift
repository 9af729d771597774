// A site of files and an application, for tests of what the server does beside applications.
import Foundation
import Support
import Testing

/// A folder of files, a server that serves them, and questions to it.
struct Site {
  let folder: TemporaryFolder
  let server: ServerProcess

  /// `options` may speak of the folder as `SITE`.
  init(
    _ options: [String], gateways: [String] = ["http"], process: [String] = ["--no-master"],
    app: String? = nil, prepare: (TemporaryFolder) throws -> Void = { _ in }
  ) throws {
    let folder = try TemporaryFolder()
    let root = try folder.folder("www")
    try folder.folder("www/sub")
    try folder.folder("www/bare")
    for (text, name) in [
      ("body { color: red }\n", "a.css"), ("0123456789", "ten.txt"), ("index", "sub/index.html"),
      ("", "empty.txt"),
      ("secret", "../secret.txt"), ("<?php", "x.php"),
      (String(repeating: "0123456789", count: 30_000), "large.bin"),
    ] {
      try folder.write(text, to: "www/" + name)
    }
    // Files that have just been written are not kept in memory.
    for file in ["a.css", "ten.txt", "sub/index.html"] { try Self.age(root + "/" + file) }
    try prepare(folder)
    self.folder = folder
    let sockets = gateways.flatMap { ["--\($0)-socket", "127.0.0.1:0"] }
    let words = options.map { $0.replacingOccurrences(of: "SITE", with: folder.path) }
    server = try ServerProcess(
      app: try app ?? FixtureApp.path("file_parts"), process + sockets + words)
  }

  static func age(_ path: String) throws {
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 1_700_000_000)], ofItemAtPath: path)
  }

  func ask(
    _ target: String, _ fields: [(String, String)] = [], method: String = "GET", over gateway: String = "http"
  ) throws -> Reply {
    let socket = try server.connect(gateway)
    if gateway == "http" {
      let lines = fields.map { "\($0.0): \($0.1)\r\n" }.joined()
      let length = method == "POST" ? "Content-Length: 2\r\n" : ""
      let end = "Connection: close\r\n\(length)\r\n" + (method == "POST" ? "ab" : "")
      try socket.send("\(method) \(target) HTTP/1.1\r\nHost: x\r\n\(lines)\(end)")
      return try socket.receiveReply(toHead: method == "HEAD")
    }
    var extra = ["REQUEST_METHOD": method]
    for (name, value) in fields {
      extra["HTTP_" + name.uppercased().replacingOccurrences(of: "-", with: "_")] = value
    }
    extra["PATH_INFO"] = target.split(separator: "?")[0].removingPercentEncoding
    try socket.send(GatewayRequest.bytes(gateway, target, extra: extra))
    let bytes = try socket.receiveToItsEnd().bytes
    if gateway == "fastcgi" {
      var rest = bytes[...]
      return try Reply(gateway: FastCGIReply(&rest).stdout, toHead: method == "HEAD")
    }
    return try Reply(gateway: bytes, toHead: method == "HEAD")
  }

  func stop() throws { #expect(try server.stop() == .status(0), "\(server.process.output)") }
}

/// Stops a server, which has to end well.
func stop(_ door: Doorway) throws {
  #expect(try door.server.stop() == .status(0), "\(door.server.process.output)")
}
