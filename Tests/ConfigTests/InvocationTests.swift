import Testing

@testable import Config

@Suite struct InvocationTests {
  @Test func withoutArgumentsTheShortHelpIsTheError() {
    let said = complaint("")
    #expect(said.hasPrefix("nsgi-server \(Program.version):"))
    #expect(said.holds("Usage: server --app PATH --http-socket ADDR"))
    #expect(said.utf8.count < 600)
  }

  @Test func versionAndHelpComeFirst() throws {
    #expect(try invoke(["--version"]) == .version("nsgi-server \(Program.version)"))
    #expect("\(Program.software)" == "nsgi-server/\(Program.version)")
    for line in ["--help", "-h", "-Lh", "--ini none.ini --help"] {
      guard case .help = try invoke(words(line)) else {
        Issue.record("\(line) gave no help")
        continue
      }
    }
  }

  @Test func helpNamesEverything() {
    let text = Help.long()
    let shown = Set(text.split { " ,\n[".contains($0) }.map(String.init))
    for option in OptionTable.all {
      for name in [option.name] + option.aliases { #expect(shown.contains("--" + name), "--\(name)") }
      if let short = option.short { #expect(shown.contains("-\(short)")) }
    }
    #expect(text.holds("(default: 65536)"))
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 100 })
  }

  @Test func checkConfigSaysWhatWouldRun() throws {
    guard case .checkConfig(let text, let settings) = try invoke(words("--check-config --app a.so -s :1"))
    else {
      Issue.record("not checked")
      return
    }
    #expect(text == "the configuration is good: 1 app, 1 socket")
    #expect(settings.apps.count == 1)
  }

  @Test func showConfigReadsBackTheSame() throws {
    let line = "--app a.so --http :1 --http :2 -M --threads 3 --threads 4 --chmod-socket --log-format %p%%"
    let environment = ["NSGI_CHDIR": "/srv"]
    guard case .showConfig(let text) = try invoke(["--show-config"] + words(line), environment: environment)
    else {
      Issue.record("nothing shown")
      return
    }
    #expect(text.hasPrefix("[server]\n; from NSGI_CHDIR\nchdir = /srv\n"))
    #expect(text.holds("\n; listen = 1024") && !text.holds("threads = 3"))
    let again = try invoke(["--ini", "s.ini"], files: ["s.ini": text])
    #expect(try again == invoke(words(line), environment: environment))
  }

  @Test func socketsMayBeInherited() throws {
    let fromZero = try served(try invoke(["--app", "a.so"], standardInputIsListening: true))
    #expect(fromZero.listeners.isEmpty && !fromZero.isCGI)
    let systemd = try served(try invoke(["--app", "a.so"], environment: ["LISTEN_FDS": "1"]))
    #expect(systemd.listeners.isEmpty && !systemd.isCGI)
  }

  @Test func theEditDistanceCountsTranspositionsOnce() {
    func distance(_ a: String, _ b: String) -> Int { Suggestion.editDistance(Array(a.utf8), Array(b.utf8)) }
    #expect(distance("", "abc") == 3)
    #expect(distance("kitten", "sitting") == 3)
    #expect(distance("ab", "ba") == 1)
    #expect(distance("threads", "threads") == 0)
  }
}
