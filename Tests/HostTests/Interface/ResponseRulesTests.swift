// The order of calls that an application may make: the host that serves and the host of `check --exercise`
// answer every short sequence of them alike, as the table says.
import CNSGI
import Foundation
import Support
import Testing

@testable import Check
@testable import Host

extension WorkerSuites {
  @Suite struct ResponseRulesTests {
    private typealias Run =
      @convention(c) (UnsafePointer<nsgi_host>, nsgi_id, UnsafePointer<CChar>, UnsafeMutablePointer<Int32>)
      -> Int32
    private typealias Answers = @convention(c) () -> UnsafePointer<Int32>

    private static let letters: [(letter: Character, call: ResponseRules.Call)] = [
      ("s", .start), ("r", .reason), ("R", .respond), ("w", .body), ("l", .body), ("e", .body), ("f", .flush),
      ("i", .interim), ("t", .trailers),
    ]

    /// Every text of up to three letters.
    private static let sequences: [String] = {
      let one = letters.map { String($0.letter) }
      let two = one.flatMap { first in one.map { first + $0 } }
      return one + two + one.flatMap { first in two.map { first + $0 } }
    }()

    /// What the table says that a sequence is answered.
    private static func expected(_ sequence: String) -> [Int32] {
      var stage = ResponseRules.Stage.unstarted
      return sequence.map { letter in
        let call = letters.first { $0.letter == letter }!.call
        let verdict = ResponseRules.verdict(call, in: stage)
        guard verdict == .allowed else { return verdict.code }
        switch letter {
        case "s": stage = .started
        case "R", "t": stage = .complete
        case "w", "l", "f": stage = .writing
        default: break
        }
        return NSGI_OK.rawValue
      }
    }

    @Test("both hosts answer sequences of calls as the table says")
    func sequences() throws {
      let bench = try WorkerBench(app: "sequence")
      let library = try #require(dlopen(try FixtureApp.path("sequence"), RTLD_NOW | RTLD_LOCAL))
      let run = unsafeBitCast(try #require(dlsym(library, "run_sequence")), to: Run.self)
      let answers = unsafeBitCast(
        try #require(dlsym(bench.generation.handle, "last_answers")), to: Answers.self)
      let socket = try bench.connect()
      for sequence in Self.sequences {
        let expected = Self.expected(sequence)
        let rehearsal = try ExerciseHost.shared.open(ExerciseScenario())
        var found = [Int32](repeating: 0, count: 16)
        _ = run(ExerciseHost.table, rehearsal.id, sequence, &found)
        #expect(Array(found[..<sequence.count]) == expected, "\(sequence) in an exercise")
        _ = rehearsal.returned(NSGI_OK.rawValue, mayAsync: false)

        try socket.send(get("/?\(sequence)", "TE: trailers\r\n"))
        // Interim responses come first.
        while try socket.receiveReply().status < 200 {}
        let served = answers()
        #expect((0..<sequence.count).map { served[$0] } == expected, "\(sequence) in a server")
      }
      #expect(try bench.stop())
    }
  }
}
