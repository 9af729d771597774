import Testing

@testable import Config

/// Rules, fields and pages of errors: what is meant, and what is refused.
@Suite struct RuleOptionTests {
  private func rules(_ words: String...) throws -> RuleSettings {
    try served(try invoke(["--app", "a.so", "--http", ":1"] + words)).rules
  }

  static let subjects: [(String, RuleSubject)] = [
    ("route", .path), ("route-host", .host), ("route-uri", .uri), ("route-qs", .query),
    ("route-remote-addr", .remoteAddress), ("route-remote-user", .remoteUser), ("route-referer", .referer),
    ("route-user-agent", .userAgent),
  ]

  /// All options that the tests here give.
  static let names =
    ["", "response-"].flatMap { start -> [String] in
      subjects.map { start + $0.0 }
        + ["route-if", "route-if-not", "route-run", "route-label"].map { start + $0 }
    } + ["response-route-status", "add-header", "del-header", "rem-header", "error-page"]

  @Test("a rule looks at a part of the request", arguments: subjects.indices) func parts(_ row: Int) throws {
    let (option, subject) = Self.subjects[row]
    let rule = try #require(try rules("--\(option)", "^a(.) redirect:/b/$1").rules.first)
    #expect(rule.condition == .matches(subject, try Pattern("^a(.)")))
    #expect(rule.action == .redirect(302, RuleText([.literal(Array("/b/".utf8)), .group(1)])))
    let other = try rules("--response-\(option)", "^a(.) addheader:X-A: $1")
    #expect(other.rules.isEmpty && other.answerRules.first?.condition == rule.condition)
    #expect(other.answerRules.map(\.action) == [.addField(name: "X-A", RuleText([.group(1)]))])
  }

  @Test("rules about answers stand beside those about requests") func answers() throws {
    let rules = try rules(
      "--response-route-status", "404 addheader:X-A: ${uwsgi[status]}", "--route-run", "last:",
      "--response-route-if", "equal:a;b goto:end", "--response-route-if-not", "empty:a donotlog:",
      "--response-route-run", "delheader:X-B", "--response-route-label", "end", "--response-route-run",
      "log:a")
    #expect(rules.rules.map(\.action) == [.end])
    #expect(
      rules.answerRules.map(\.action) == [
        .addField(name: "X-A", RuleText([.status])), .jump("end"), .silence, .removeField("X-B"),
        .label("end"), .log(try Self.text("a")),
      ])
    #expect(rules.answerRules.first?.condition == .status(404) && !rules.isEmpty)
  }

  private static func text(_ text: String) throws -> RuleText { try RuleText(parsing: text, groups: -1) }

  static let actions: [(String, @Sendable () throws -> RuleAction)] = [
    ("redirect-302:/a", { .redirect(302, try text("/a")) }),
    ("redirect-permanent:/a", { .redirect(301, try text("/a")) }),
    ("redirect-301:/a:b", { .redirect(301, try text("/a:b")) }), ("return:404", { .answer(404) }),
    ("break:403 Forbidden", { .answer(403) }), ("break-with-status:500", { .answer(500) }),
    ("basicauth:Staff,/p:q", { .authenticate(realm: "Staff", .file("/p:q"), goesOn: false) }),
    ("basicauth:Staff,p", { .authenticate(realm: "Staff", .file("p"), goesOn: false) }),
    ("basicauth:S T,", { .authenticate(realm: "S T", .nobody, goesOn: false) }),
    (
      "basicauth-next:S,a:b:c",
      { .authenticate(realm: "S", .one(user: "a", password: "b:c"), goesOn: true) }
    ),
    ("addheader:X-A: b ${HTTP_HOST}", { .addField(name: "X-A", try text("b ${HTTP_HOST}")) }),
    ("delheader:X-A", { .removeField("X-A") }), ("remheader:X-A", { .removeField("X-A") }),
    ("addvar:A=b=c", { .addVariable(name: "A", try text("b=c")) }),
    ("addvar:HTTPS=on", { .setScheme("https") }), ("addvar:UWSGI_SCHEME=http", { .setScheme("http") }),
    ("setscheme:https", { .setScheme("https") }),
    ("rewrite:/a?b", { .rewrite(try text("/a?b"), isLast: false) }),
    ("rewrite-last:/a", { .rewrite(try text("/a"), isLast: true) }), ("log:a", { .log(try text("a")) }),
    ("donotlog:", { .silence }), ("last:", { .end }), ("continue:", { .end }),
    ("static:/srv/f.html", { .file(directory: "/srv/f.html", RuleText([]), goesOn: false) }),
    (
      "static:/srv/x-${QUERY_STRING}.html",
      {
        .file(
          directory: "/srv",
          RuleText([
            .literal(Array("x-".utf8)), .variable(Array("QUERY_STRING".utf8)), .literal(Array(".html".utf8)),
          ]), goesOn: false)
      }
    ),
  ]

  @Test("each action says one thing", arguments: actions.indices) func eachAction(_ row: Int) throws {
    let (text, wanted) = Self.actions[row]
    #expect(try rules("--route-run", text).rules.map(\.action) == [try wanted()])
  }

  static let tests: [(String, @Sendable () throws -> RuleTest)] = [
    ("equal:${HTTPS};on", { .compares(try text("${HTTPS}"), .equal, try text("on")) }),
    ("==:a;b", { .compares(try text("a"), .equal, try text("b")) }),
    ("startswith:a;b;c", { .compares(try text("a"), .startsWith, try text("b;c")) }),
    ("endswith:a;b", { .compares(try text("a"), .endsWith, try text("b")) }),
    ("contain:a;b", { .compares(try text("a"), .contains, try text("b")) }),
    ("ishigher:a;7", { .compares(try text("a"), .higher, try text("7")) }),
    (">=:a;7", { .compares(try text("a"), .higherOrEqual, try text("7")) }),
    ("islower:a;7", { .compares(try text("a"), .lower, try text("7")) }),
    ("<=:a;7", { .compares(try text("a"), .lowerOrEqual, try text("7")) }),
    ("regexp:a;b;c+", { .matches(try text("a"), try Pattern("b;c+")) }),
    ("empty:${cookie[a]}", { .isEmpty(RuleText([.cookie(Array("a".utf8))])) }),
    ("exists:/a", { .leads(try text("/a"), .anything) }), ("isfile:/a", { .leads(try text("/a"), .file) }),
    ("isdir:${qs[d]}", { .leads(RuleText([.parameter(Array("d".utf8))]), .directory) }),
    // Bits beyond the prefix are passed over.
    ("ipv4in:a;10.1.2.3/8", { .within(try text("a"), try TrustedProxy(parsing: "10.0.0.0/8")) }),
    ("ipv6in:a;fd00::/8", { .within(try text("a"), try TrustedProxy(parsing: "fd00::/8")) }),
  ]

  @Test("each test asks one thing", arguments: tests.indices) func eachTest(_ row: Int) throws {
    let (text, wanted) = Self.tests[row]
    for isNegated in [false, true] {
      let rule = try rules(isNegated ? "--route-if-not" : "--route-if", "\(text) last:").rules.first
      #expect(rule?.condition == .test(try wanted(), isNegated: isNegated), "\(text)")
    }
  }

  @Test("fields, pages and labels") func others() throws {
    let rules = try rules(
      "--add-header", "X-A:  b: c ", "--del-header", "Server", "--rem-header", "X-B", "--error-page",
      "502=/a=b", "--error-page", "4xx=/c", "--route-run", "goto:end", "--route-label", "end")
    #expect(rules.addedFields == [AnswerField(name: "X-A", value: "b: c")])
    #expect(rules.removedFields == ["Server", "X-B"])
    #expect(
      rules.errorPages == [
        ErrorPage(statuses: 502...502, path: "/a=b"), ErrorPage(statuses: 400...499, path: "/c"),
      ])
    #expect(rules.rules.map(\.action) == [.jump("end"), .label("end")])
  }

  @Test(
    "what cannot be meant is refused, by its name",
    arguments: [
      ["--route", "^/a", "no condition and action"], ["--route", "^/a redirect", "names no action"],
      ["--route", "(  last:", "regular expression"],
      ["--route", "^/a uwsgi:/s,0,0", "\"uwsgi\" is not an action"],
      ["--route-run", "setmethod:GET", "\"setmethod\""], ["--route-run", "cache:key=x", "\"cache\""],
      ["--route", "^/a redirect:/$1", "has $1"], ["--route-run", "log:${x", "${ without }"],
      ["--route-run", "log:${uwsgi[lq]}", "uwsgi[lq]"], ["--route-run", "break:", "no status"],
      ["--route-run", "return:42", "no status"], ["--route-run", "basicauth:Staff", "no realm"],
      ["--route-run", "basicauth:S\"x,f", "no realm"], ["--route-run", "addheader:A", "not a field"],
      ["--route-run", "addheader:Content-Length: 4", "the server answers for"],
      ["--route-run", "addvar:PATH_INFO=/x", "itself answers for"],
      ["--route-run", "addvar:x", "name and value"],
      ["--route-run", "setscheme:ftp", "choose one of"], ["--route-run", "static:$1", "has $1"],
      ["--route-run", "static:${PATH_INFO}", "no directory"],
      ["--route-run", "static:/${PATH_INFO}", "no directory"],
      ["--route-run", "static:f.html", "no directory"], ["--route-if", "lord:x last:", "\"lord\""],
      ["--route-if", "equal:x last:", "compares nothing"],
      ["--route-if", "last:", "no condition and action"],
      ["--route-if", "ipv4in:a;unix last:", "network"], ["--add-header", "A", "not a field"],
      ["--add-header", "A B: c", "not the name"], ["--add-header", "A: b\r\nC: d", "control character"],
      ["--add-header", "Connection: close", "the server answers for"],
      ["--del-header", "Transfer-Encoding", "server"],
      ["--error-page", "200=/a", "no status"], ["--error-page", "502=", "no status"],
      ["--route-run", "goto:nowhere", "no `route-label nowhere`"],
      ["--response-route-run", "goto:nowhere", "no `response-route-label nowhere`"],
      ["--response-route", "^/a redirect:/b", "\"redirect\" is not an action that rules about answers"],
      ["--response-route-run", "break:403", "\"break\" is not"],
      ["--response-route-run", "basicauth:S,/f", "not an action that rules about answers"],
      ["--response-route-run", "addvar:A=b", "\"addvar\" is not"],
      ["--response-route-run", "gzip:", "\"gzip\" is not"],
      ["--response-route-status", "404", "no condition and action"],
      ["--response-route-status", "4xx last:", "\"4xx\" is not a status"],
      ["--response-route-status", "600 last:", "\"600\" is not a status"],
    ])
  func refused(words: [String]) {
    #expect {
      try invoke(["--app", "a.so", "--http", ":1"] + words.prefix(2))
    } throws: { "\($0)".contains(words[2]) }
  }

  @Test("a jump leads forward alone") func jumps() {
    #expect(throws: ConfigError.jumpToNowhere(label: "a", option: "route-label")) {
      try invoke(["--app", "a.so", "--http", ":1", "--route-label", "a", "--route-run", "goto:a"])
    }
  }

  @Test("in uWSGI's words as there") func foreign() throws {
    let settings = try UWSGIFileTests.read(
      """
      plugins = router_redirect,router_basicauth
      route = ^/old/(.*) redirect:/new/$1
      route-if = equal:${REQUEST_SCHEME};http break:403 Forbidden
      add-header = Connection: Keep-Alive
      add-header = X-A: b
      pull-header = X-Kept VARIABLE
      collect-header = X-Seen OTHER
      error-page-404 = /e.html
      response-route-status = 404 addheader:X-Found: no

      """)
    #expect(
      settings.rules.rules.map(\.action) == [
        .redirect(302, RuleText([.literal(Array("/new/".utf8)), .group(1)])), .answer(403),
      ])
    #expect(settings.rules.addedFields == [AnswerField(name: "X-A", value: "b")])
    #expect(settings.rules.removedFields == ["X-Kept"])
    #expect(settings.rules.answerRules.map(\.condition) == [.status(404)])
    #expect(settings.rules.errorPages == [ErrorPage(statuses: 404...404, path: "/e.html")])
    #expect(UWSGIFileTests.said("route = ^/ rpc:f").contains { $0.contains("\"rpc\" is not an action") })
  }
}
