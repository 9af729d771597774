// Passwords whose hashes take long: they are looked at beside the loop, and nobody else waits for them.
import Foundation
import Support
import Testing

@Suite struct PasswordTests {
  /// A hash of "open sesame" that takes some hundredths of a second, made by crypt(3) of libxcrypt.
  private static func writeAccounts(_ folder: TemporaryFolder) throws {
    let setting = "$2y$10$abcdefghijklmnopqrstuu"
    let made = try ChildProcess.run("/usr/bin/perl", ["-e", "print crypt('open sesame', '\(setting)')"])
    try folder.write("ann:\(made.output)\n", to: "accounts")
  }

  private static func site() throws -> Site {
    try Site(
      ["--route", "^/staff basicauth:Staff,SITE/accounts"], app: Repository.app("echo"),
      prepare: writeAccounts)
  }

  private static func field(_ password: String) -> String {
    "Authorization: Basic \(Data("ann:\(password)".utf8).base64EncodedString())\r\n"
  }

  private static func head(_ path: String, _ password: String?, _ lines: String = "") -> String {
    "POST \(path) HTTP/1.1\r\nHost: x\r\n\(password.map(field) ?? "")\(lines)\r\n"
  }

  @Test("who asks for something else is served before thirty wrong passwords are looked at")
  func others() throws {
    let site = try Self.site()
    let wrong = try (0..<30).map { index in
      let socket = try site.server.connect("http")
      try socket.send(Self.head("/staff", "wrong \(index)", "Content-Length: 0\r\n"))
      return socket
    }
    let other = try site.server.connect("http")
    try other.send(Self.head("/x", nil, "Content-Length: 2\r\n") + "hi")
    #expect(try other.receiveReply().text.hasSuffix("\nhi"))
    #expect(!wrong[29].hasInput, "thirty passwords were looked at before another request")
    for socket in wrong { #expect(try socket.receiveReply().status == 401) }
    try site.stop()
  }

  @Test("a request goes on behind its head as it came: pieces, pipelines and a chunked body")
  func bodies() throws {
    let site = try Self.site()
    for _ in 0..<2 {
      let socket = try site.server.connect("http")
      try socket.send(Self.head("/staff", "open sesame", "Content-Length: 6\r\n") + "abc")
      let chunked = Self.head("/x", nil, "Transfer-Encoding: chunked\r\n") + "3\r\nghi\r\n0\r\n\r\n"
      try socket.send("def" + chunked)
      try socket.send(Self.head("/staff", "wrong", "Content-Length: 2\r\n") + "no")
      try socket.send(Self.head("/staff", "open sesame", "Content-Length: 2\r\n") + "yes".dropLast())
      #expect(try socket.receiveReply().text.hasSuffix("\nabcdef"))
      #expect(try socket.receiveReply().text.hasSuffix("\nghi"))
      #expect(try socket.receiveReply().status == 401)
      #expect(try socket.receiveReply().text.hasSuffix("\nye"))
    }
    // The body comes long after the password was right.
    let late = try site.server.connect("http")
    try late.send(Self.head("/staff", "open sesame", "Content-Length: 100000\r\nExpect: 100-continue\r\n"))
    #expect(try late.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100"))
    try late.send(String(repeating: "x", count: 100_000))
    #expect(try late.receiveReply().body.count > 100_000)
    try site.stop()
  }

  @Test("clients that leave meanwhile, or send their end, upset nobody", arguments: [false, true])
  func leaving(byReset: Bool) throws {
    let site = try Self.site()
    for index in 0..<12 {
      let socket = try site.server.connect("http")
      try socket.send(Self.head("/staff", "wrong \(index)", "Content-Length: 10\r\n") + "abc")
      if byReset { socket.resetOnClose() }
      socket.close()
    }
    let halfClosed = try site.server.connect("http")
    try halfClosed.send(Self.head("/staff", "open sesame", "Content-Length: 2\r\n") + "hi")
    halfClosed.endSending()
    #expect(try halfClosed.receiveReply().text.hasSuffix("\nhi"))
    try site.stop()
  }

  @Test("more passwords than may wait are told so, and known ones never wait")
  func bound() throws {
    let site = try Self.site()
    let known = try site.server.connect("http")
    try known.send(Self.head("/staff", "open sesame", "Content-Length: 2\r\n") + "hi")
    #expect(try known.receiveReply().text.hasSuffix("\nhi"))
    let wrong = try (0..<100).map { index in
      let socket = try site.server.connect("http")
      try socket.send(Self.head("/staff", "wrong \(index)", "Content-Length: 0\r\n"))
      return socket
    }
    try known.send(Self.head("/staff", "open sesame", "Content-Length: 2\r\n") + "ho")
    #expect(try known.receiveReply().text.hasSuffix("\nho"))
    #expect(!wrong[60].hasInput, "a known password waited for those that are not")
    var statuses: [Int: Int] = [:]
    for socket in wrong { statuses[try socket.receiveReply(Deadline(seconds: 60)).status, default: 0] += 1 }
    #expect(statuses[503, default: 0] > 0 && statuses[401, default: 0] >= 64, "\(statuses)")
    #expect(statuses[503, default: 0] + statuses[401, default: 0] == 100, "\(statuses)")
    try site.stop()
  }

  @Test("a server that stops answers those whose passwords are looked at")
  func stop() throws {
    let site = try Self.site()
    let sockets = try (0..<6).map { index in
      let socket = try site.server.connect("http")
      let password = index % 2 == 0 ? "open sesame" : "wrong"
      try socket.send(Self.head("/staff", password, "Content-Length: 2\r\n") + "hi")
      return socket
    }
    // The first answer says that all have been accepted.
    let first = try sockets[0].receiveReply()
    #expect(first.text.hasSuffix("\nhi"))
    site.server.process.send(SIGTERM)
    for (index, socket) in sockets.enumerated().dropFirst() {
      #expect(try socket.receiveReply().status == (index % 2 == 0 ? 200 : 401))
    }
    #expect(try site.server.process.wait() == .status(0))
  }

  private static let hashes = ["$2y$10$", "$2y$05$"].map { $0 + String(repeating: "a", count: 53) }

  @Test(
    "an account that stands in a file twice ends the start with the lines",
    arguments: [[], ["--no-master"]])
  func twice(process: [String]) throws {
    let folder = try TemporaryFolder()
    let lines = ["wxyz", "bob", "wxyz"].map { "\($0):\(Self.hashes[0])\n" }
    try folder.write(lines.joined(), to: "accounts")
    let (exit, output) = try ChildProcess.run(
      Repository.server,
      [
        "--app", Repository.app("echo"), "--http-socket", "127.0.0.1:0", "--route",
        "^/ basicauth:Staff,\(folder.file("accounts"))",
      ] + process)
    #expect(exit != .status(0) && output.contains("line 3 of "), "\(output)")
    #expect(output.contains("is for the same account as line 1") && !output.contains("wxyz"), "\(output)")
  }

  @Test(
    "hashes that take different times are said at the start; those that do not are not", arguments: [0, 1])
  func costs(second: Int) throws {
    let site = try Site(
      ["--route", "^/staff basicauth:Staff,SITE/accounts"], app: Repository.app("echo"),
      prepare: { folder in
        try folder.write("ann:\(Self.hashes[0])\nbob:\(Self.hashes[second])\n", to: "accounts")
      })
    try site.stop()
    #expect(site.server.process.output.contains("take different times") == (second == 1))
  }
}
