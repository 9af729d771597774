import Control
import Glibc
import Host
import Watch

/// `server top`: what a running server does, drawn again and again.
enum TopCommand {
  static let usage = """
    Usage: server top [--control-socket PATH] [--delay SECONDS] [--batch [--count N]]

    Shows the workers, applications and longest requests of a running server, with rates and percentiles
    of the time between two looks. Keys: q quits, s changes what the workers are sorted by, r turns the
    order round, f filters lines, the arrow keys scroll.

      --control-socket PATH    the server; without it the one server of this user
      --delay SECONDS          between two looks (default: 1)
      --batch                  print looks one below the other, for a file or another program
      --count N                with --batch: end after N looks (default: 2, of which the first has no rates)
    """

  /// What the command line asks for.
  private struct Invocation {
    var path: String?
    var seconds = 1.0
    var isBatch = false
    var count = 2
  }

  static func run(_ arguments: [String]) -> Int32 {
    do {
      guard let invocation = try read(arguments) else {
        print(usage)
        return 0
      }
      let server = try invocation.path.map { ControlSocket.Server(at: $0) } ?? ControlSocket.find()
      if invocation.isBatch {
        try printLooks(server, invocation)
      } else {
        guard isatty(STDIN_FILENO) != 0, isatty(STDOUT_FILENO) != 0 else {
          throw UsageError("there is no terminal to draw on; use --batch")
        }
        var screen = TopScreen(seconds: invocation.seconds)
        try screen.run { try snapshot(server) }
      }
      return 0
    } catch {
      Server.announce("top: \(error)")
      return 1
    }
  }

  /// Nil: help is wanted.
  private static func read(_ arguments: [String]) throws -> Invocation? {
    var invocation = Invocation()
    var words = Words(arguments, command: "top")
    while let word = try words.next() {
      switch word.name {
      case "--help", "-h": return nil
      case "--control-socket", "--socket": invocation.path = try words.value(of: word, "PATH")
      case "--batch", "-b": try words.flag(word) { invocation.isBatch = true }
      case "--delay", "-d":
        let text = try words.value(of: word, "SECONDS")
        guard let seconds = Double(text), (0.1...3600).contains(seconds) else {
          throw UsageError("--delay: `\(text)` is not between 0.1 and 3600 seconds; write --delay 2")
        }
        invocation.seconds = seconds
      case "--count", "-n":
        let text = try words.value(of: word, "N")
        guard let count = Int(text), count > 0 else {
          throw UsageError("--count: `\(text)` is not a number above 0; write --count 5")
        }
        invocation.count = count
      default: throw words.unknown(word.name)
      }
    }
    return invocation
  }

  private static func printLooks(_ server: ControlSocket.Server, _ invocation: Invocation) throws {
    let view = TopView()
    var before: Snapshot?
    for number in 0..<invocation.count {
      if number > 0 {
        usleep(UInt32(invocation.seconds * 1_000_000))
        print("")
      }
      let now = try snapshot(server)
      print(view.lines(now, since: before, seconds: invocation.seconds).joined(separator: "\n"))
      fflush(nil)
      before = now
    }
  }

  private static func snapshot(_ server: ControlSocket.Server) throws -> Snapshot {
    var records: [Record] = []
    var isWhole = false
    try ControlSocket.converse(server, "text snapshot\n", met: { _ in }) { line in
      if line == "exit 0" { isWhole = true } else { records.append(Record(line: line)) }
    }
    guard isWhole else { throw UsageError("the server does not show its figures; is it of this version?") }
    return Snapshot(records)
  }
}
