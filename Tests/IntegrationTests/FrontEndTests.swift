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
      }
    }
  }
}
