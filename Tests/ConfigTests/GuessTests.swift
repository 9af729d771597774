// What a configuration does not say is asked for, and never guessed.
import Testing

@testable import Config

@Suite struct GuessTests {
  @Test(
    "what cannot be calculated is an error with its place, and no guess",
    arguments: [
      ("%(base * 2)", "no number"), ("%(2 + other)", "no number"), ("%(base ++)", "no number"),
      ("%(four / none)", "divides by zero"), ("%(four - 64k)", "no key is called 64k"),
    ])
  func calculations(value: String, problem: String) {
    let lines = "base = /srv\nother = no\nfour = 4\nnone = 0\nlogto = \(value)\n"
    let said = UWSGIFileTests.said(lines)
    #expect(said.contains { $0.contains("/etc/app/site.ini:10: `logto") && $0.contains(problem) }, "\(said)")
  }

  @Test("more files than a loop has turns are an error, and none is left out")
  func wideGlob() {
    var machine = Surroundings()
    machine.glob = { _ in (0...Blocks.turnsMaximum).map { "/p/\($0)" } }
    let file = "[uwsgi]\nmodule = m\nhttp = :1\nfor-glob = /p/*\nlogto = %(_)\nendfor =\n"
    let surroundings = machine
    let error = #expect(throws: ConfigError.self) {
      try invoke(["/a.ini"], files: ["/a.ini": file], surroundings: surroundings)
    }
    #expect(error?.description.contains("/a.ini:4: ") == true)
    #expect(error?.description.contains("stands for \(Blocks.turnsMaximum + 1) files") == true)
  }

  @Test("a line of config_reader's that means nothing ends the start")
  func brokenConverter() {
    var machine = Surroundings()
    machine.convert = { _, _ in "uwsgi\t1\t\nuwsgi\tseven\tharakiri\t5\n" }
    let surroundings = machine
    let error = #expect(throws: ConfigError.self) {
      try invoke(["a.yaml"], surroundings: surroundings)
    }
    #expect(error?.description.contains("(its 2.) that is none of a configuration") == true)
  }
}
