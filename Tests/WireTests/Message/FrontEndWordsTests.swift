// What front ends were seen to send, and what it means: paths told twice, ports where there are none, names
// with a port, a scheme in uWSGI's words. Each over SCGI, uwsgi, FastCGI and CGI.
import Support
import Testing
import Wire

@Suite struct FrontEndPathTests {
  private func told(_ script: String?, _ info: String?, _ uri: String?, _ more: [String: String] = [:]) throws
    -> [String]
  {
    var list = more.map { (name: $0.key, value: $0.value) }
    for (name, value) in [("SCRIPT_NAME", script), ("PATH_INFO", info), ("REQUEST_URI", uri)] {
      if let value { list.append((name, value)) }
    }
    let found = try variables(list)
    return [found.script, found.path]
  }

  @Test("SCRIPT_NAME does not end with a slash (mod_proxy_uwsgi below a ProxyPass that does)")
  func slashBehindScriptName() throws {
    #expect(try told("/u/", "/", "/u/") == ["/u", "/"])
    #expect(try told("/u/", "/x", "/u/x") == ["/u", "/x"])
    #expect(try told("/u/", "x", "/u/x") == ["/u", "/x"])
    #expect(try told("/u/", nil, "/u/x?y") == ["/u", "/x"])
    #expect(try told("/u/", "", "/u/") == ["/u", "/"])
    #expect(try told("/u/", "", "/u") == ["/u", ""])
    #expect(try told("/u/", "", nil) == ["/u", "/"])
    #expect(try told("/u//", "/x", nil) == ["/u", "/x"])
    #expect(try told("//", "/x", "/x") == ["", "/x"])
    #expect(try told("/", "", nil) == ["", ""])
  }

  @Test("SCRIPT_NAME begins with a slash")
  func slashBeforeScriptName() throws {
    #expect(try told("app", "/x", "/app/x") == ["/app", "/x"])
    #expect(try told("app", nil, "/app/x") == ["/app", "/x"])
  }

  @Test("SCRIPT_NAME beside the whole path: the URI says that it is the whole one")
  func wholePath() throws {
    #expect(try told("/repos", "/repos/x", "/repos/x") == ["/repos", "/x"])
    #expect(try told("/repos/", "/repos/x", "/repos/x?q=1") == ["/repos", "/x"])
    #expect(try told("/repos", "/repos", "/repos") == ["/repos", ""])
    #expect(try told("/repos", "/repos/", "/repos/") == ["/repos", "/"])
    #expect(try told("/re pos", "/re pos/\u{e9}", "/re%20pos/%C3%A9") == ["/re pos", "/\u{e9}"])
    #expect(try told("/repos", "/repos/x", "//repos///x") == ["/repos", "/x"], "nginx merges slashes")
    #expect(try told("/repos", "/repos/x", "https://h.test/repos/x") == ["/repos", "/x"])
    #expect(try told("/a", "/a/a/x", "/a/a/x") == ["/a", "/a/x"])
    #expect(try told("/repos", "/repos/100%", "/repos/100%25") == ["/repos", "/100%"])
    #expect(try told("/repos", "/repos/x", "/repos/x", ["UWSGI_SCHEME": "https"]) == ["/repos", "/x"])
  }

  @Test("a path that begins like SCRIPT_NAME below it is not the whole one")
  func pathThatBeginsLikeTheMount() throws {
    #expect(try told("/a", "/a/x", "/a/a/x") == ["/a", "/a/x"])
    #expect(try told("/a", "/a", "/a/a") == ["/a", "/a"])
    #expect(try told("/a", "/ab/x", "/ab/x") == ["/a", "/ab/x"], "no border of a segment")
    #expect(try told("/a", "/a/x", nil) == ["/a", "/a/x"], "nobody says it")
    #expect(try told("/a", "/a/x", "/somewhere/else") == ["/a", "/a/x"], "rewritten by the front end")
  }

  @Test("modifier1 30 of uwsgi says so without a URI")
  func modifier30() throws {
    func told(_ script: String, _ info: String, _ uri: String?, modifier1: UInt8) throws -> [String] {
      var list = [(name: "SCRIPT_NAME", value: script), (name: "PATH_INFO", value: info)]
      if let uri { list.append((name: "REQUEST_URI", value: uri)) }
      var request = UWSGIClientRequest(variables: list)
      request.modifier1 = modifier1
      let found = try normalize(request.bytes, .uwsgi)
      return [found.script, found.path]
    }
    #expect(try told("/app", "/app/x", nil, modifier1: 30) == ["/app", "/x"])
    #expect(try told("/app", "/app/x", "/app/x", modifier1: 30) == ["/app", "/x"])
    #expect(try told("/app", "/app/x", "/other", modifier1: 30) == ["/app", "/x"])
    #expect(try told("/app", "/app", nil, modifier1: 30) == ["/app", ""])
    #expect(try told("/app", "/apple", nil, modifier1: 30) == ["/app", "/apple"])
    #expect(try told("/app", "/x", nil, modifier1: 30) == ["/app", "/x"])
    #expect(try told("/app", "/app/x", nil, modifier1: 0) == ["/app", "/app/x"])
  }

  @Test("a URI in absolute-form is its path and query", arguments: ["http", "https", "HTTPS", "ws+x"])
  func absoluteURI(scheme: String) throws {
    let list = [(name: "REQUEST_URI", value: "\(scheme)://example.test:81/a%20b?y=1")]
    let found = try variables(list)
    #expect([found.path, found.query, found.uri] == ["/a b", "y=1", "/a%20b?y=1"])
    for (rest, path, query, uri) in [
      ("", "/", "", "/"), ("?q", "/", "q", "/?q"), ("/", "/", "", "/"), ("//x", "//x", "", "//x"),
    ] {
      let found = try variables([(name: "REQUEST_URI", value: "\(scheme)://[::1]\(rest)")])
      #expect([found.path, found.query, found.uri] == [path, query, uri], "\(rest)")
    }
    let below = try variables([
      (name: "SCRIPT_NAME", value: "/app"), (name: "REQUEST_URI", value: "\(scheme)://h/app/x"),
    ])
    #expect([below.script, below.path] == ["/app", "/x"])
  }

  @Test("a path that holds a scheme is no absolute-form")
  func schemeInThePath() throws {
    let found = try variables([(name: "REQUEST_URI", value: "/http://h/x")])
    #expect(found.path == "/http://h/x" && found.uri == "/http://h/x")
    #expect(try variables([(name: "REQUEST_URI", value: "http:/x")]).path == "/http:/x")
    #expect(try variables([(name: "REQUEST_URI", value: "*")]).path == "")
  }

  @Test("a lone % in the URI beside a path that the front end has decoded")
  func lonePercent() throws {
    #expect(try told(nil, "/100%", "/100%") == ["", "/100%"])
    #expect(try told("", "/100%", "/100%?x=1") == ["", "/100%"])
    #expect(try told("/app", "/100%", "/app/100%") == ["/app", "/100%"])
    #expect(try told("/app", "/app/5%/x", "/app/5%/x") == ["/app", "/5%/x"])
    #expect(try told(nil, "/other", "/100%") == ["", "/other"])
    #expect(try told(nil, nil, "/100%", ["DOCUMENT_URI": "/100%"]) == ["", "/100%"])
    #expect(throws: NormalizeError.malformedEscape) { try told(nil, nil, "/100%") }
    #expect(throws: NormalizeError.escapedNul) { try told(nil, "/a%00", "/a%00") }
    #expect(throws: NormalizeError.escapedNul) { try told(nil, nil, "/a%00", ["DOCUMENT_URI": "/a"]) }
  }
}

@Suite struct AnyPathTests {
  private static let words = ["", "/", "a", "b", "%", "%41", "%2f", "?", "http://h", "*", ".", " "]

  private func text(_ random: inout SeededRandom, most: Int) -> String {
    (0..<Int.random(in: 0...most, using: &random)).map { _ in
      Self.words.randomElement(using: &random)!
    }.joined()
  }

  @Test("whatever a front end says of the path, an app gets one of the right form, over every protocol")
  func anyPath() throws {
    let seed = UInt64.random(in: 1...UInt64.max)
    var random = SeededRandom(seed)
    for _ in 0..<1000 {
      var list: [(name: String, value: String)] = [("X", "")]
      for name in ["SCRIPT_NAME", "PATH_INFO", "REQUEST_URI", "DOCUMENT_URI", "QUERY_STRING"]
      where Int.random(in: 0..<4, using: &random) > 0 {
        list.append((name, text(&random, most: 6)))
      }
      let fixesRoot = Bool.random(using: &random)
      let found: Normalized
      do { found = try variables(list, fixesRoot: fixesRoot) } catch NormalizeError.malformedEscape {
        continue
      }
      #expect(found.script.isEmpty || found.script.hasPrefix("/") && !found.script.hasSuffix("/"))
      #expect(found.path.isEmpty || found.path.hasPrefix("/"))
      #expect(!fixesRoot || found.script.isEmpty)
      if !(found.script.isEmpty || found.script.hasPrefix("/")) { Issue.record("SeededRandom(\(seed))") }
    }
  }

  @Test("SCRIPT_NAME and PATH_INFO are the path of the request, in whichever way a front end tells them")
  func consistentWays() throws {
    let seed = UInt64.random(in: 1...UInt64.max)
    var random = SeededRandom(seed)
    for _ in 0..<1000 {
      func segments(_ most: Int, _ random: inout SeededRandom) -> String {
        (0..<Int.random(in: 1...most, using: &random)).map { _ in
          "/" + ["a", "b", "ab", "x y"].randomElement(using: &random)!
        }.joined()
      }
      let (script, info) = (segments(2, &random), segments(3, &random))
      // What is told twice over, where both readings of it are the same path, has no right answer.
      if info == script || info.hasPrefix(script + "/") { continue }
      let uri = (script + info).split(separator: " ").joined(separator: "%20") + "?q"
      for (told, below) in [(script, info), (script + "/", info), (script, script + info), (script, "")] {
        let list = [
          (name: "SCRIPT_NAME", value: told), (name: "PATH_INFO", value: below),
          (name: "REQUEST_URI", value: Bool.random(using: &random) ? uri : "https://h.test" + uri),
        ]
        let found = try variables(list)
        #expect(found.script == script && found.path == info, "\(list), SeededRandom(\(seed))")
      }
    }
  }
}

@Suite struct FrontEndServerTests {
  private func found(_ list: [(name: String, value: String)]) throws -> Normalized { try variables(list) }

  @Test(
    "SERVER_PORT is a port or is not said (nginx has none on a unix socket)",
    arguments: [
      ("", nil), ("0", nil), ("00", nil), ("65536", nil), ("http", nil), ("-1", nil), (" 80", nil),
      ("123456", nil), ("80", "80"), ("65535", "65535"), ("1", "1"),
    ] as [(String, String?)])
  func serverPort(text: String, port: String?) throws {
    #expect(try found([(name: "SERVER_PORT", value: text)]).port == port)
    #expect(try found([(name: "REMOTE_PORT", value: text)]).remotePort == port)
  }

  @Test(
    "SERVER_NAME is a name without a port, which counts where SERVER_PORT says none (HAProxy)",
    arguments: [
      ("example.test:8080", "example.test", "8080"), ("example.test", "example.test", nil),
      ("192.0.2.7:81", "192.0.2.7", "81"), ("[2001:db8::7]:81", "[2001:db8::7]", "81"),
      ("[2001:db8::7]", "[2001:db8::7]", nil), ("2001:db8::7", "2001:db8::7", nil), ("::1", "::1", nil),
      ("example.test:", "example.test", nil), (":8080", "localhost", "8080"), ("", "localhost", nil),
      ("host80", "host80", nil), ("example.test:port", "example.test:port", nil),
    ] as [(String, String, String?)])
  func serverName(text: String, name: String, port: String?) throws {
    let alone = try found([(name: "SERVER_NAME", value: text)])
    #expect(alone.name == name && alone.port == port)
    let both = try found([(name: "SERVER_NAME", value: text), (name: "SERVER_PORT", value: "443")])
    #expect(both.name == name && both.port == "443")
    let empty = try found([(name: "SERVER_NAME", value: text), (name: "SERVER_PORT", value: "")])
    #expect(empty.name == name && empty.port == port)
  }

  @Test(
    "UWSGI_SCHEME comes before HTTPS; a list is https when all of it is",
    arguments: [
      (["UWSGI_SCHEME": "https"], "https"), (["UWSGI_SCHEME": "HTTPS"], "https"),
      (["UWSGI_SCHEME": "http", "HTTPS": "on"], "http"), (["UWSGI_SCHEME": "", "HTTPS": "on"], "https"),
      (["UWSGI_SCHEME": "https", "HTTPS": "off"], "https"), (["UWSGI_SCHEME": "https, https"], "https"),
      (["UWSGI_SCHEME": "https,http"], "http"), (["UWSGI_SCHEME": "ftp"], "http"),
      (["UWSGI_SCHEME": "http", "REQUEST_SCHEME": "https"], "http"),
    ] as [(KeyValuePairs<String, String>, String)])
  func uwsgiScheme(list: KeyValuePairs<String, String>, scheme: String) throws {
    #expect(try variables(list).scheme == scheme)
  }
}

@Suite struct ForwardedNodeTests {
  private func node(_ text: String) -> [String]? {
    Array(text.utf8).withUnsafeBytes { bytes in
      ForwardedNode(bytes).map {
        [String(decoding: $0.address, as: UTF8.self), String(decoding: $0.port, as: UTF8.self)]
      }
    }
  }

  @Test("an address, perhaps with a port")
  func forms() {
    #expect(node("203.0.113.7") == ["203.0.113.7", ""])
    #expect(node("203.0.113.7:51234") == ["203.0.113.7", "51234"])
    #expect(node("2001:db8::7") == ["2001:db8::7", ""])
    #expect(node("[2001:db8::7]") == ["2001:db8::7", ""])
    #expect(node("[2001:db8::7]:443") == ["2001:db8::7", "443"])
    #expect(node("::ffff:192.0.2.1") == ["::ffff:192.0.2.1", ""])
  }

  @Test(
    "what is none",
    arguments: [
      "", "unknown", "_hidden", "1 2.3.4.5", "12.3.4", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:99999", "1.2.3.4:-1",
      "[1.2.3.4]", "[2001:db8::7", "[2001:db8::7]443", "2001:db8::7 ", "[]", ":443", "01.2.3.4", "1.2.3.4 5",
      "\"[2001:db8::7]\"", "2001:db8:::7", "1.2.3.4:80:90",
    ])
  func others(text: String) { #expect(node(text) == nil) }

  private func isSecure(_ text: String) -> Bool {
    Array(text.utf8).withUnsafeBytes { ForwardedList.isSecure($0) }
  }

  @Test("a list is https when all of it is")
  func schemes() {
    for text in ["https", "HTTPS", " https ", "https,https", "https, https\t,https", "https,", ",https"] {
      #expect(isSecure(text), "\(text)")
    }
    for text in ["", ",", "http", "https,http", "http, https", "https https", "httpss", "https;x"] {
      #expect(!isSecure(text), "\(text)")
    }
  }
}
