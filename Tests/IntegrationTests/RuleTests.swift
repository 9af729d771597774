// Rules about requests and answers, over every protocol: what they answer, what they give applications, and
// what nobody can do with them.
import Foundation
import Support
import Testing

@Suite struct RuleTests {
  private static let environ = Repository.app("environ")
  private static let gateways = GatewayRequest.gateways

  /// The variables that the application got.
  private func variables(
    _ site: Site, _ target: String, _ fields: [(String, String)] = [], over gateway: String = "http"
  ) throws -> EnvironReport { try EnvironReport(try site.ask(target, fields, over: gateway)) }

  @Test("rules answer, in their order", arguments: gateways) func answers(gateway: String) throws {
    let site = try Site(
      [
        "--route", "^/old/(.*)$ redirect:/new/$1", "--route",
        "^/moved$ redirect-permanent:http://x/?${QUERY_STRING}",
        "--route-uri", "^/raw/(.*) redirect:/r/$1", "--route", "^/gone return:410", "--route",
        "^/no break:403 Forbidden", "--route", "^/file/(.+) static:SITE/www/$1", "--route",
        "^/maybe/(.+) static-next:SITE/www/$1", "--route", "^/maybe/ return:418", "--route-qs",
        "^teapot$ return:451",
        "--route-if", "exists:SITE/closed return:503", "--route-user-agent", "(?i)badbot return:429",
        "--route-if", "equal:${cookie[a]};b return:402", "--route-if", "ishigher:${qs[n]};10 return:413",
        "--route-if", "regexp:${HTTP_X_ID};^(\\d+)-(\\d+)$ redirect:/id/$2/$1", "--route-run", "goto:end",
        "--route-run", "return:500", "--route-label", "end",
      ], gateways: [gateway], app: Self.environ)
    for (target, fields, status, location) in [
      ("/old/a%20b%3fc", [], 302, "/new/a%20b%3Fc"), ("/moved?a=b", [], 301, "http://x/?a=b"),
      ("/raw/a%20b?c", [], 302, "/r/a%20b?c"), ("/gone", [], 410, nil), ("/no", [], 403, nil),
      ("/file/ten.txt", [], 200, nil), ("/file/none", [], 404, nil), ("/maybe/ten.txt", [], 200, nil),
      ("/maybe/none", [], 418, nil), ("/?teapot", [], 451, nil),
      ("/", [("User-Agent", "A BadBot/1")], 429, nil),
      ("/", [("Cookie", "x=y; a=b")], 402, nil), ("/", [("Cookie", "xa=b")], 200, nil),
      ("/?n=11", [], 413, nil), ("/?n=9", [], 200, nil), ("/", [("X-Id", "12-34")], 302, "/id/34/12"),
      ("/other", [], 200, nil),
    ] as [(String, [(String, String)], Int, String?)] {
      let reply = try site.ask(target, fields, over: gateway)
      #expect(reply.status == status && reply["Location"] == location, "\(target) \(fields): \(reply)")
    }
    let part = try site.ask("/file/ten.txt", [("Range", "bytes=2-4")], over: gateway)
    #expect(part.status == 206 && part.text == "234")
    #expect(try site.ask("/file/ten.txt", method: "POST", over: gateway).status == 405)
    try site.folder.write("", to: "closed")
    #expect(try site.ask("/other", over: gateway).status == 503)
    try site.stop()
  }

  @Test("rules give applications variables, schemes and paths", arguments: gateways)
  func variables(gateway: String) throws {
    let site = try Site(
      [
        "--route-run", "addvar:GREETING=hello ${PATH_INFO}", "--route", "^/secure setscheme:https",
        "--route-if", "equal:${HTTPS};on addvar:SEEN=yes", "--route", "^/was/(.*)$ rewrite:/is/$1?a=1",
        "--route", "^/is addvar:PATH_SEEN=${PATH_INFO}", "--route", "^/stop last:", "--route-run",
        "addvar:LAST=no",
        "--route-remote-addr", "^(127\\.0\\.0\\.1|192\\.0\\.2\\.1)$ addvar:NEAR=$1",
        "--route-if", "ipv4in:${REMOTE_ADDR};10.0.0.0/8 addvar:NEAR=ten",
      ], gateways: [gateway], app: Self.environ)
    let plain = try variables(site, "/x", over: gateway)
    #expect(plain["GREETING"] == "hello /x" && plain["HTTPS"] == nil && plain["SEEN"] == nil)
    #expect(plain["LAST"] == "no" && plain["NEAR"] == (gateway == "http" ? "127.0.0.1" : "192.0.2.1"))
    let secure = try variables(site, "/secure", over: gateway)
    #expect(secure["HTTPS"] == "on" && secure["REQUEST_SCHEME"] == "https" && secure["SEEN"] == "yes")
    let other = try variables(site, "/was/a%2520b%3f?b=2", over: gateway)
    #expect(other["PATH_INFO"] == "/is/a%20b?" && other["QUERY_STRING"] == "a=1&b=2", "\(other.variables)")
    #expect(other["PATH_SEEN"] == "/is/a%20b?")
    #expect(try variables(site, "/stop", over: gateway)["LAST"] == nil)
    try site.stop()
  }

  @Test("fields and pages, on whatever answers", arguments: gateways) func fields(gateway: String) throws {
    let site = try Site(
      [
        "--add-header", "X-Frame-Options: DENY", "--del-header", "etag", "--del-header", "Server",
        "--static-map",
        "/s=SITE/www", "--error-page", "4xx=SITE/e.html", "--error-page", "410=SITE/gone.json", "--route",
        "^/app addheader:X-Path: ${PATH_INFO}", "--route", "^/app delheader:Content-Type", "--route",
        "^/gone return:410", "--route", "^/teapot return:418", "--response-route-status",
        "418 addheader:X-Status: ${uwsgi[status]}", "--response-route", "^/app/(.*)$ addheader:X-Rest: <$1>",
        "--response-route-run", "delheader:accept-ranges", "--response-route-if",
        "startswith:${PATH_INFO};/gone goto:end", "--response-route-run", "addheader:X-There: yes",
        "--response-route-label", "end", "--response-route-run", "log:${uwsgi[status]} for ${PATH_INFO}",
      ], gateways: [gateway], app: Self.environ
    ) { folder in
      try folder.write("<p>no</p>", to: "e.html")
      try folder.write("{}", to: "gone.json")
    }
    let app = try site.ask("/app/x", over: gateway)
    #expect(app["X-Frame-Options"] == "DENY" && app["X-Path"] == "/app/x" && app["Content-Type"] == nil)
    #expect(app["Server"] == nil)
    let file = try site.ask("/s/ten.txt", over: gateway)
    #expect(file["X-Frame-Options"] == "DENY" && file["ETag"] == nil && file["X-Path"] == nil)
    let gone = try site.ask("/gone", over: gateway)
    #expect(
      gone.status == 410 && gone.text == "{}" && gone["Content-Type"]?.hasPrefix("application/json") == true)
    let teapot = try site.ask("/teapot", over: gateway)
    #expect(teapot.status == 418 && teapot.text == "<p>no</p>" && teapot["X-Frame-Options"] == "DENY")
    #expect(teapot["Content-Type"] == "text/html; charset=utf-8" && teapot["Content-Length"] == "9")
    let head = try site.ask("/gone", method: "HEAD", over: gateway)
    #expect(head.status == 410 && head.body.isEmpty)
    // Rules about answers see what all of them have come to.
    #expect(app["X-Rest"] == "<x>" && app["X-There"] == "yes" && app["X-Status"] == nil)
    #expect(file["Accept-Ranges"] == nil && file["X-There"] == "yes" && file["X-Rest"] == nil)
    #expect(teapot["X-Status"] == "418" && gone["X-There"] == nil && head["X-There"] == nil)
    try site.stop()
    let output = site.server.process.output
    for line in ["200 for /app/x", "200 for /s/ten.txt", "410 for /gone", "418 for /teapot"] {
      #expect(output.contains(line), "\(line): \(output)")
    }
  }

  @Test("no request ends a line of an answer, nor of the log", arguments: gateways)
  func injection(gateway: String) throws {
    let site = try Site(
      [
        "--route-run", "addheader:X-Path: ${PATH_INFO}", "--route", "^/go/((?:.|\\n)*) redirect:/to/$1",
        "--route",
        "^/at(/.*)$ redirect:$1", "--route", "^/log log:${PATH_INFO} ${qs[a]}", "--route",
        "^/q redirect:/x?${qs[a]}", "--route", "^/any redirect:${qs[a]}", "--route",
        "^/host redirect:https://${qs[a]}", "--route-run", "addvar:GIVEN=${qs[a]}",
      ], gateways: [gateway], app: Self.environ)
    let reply = try site.ask("/a%0d%0aX-Evil:%201", over: gateway)
    #expect(reply.status == 200 && reply["X-Path"] == nil && reply["X-Evil"] == nil)
    let go = try site.ask("/go/a%0d%0aX-Evil:%201", over: gateway)
    #expect(go.status == 302 && go["Location"] == "/to/a%0D%0AX-Evil:%201" && go["X-Evil"] == nil, "\(go)")
    // Another host is nowhere in the rule.
    for target in ["/at//evil.example/", "/at///evil.example/", "/at/%2fevil.example/"] {
      #expect(try site.ask(target, over: gateway)["Location"] == "/evil.example/", "\(target)")
    }
    for (given, wanted) in [
      ("https://evil.example/", "/https://evil.example/"), ("javascript:x", "/javascript:x"),
      ("page", "page"), ("/a:b", "/a:b"), ("//evil.example", "/evil.example"), ("?x:y", "/%3Fx:y"),
    ] {
      #expect(try site.ask("/any?a=\(given)", over: gateway)["Location"] == wanted, "\(given)")
    }
    #expect(try site.ask("/host?a=x", over: gateway)["Location"] == "https://x")
    for given in ["a%00b", "a%0d%0ab"] {
      #expect(try variables(site, "/x?a=\(given)", over: gateway)["GIVEN"] == nil, "\(given)")
    }
    #expect(try variables(site, "/x?a=%c3%a9%20b", over: gateway)["GIVEN"] == "\u{e9} b")
    let back = try site.ask("/at/%5cevil.example", over: gateway)["Location"]
    #expect(back == "/%5Cevil.example")
    let query = try site.ask("/q?a=b%0d%0ac%00%26", over: gateway)["Location"]
    #expect(query == "/x?b%0D%0Ac%00%26", "\(String(describing: query))")
    _ = try site.ask("/log%0aforged?a=%1b[31mred%0d%0aforged", over: gateway)
    #expect(try site.server.stop() == .status(0))
    let lines = site.server.process.output.split(separator: "\n")
    #expect(!lines.contains { $0.hasPrefix("forged") } && !site.server.process.output.contains("\u{1b}["))
    #expect(lines.contains { $0.contains("/log\\nforged \\x1b[31mred\\r\\nforged") }, "\(lines)")
    #expect(lines.contains { $0.contains("a field of a rule is left out") })
  }

  @Test("a file of a rule stays in its directory", arguments: gateways) func escapes(gateway: String) throws {
    let site = try Site(
      [
        "--route-uri", "^/u/(.*)$ static:SITE/www/$1", "--route", "^/p/(.*)$ static:SITE/www/$1", "--route",
        "^/q static:SITE/www/${qs[f]}",
      ], gateways: [gateway], app: Self.environ)
    try FileManager.default.createSymbolicLink(
      atPath: site.folder.file("www/up"), withDestinationPath: "..")
    for target in [
      "/u/../secret.txt", "/p/../secret.txt", "/p/%2e%2e/secret.txt", "/u/up/secret.txt", "/p/up/secret.txt",
      "/p/sub/../../secret.txt", "/q?f=../secret.txt", "/q?f=%2e%2e%2fsecret.txt", "/q?f=/etc/passwd",
      "/q?f=a.css%00.txt", "/p//etc/passwd",
    ] {
      let reply = try site.ask(target, over: gateway)
      #expect(!reply.text.contains("secret") && !reply.text.contains("root:"), "\(target): \(reply)")
      #expect(reply.status == 404 || reply.status == 400, "\(target): \(reply)")
    }
    #expect(try site.ask("/q?f=ten.txt", over: gateway).text == "0123456789")
    try site.stop()
  }

  @Test("a password opens, and nothing else does", arguments: gateways) func passwords(gateway: String) throws
  {
    let site = try Site(
      [
        "--route", "^/staff basicauth:Staff,SITE/accounts", "--route", "^/one basicauth:One,eve:a:b",
        "--route",
        "^/none basicauth:None,", "--route", "^/either basicauth-next:Staff,SITE/accounts", "--route",
        "^/either basicauth:One,eve:a:b",
      ], gateways: [gateway], app: Self.environ, prepare: Self.writeAccounts)
    func ask(_ target: String, _ account: String?) throws -> Reply {
      let field = account.map { [("Authorization", "Basic \(Data($0.utf8).base64EncodedString())")] }
      return try site.ask(target, field ?? [], over: gateway)
    }
    for user in ["md5", "sha256", "sha512", "bcrypt"] {
      // The second one is known by then.
      for _ in 0..<2 {
        let reply = try ask("/staff/x", "\(user):open sesame")
        #expect(try EnvironReport(reply)["REMOTE_USER"] == user, "\(user): \(reply)")
      }
      for wrong in ["open sesam", "open sesame ", "", "Open sesame"] {
        #expect(try ask("/staff", "\(user):\(wrong)").status == 401, "\(user):\(wrong)")
      }
    }
    for wrong in [
      nil, "nobody:open sesame", ":open sesame", "md5", "", "md5:open sesame\0", "MD5:open sesame",
    ] {
      let reply = try ask("/staff", wrong)
      #expect(
        reply.status == 401 && reply["WWW-Authenticate"] == "Basic realm=\"Staff\"", "\(wrong ?? "none")")
    }
    let odd = try site.ask("/staff", [("Authorization", "Basic !!!!"), ("X-A", "b")], over: gateway)
    #expect(odd.status == 401)
    let digest = try site.ask("/staff", [("Authorization", "Digest x")], over: gateway)
    #expect(digest.status == 401)
    #expect(try ask("/one", "eve:a:b").status == 200 && ask("/one", "eve:a").status == 401)
    #expect(try ask("/none", ":").status == 401)
    #expect(try ask("/either", "md5:open sesame").status == 200 && ask("/either", "eve:a:b").status == 200)
    #expect(try ask("/either", "eve:b").status == 401)
    // The file is another one by now.
    try site.folder.write("md5:\(Self.hash("-1", "changed"))\n", to: "accounts")
    #expect(
      try ask("/staff", "md5:changed").status == 200 && ask("/staff", "sha512:open sesame").status == 401)
    #expect(try ask("/staff", "md5:open sesame").status == 401)
    try FileManager.default.removeItem(atPath: site.folder.file("accounts"))
    #expect(try ask("/staff", "md5:changed").status == 401)
    try site.stop()
  }

  /// A hash that another program makes.
  private static func hash(_ form: String, _ password: String) throws -> String {
    let made = try ChildProcess.run("/usr/bin/openssl", ["passwd", form, "-salt", "saltsalt", password])
    return made.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private static func writeAccounts(_ folder: TemporaryFolder) throws {
    // Those that openssl does not make: crypt(3) of libxcrypt, by Perl.
    func perl(_ setting: String) throws -> String {
      try ChildProcess.run("/usr/bin/perl", ["-e", "print crypt('open sesame', '\(setting)')"]).output
    }
    let lines = [
      "# accounts", "", "md5:\(try hash("-1", "open sesame"))", "sha256:\(try hash("-5", "open sesame"))",
      "sha512:\(try hash("-6", "open sesame"))\r",
      "bcrypt:\(try perl("$2y$05$abcdefghijklmnopqrstuu"))",
    ]
    try folder.write(lines.joined(separator: "\n"), to: "accounts")
  }

  @Test("a path with two slashes is no way round a rule", arguments: gateways)
  func doubled(gateway: String) throws {
    let site = try Site(
      [
        "--static-map", "/=SITE/www", "--route", "^/sub basicauth:One,eve:a", "--route",
        "^/p/(.*)$ static:SITE/www/$1",
      ], gateways: [gateway], app: Self.environ)
    #expect(try site.ask("/sub/index.html", over: gateway).status == 401)
    for target in ["//sub/index.html", "/%2fsub/index.html", "///sub/index.html", "/p//sub/index.html"] {
      let reply = try site.ask(target, over: gateway)
      #expect(reply.text != "index" && reply["ETag"] == nil, "\(target): \(reply)")
    }
    try site.stop()
  }

  @Test("who is refused need not send a body first, and is not told to")
  func early() throws {
    let site = try Site(
      [
        "--static-map", "/s=SITE/www", "--route", "^/private basicauth:One,eve:a", "--route",
        "^/closed return:403", "--health-path", "/health",
      ], app: Self.environ)
    for (target, status) in [("/private", 401), ("/closed", 403), ("/s/ten.txt", 405), ("/health", 200)] {
      for line in [
        "Content-Length: 100000000\r\n", "Content-Length: 100000000\r\nExpect: 100-continue\r\n",
        "Transfer-Encoding: chunked\r\n", "Content-Length: 2\r\nExpect: 100-continue\r\n",
      ] {
        let socket = try site.server.connect("http")
        try socket.send("POST \(target) HTTP/1.1\r\nHost: x\r\n\(line)\r\n")
        let reply = try socket.receiveReply()
        #expect(reply.status == status && reply["Connection"] == "close", "\(target) \(line): \(reply)")
      }
      // A short one is read, and the connection stays.
      let socket = try site.server.connect("http")
      try socket.send("POST \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
      #expect(try socket.receiveReply()["Connection"] != "close")
    }
    try site.stop()
  }

  @Test("a front end's word of who the user is opens nothing", arguments: ["scgi", "uwsgi", "fastcgi"])
  func frontEndsWord(gateway: String) throws {
    let site = try Site(
      ["--route-run", "basicauth:One,eve:a"], gateways: [gateway], app: Self.environ)
    let socket = try site.server.connect(gateway)
    try socket.send(GatewayRequest.bytes(gateway, "/x", extra: ["REMOTE_USER": "eve"]))
    #expect(try GatewayRequest.reply(gateway, try socket.receiveToItsEnd().bytes).status == 401)
    try site.stop()
  }

  @Test("under CGI too") func overCGI() throws {
    let folder = try TemporaryFolder()
    try folder.write("<p>", to: "e.html")
    let words = [
      "--cgi", "--app", Self.environ, "--add-header", "X-A: b", "--route", "^/old redirect:/new", "--route",
      "^/secret basicauth:One,eve:a", "--error-page", "401=\(folder.file("e.html"))",
    ]
    func ask(_ path: String) throws -> Reply {
      let environment = [
        "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "PATH_INFO": path, "REQUEST_URI": path,
        "SERVER_PROTOCOL": "HTTP/1.1",
      ]
      let (exit, output) = try ChildProcess.run(
        "/bin/sh", ["-c", "exec \"$0\" \"$@\" 2>/dev/null", Repository.server] + words,
        environment: environment)
      #expect(exit == .status(0))
      return try Reply(gateway: Array(output.utf8))
    }
    #expect(try ask("/x").status == 200 && ask("/x")["X-A"] == "b")
    let old = try ask("/old")
    #expect(old.status == 302 && old["Location"] == "/new" && old["X-A"] == "b")
    let secret = try ask("/secret")
    #expect(secret.status == 401 && secret.text == "<p>")
  }

  @Test("under a master: rules are asked in workers, and a request without a line has none")
  func underMaster() throws {
    let site = try Site(
      ["--route", "^/quiet donotlog:", "--route", "^/old redirect:/new", "--mount", "/app=\(Self.environ)"],
      process: ["-p", "1"], app: Self.environ)
    #expect(try site.ask("/quiet").status == 200 && site.ask("/heard").status == 200)
    #expect(try site.ask("/old").status == 302)
    let mounted = try variables(site, "/app/x")
    #expect(mounted["SCRIPT_NAME"] == "/app" && mounted["PATH_INFO"] == "/x")
    try site.stop()
    let output = site.server.process.output
    #expect(output.contains("/heard") && !output.contains("/quiet"), "\(output)")
  }

  @Test(
    "what a rule names and cannot be read ends the start with a sentence",
    arguments: [
      (["--error-page", "500=/none/e.html"], "correct --error-page"),
      (["--route-run", "basicauth:A,/none/accounts"], "correct /none/accounts"),
    ], [["--no-master"], []])
  func unreadable(_ given: ([String], String), process: [String]) throws {
    let (options, sentence) = given
    let (exit, output) = try ServerProcess.run(
      ["--app", Self.environ, "--http-socket", "127.0.0.1:0"] + options + process)
    #expect(exit != .status(0) && output.contains(sentence), "\(output)")
  }

  @Test(
    "a hash that is not known, or that costs too much, ends the start",
    arguments: [
      ("a:$apr1$x$y", "htpasswd -B"), ("a:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=", "htpasswd -B"),
      ("a:plain", "htpasswd -B"), ("a:ab/G8gtZdMwak", "htpasswd -B"),
      ("a:$2y$12$abcdefghijklmnopqrstuuA", "cost above 10"), ("a:$y$jDT$x$y", "j9T"),
      ("a:$gy$j9U$x$y", "j9T"),
      ("a:$y$kCTs$x$y", "j9T"), ("a:$y$j9T/$x$y", "j9T"), ("a:$6$rounds=999999$x$y", "rounds"),
      ("nothing", "line 1"),
    ])
  func badAccounts(line: String, sentence: String) throws {
    let folder = try TemporaryFolder()
    try folder.write(line + "\n", to: "accounts")
    let (exit, output) = try ServerProcess.run([
      "--app", Self.environ, "--http-socket", "127.0.0.1:0", "--no-master", "--route-run",
      "basicauth:A,\(folder.file("accounts"))",
    ])
    #expect(exit != .status(0) && output.contains(sentence), "\(output)")
  }
}
