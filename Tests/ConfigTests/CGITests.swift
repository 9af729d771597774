import Testing

@testable import Config

/// Under a CGI front end, arguments may be the client's.
@Suite struct CGITests {
  private static let script = "/www/app.cgi"

  /// How the server is started: the ways in which a CGI program can be written.
  struct Form: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var start = Launch.Start.program
    /// The script's text; nil for the server itself.
    var text: String?
    /// What stands before what the front end adds.
    let before: [String]
    /// What is the operator's of it.
    let own: [String]

    var launch: Launch {
      let text = text
      return Launch(
        start: start, name: "server", isProgram: { text == nil && $0 == CGITests.script },
        areSame: { $0.split(separator: "/").last == $1.split(separator: "/").last },
        text: { $0 == CGITests.script ? text : nil })
    }
  }

  static let forms = [
    Form(testDescription: "the server itself", before: [], own: []),
    Form(
      testDescription: "a first line", start: .script(path: script), text: "#!/usr/bin/server --cgi -L\n",
      before: ["--cgi -L", script], own: ["--cgi", "-L"]),
    Form(
      testDescription: "a first line that ends with an option of the script's path",
      start: .script(path: script), text: "#!/usr/bin/server --wsgi-file\n",
      before: ["--wsgi-file", script], own: ["--wsgi-file", script]),
    Form(
      testDescription: "a first line without words", start: .script(path: script),
      text: "#!/usr/bin/server\n", before: [script], own: []),
    Form(
      testDescription: "a script as the interpreter of another", start: .script(path: script),
      text: "#!/www/other.cgi -x\n", before: ["--cgi -L", "/www/other.cgi", "-x", script],
      own: ["--cgi", "-L"]),
    Form(
      testDescription: "a first line with env",
      text: "#!/usr/bin/env -S server --plugin python3 --wsgi-file\n",
      before: ["--plugin", "python3", "--wsgi-file", script],
      own: ["--plugin", "python3", "--wsgi-file", script]),
    Form(
      testDescription: "a first line with env, of an app",
      text: "#!/usr/bin/env -S A=b /opt/server -L --cgi\n",
      before: ["-L", "--cgi", "app.cgi"], own: ["-L", "--cgi"]),
    Form(
      testDescription: "a first line with env alone", text: "#! /usr/bin/env server\n", before: [script],
      own: []),
    Form(
      testDescription: "a file that the front end lets the server run", text: "", before: [script], own: []),
  ]

  static let words: [[String]] = [
    ["--app", "/tmp/evil.so"], ["--ini", "/dev/stdin"], ["--limit-post", "10"], ["-L"], ["evil.ini"],
    ["evil.yaml"], ["evil.json:x"],
    ["--app=/tmp/evil.so", script], [script, "--app", "/tmp/evil.so"], ["--wsgi-file", "app.cgi"],
    ["10"], ["", "", "--cgi"], ["--help"], ["check", "/tmp/evil.so"], ["\\--http", ":80"], ["a\nb"], ["--"],
    ["--cgi --app /tmp/evil.so", script],
  ]

  private func own(
    _ form: Form, adding words: [String] = [], query: String? = nil, script: String? = Self.script
  ) throws -> [String] {
    var environment = [
      "GATEWAY_INTERFACE": "CGI/1.1", "QUERY_STRING": query ?? words.joined(separator: "+"),
    ]
    environment["SCRIPT_FILENAME"] = script
    return try Settings.operatorArguments(
      form.before + words, environment: environment, launch: form.launch)
  }

  @Test(arguments: forms) func whatTheFrontEndAddsIsNoOption(_ form: Form) throws {
    #expect(try own(form) == form.own)
    for words in Self.words { #expect(try own(form, adding: words) == form.own, "\(words)") }
  }

  /// A program that runs the server with words of its own.
  private func wrapper(_ text: String?, _ before: [String] = ["--cgi", "--limit-post", "10"]) -> Form {
    Form(testDescription: "a program", text: text ?? "", before: before, own: before)
  }

  private static let scripts = [
    "#!/bin/sh\nexec server --cgi --limit-post 10\n",
    "#!/bin/sh\n# never \"$@\" here\nexec server --cgi --limit-post 10 # $0 $# $$\n",
    "#!/usr/bin/env -S bash -e\nPATH=/opt:$PATH exec server --cgi --limit-post 10\n",
    "#!/bin/dash\n# Look for it; . and source are words.\ncd . ; for a in b; do :; done; exec server\n",
  ]

  @Test(arguments: scripts) func aQueryTakesNothingAwayFromAScriptOfItsOwnWords(_ text: String) throws {
    for query in ["--limit-post+10", "10", "+", "--cgi", "search", "", "a=b", "--limit-post%0010"] {
      #expect(try own(wrapper(text), query: query) == wrapper(text).before, "\(query)")
    }
  }

  private static let passing = [
    "#!/bin/sh\nexec server --cgi \"$@\"\n", "#!/bin/sh\nexec server --cgi $*\n",
    "#!/bin/sh\nexec server --cgi ${1+\"$@\"}\n", "#!/bin/bash\nexec server --cgi \"${@:1}\"\n",
    "#!/usr/bin/env bash\nexec server --cgi \"$2\"\n",
    "#!/usr/bin/python3\nimport os, sys\nos.execvp('server', ['server', '--cgi'] + sys.argv[1:])\n",
    "#!/usr/bin/perl\nexec 'server', '--cgi', @ARGV;\n",
    // None of these speaks of arguments, and each can pass them on.
    "#!/usr/bin/perl\nexec 'server', '--cgi';\n", "#!/usr/bin/lua\nos.execute('server --cgi')\n",
    "#!/bin/zsh\nexec server --cgi\n", "#!/usr/bin/env -S python3\nprint()\n",
    "#!/bin/sh\n. ./common.sh\n", "#!/bin/bash\ntest -f x && source x\n", "#!/bin/sh\neval \"$COMMAND\"\n",
    "#!/bin/sh\nfor word; do set; done\n", "#!/bin/sh\nfor word do set; done\n",
    "#!/bin/sh\nfor word\ndo set; done\n",
    "#!/bin/bash\nexec server \"${BASH_ARGV[0]}\"\n", "#!/bin/sh\nwhile getopts a: x; do set; done\n", "",
  ]

  @Test(arguments: passing) func aScriptThatMayPassTheQueryOnIsRefused(_ text: String) throws {
    let form = wrapper(text, ["--cgi"])
    for words in Self.words where !words.joined().contains("=") {
      #expect(throws: ConfigError.queryAsArguments, "\(words)") { try own(form, adding: words) }
    }
    #expect(try own(form, query: "") == ["--cgi"])
    #expect(try own(form, query: "a=b") == ["--cgi"])
  }

  @Test func whereNothingSaysWhoseArgumentsTheyAreTheQueryIsNoOption() throws {
    for form in [wrapper(nil), Form(testDescription: "?", text: "", before: ["--cgi", "-L"], own: [])] {
      for script in [Self.script, nil] {
        for query in ["search", "a+b", "index.html"] {
          #expect(try own(form, query: query, script: script) == form.before)
        }
        #expect(try own(form, query: "x=--cgi", script: script) == form.before)
        for query in ["--cgi", "%2d%2dcgi", "x+--c%2567i%00+y", "-%2Dcg\\i"] {
          #expect(throws: ConfigError.queryAsArguments) { try own(form, query: query, script: script) }
        }
      }
    }
    // A word of a literal query, where it would be if it were passed on.
    let value = Form(testDescription: "?", text: "", before: ["--wsgi-file", "me"], own: [])
    for query in ["me", "search+me", "me+", "+me"] {
      #expect(throws: ConfigError.queryAsArguments) { try own(value, query: query, script: nil) }
    }
    // And where a script may put it: first, in the middle, with others in one argument, behind a name.
    for place in [["me", "--cgi"], ["--cgi", "me", "-L"], ["--cgi", "x me"], ["--cgi", "--app=me", "-L"]] {
      let form = Form(testDescription: "?", text: "", before: place, own: [])
      for query in ["me", "me+b", "b+me", "a+me+b"] {
        #expect(throws: ConfigError.queryAsArguments, "\(place)") {
          try own(form, query: query, script: nil)
        }
      }
      #expect(try own(form, query: "cg+app", script: nil) == place)
    }
    let bare = Form(testDescription: "?", text: "", before: ["search", "me"], own: [])
    #expect(try own(bare, query: "search+me", script: nil) == [])
  }

  @Test func aProcessOfWhichNothingIsKnownHasNoArguments() throws {
    var form = wrapper(nil)
    form.start = .unknown
    #expect(try own(form) == [])
  }

  @Test func byHandTheFirstLineAndWhatFollowsCount() throws {
    func byHand(_ arguments: [String], _ start: Launch.Start) throws -> [String] {
      var form = wrapper(nil)
      form.start = start
      return try Settings.operatorArguments(arguments, environment: [:], launch: form.launch)
    }
    let line = ["--app b.so\t-L", "./app", "--http", ":1"]
    #expect(try byHand(line, .script(path: "./app")) == ["--app", "b.so", "-L", "--http", ":1"])
    #expect(try byHand(["--app=/a b.so", "s.ini"], .program) == ["--app=/a b.so", "s.ini"])
    let words = ["--wsgi-file", "./app", "-L"]
    #expect(try byHand(words, .script(path: "./app")) == words)
    #expect(try byHand(["--cgi"], .unknown) == ["--cgi"])
  }

  @Test func itIsNoticed() throws {
    let gateway = ["GATEWAY_INTERFACE": "CGI/1.1", "NSGI_APP": "own.so"]
    #expect(try served(try invoke([], environment: gateway)).isCGI)
    #expect(try served(try invoke(["--cgi"], environment: gateway)).isCGI)
    #expect(try !served(try invoke(["--http", ":1"], environment: gateway)).isCGI)
    #expect(try served(try invoke(["--cgi", "--app", "a.so"])).isCGI)
  }
}
