import Testing

@testable import Config

/// Under a CGI front end, arguments may be the client's.
@Suite struct CGITests {
  private func run(_ arguments: [String], query: String = "", script: String = "/www/app.cgi") throws
    -> Settings
  {
    let environment = [
      "GATEWAY_INTERFACE": "CGI/1.1", "QUERY_STRING": query, "SCRIPT_FILENAME": script, "NSGI_APP": "own.so",
    ]
    return try served(try invoke(arguments, environment: environment))
  }

  @Test func itIsNoticed() throws {
    #expect(try run([]).isCGI)
    #expect(try run(["--cgi"]).isCGI)
    #expect(try !run(["--http", ":1"]).isCGI)
  }

  @Test func itIsAskedFor() throws {
    let settings = try served(try invoke(["--cgi", "--app", "a.so"]))
    #expect(settings.isCGI)
  }

  static let queries: [(String, [String])] = [
    ("--app+/tmp/evil.so", ["--app", "/tmp/evil.so"]),
    ("%2d%2dapp+%2Ftmp/evil.so", ["--app", "/tmp/evil.so"]),
    ("--http+:80", ["--http", ":80"]),
    ("--app+/tmp/a;b.so", ["--app", "/tmp/a\\;b.so"]),
    ("-L", ["-L"]),
    ("a+", ["a", ""]),
    ("-M+100%", ["-M", "100%"]),
  ]

  @Test(arguments: queries.indices) func theQueryIsNoOption(_ row: Int) throws {
    let (query, arguments) = Self.queries[row]
    for own in [[], ["--cgi"]] {
      let settings = try run(own + arguments, query: query)
      #expect(settings.apps.map(\.path) == ["own.so"] && settings.isCGI && settings.log.requests)
    }
  }

  @Test func aQueryThatCannotBeToldApartIsRefused() {
    #expect(throws: ConfigError.queryAsArguments) {
      try run(["--http", ":80", "--cgi"], query: "--http+:80")
    }
  }

  @Test func anOrdinaryQueryTakesNothingAway() throws {
    #expect(try !run(["-L"], query: "a=-L").log.requests)
    #expect(try !run(["-L"], query: "search").log.requests)
  }

  @Test func theScriptsOwnPathIsNoArgument() throws {
    #expect(try run(["/www/app.cgi"]).apps.count == 1)
    #expect(try run(["--app", "/x=/www/app.cgi", "/www/app.cgi"]).apps.count == 2)
    #expect(try run(["--logto", "/www/app.cgi"]).log.file == "/www/app.cgi")
    #expect(throws: ConfigError.unexpectedArgument("/www/other.cgi")) { try run(["/www/other.cgi"]) }
  }

  @Test func anInterpreterLineIsOneArgument() throws {
    let line = "--cgi --app /x=b.so\t-L"
    let settings = try run([line, "/www/app.cgi", "--app", "/y=evil.so"], query: "--app+/y=evil.so")
    #expect(settings.apps.map(\.path) == ["own.so", "b.so"] && !settings.log.requests)
    let byHand = try invoke(["--app b.so -L", "./app", "--http", ":1"])
    let handMade = try served(byHand)
    #expect(handMade.apps.count == 1 && handMade.listeners.count == 1)
  }

  @Test func aPathWithASpaceIsNoInterpreterLine() throws {
    let files = ["s.ini": "[server]\nhttp=:1"]
    let settings = try served(try invoke(["--app=/a b.so", "s.ini"], files: files))
    #expect(settings.apps[0].path == "/a b.so")
  }
}
