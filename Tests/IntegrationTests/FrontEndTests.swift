// The same app behind every web server and protocol, each with the configuration that docs/deploy offers.
import Support
import Testing

@Suite struct FrontEndTests {
  @Test("curl through the web server gets the greeting", arguments: Route.all)
  func greets(route: Route) throws {
    try route.run(app: Repository.app("hello_world_app")) { frontEnd, _ in
      for _ in 0..<3 {
        let reply = try Curl.get(frontEnd.url + route.prefix + "/")
        #expect(reply.status == 200)
        #expect(reply.text == "Hello World!\n")
      }
    }
  }

  @Test("HEAD has no content, and the connection serves on", arguments: Route.all)
  func answersHead(route: Route) throws {
    try route.run(app: Repository.app("hello_world_app")) { frontEnd, _ in
      let socket = try RawSocket(.tcp(host: "127.0.0.1", port: frontEnd.port))
      try socket.send("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
      #expect(try socket.receiveReply(toHead: true).status == 200)
      try socket.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      #expect(try socket.receiveReply().text == "Hello World!\n")
    }
  }

  @Test("the app gets the request as it was sent", arguments: Route.all)
  func environIsCorrect(route: Route) throws {
    try route.run(app: Repository.app("environ")) { frontEnd, _ in
      for row in EnvironTable.rows {
        let reply = try Curl.get(frontEnd.url + route.prefix + row.target, row.options)
        let report = try EnvironReport(reply)
        for (name, usual) in row.expected {
          let expected = EnvironTable.exception(route, row, name)?.value ?? usual
          #expect(
            expected.matches(report[name], port: frontEnd.port),
            "\(route.file): \(row.name): \(name) is \(report[name] ?? "absent"), not \(expected)")
        }
        // RFC 3875 §4.1.14, §3.3: whatever is behind it.
        #expect(report["SERVER_NAME"]?.contains(":") == false, "\(route.file)")
        #expect(report["SCRIPT_NAME"]?.hasSuffix("/") == false, "\(route.file)")
      }
    }
  }

  @Test("who the client is, a proxy may say only when it is trusted", arguments: Route.overHTTP)
  func trustedProxy(route: Route) throws {
    let claim = ["-H", "X-Forwarded-For: 203.0.113.9", "-H", "X-Forwarded-Proto: https"]
    try route.run(app: Repository.app("environ")) { frontEnd, _ in
      let report = try EnvironReport(Curl.get(frontEnd.url + "/", claim))
      #expect(report["REMOTE_ADDR"] != "203.0.113.9", "\(route.file)")
    }
    var trusting = route
    trusting.options += ["--trusted-proxy", "unix", "--trusted-proxy", "127.0.0.1"]
    try trusting.run(app: Repository.app("environ")) { frontEnd, _ in
      // The client claims to be a proxy itself; it is trusted as well, so that its word counts.
      let claimed = try EnvironReport(Curl.get(frontEnd.url + "/", claim))
      #expect(claimed["REMOTE_ADDR"] == "203.0.113.9", "\(route.file)")
      let plain = try EnvironReport(Curl.get(frontEnd.url + "/"))
      #expect(plain["REMOTE_ADDR"] == "127.0.0.1", "\(route.file)")
    }
  }
}
