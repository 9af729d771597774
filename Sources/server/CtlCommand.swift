import Config
import Control
import Glibc
import Host

/// `server ctl`: asks a running server for something, shows what it says, and ends with its verdict.
enum CtlCommand {
  static let usage = """
    usage: \(Program.command) ctl [--control-socket PATH | --runtime-dir DIR] [--json] VERB [...]

      status                    workers, applications, the last change and crashes
      generations [APP]         the builds that are kept, oldest first
      history [APP]             the last changes: who asked, when, from which build to which, how long each
                                phase took, how it ended
      swap [APP] [FILE]         put a new build to work: of APP (its mount point or name), or of all;
                                FILE takes the place of the path it had; --replay N: if it answers the last
                                N requests (GET, HEAD) as the build before does. They are replayed with
                                the network and the databases that the application uses
      diff [APP]                what came of the last replay: in which answers the builds differ, and how
      rollback [APP]            bring the build before back
      reload                    read the configuration again and swap every app
      tls-reload                read certificates and keys again, and present them in the workers that serve
      upgrade [BINARY]          hand the sockets to a new server
      log-reopen                open the log files again
      stop                      answer what is under way, then end

    --runtime-dir asks the one server that was started with it; without either the one server of this
    user is asked. Exit code: 0 done, 1 refused or impossible.
    """

  static func run(_ arguments: [String]) -> Int32 {
    do {
      var path: String?
      var directory: String?
      var isJSON = false
      var replay: String?
      var question: [String] = []
      var words = Words(arguments, command: "ctl")
      while let word = try words.next() {
        switch word.name {
        case "--help", "-h":
          print(usage)
          return 0
        case "--control-socket", "--socket", "-s": path = try words.value(of: word, "PATH")
        case "--runtime-dir": directory = try words.value(of: word, "DIR")
        case "--json": try words.flag(word) { isJSON = true }
        case "--replay": replay = try words.value(of: word, "N")
        case _ where word.name.hasPrefix("-"): throw words.unknown(word.name)
        default: question.append(word.name)
        }
      }
      guard let verb = question.first else {
        throw UsageError("nothing to do: name a verb, as in \(Program.command) ctl status")
      }
      // Paths are the caller's: the server may have been started elsewhere.
      if ["swap", "upgrade"].contains(verb), let file = question.last, question.count > 1, file.contains("/"),
        !file.hasPrefix("/"), verb == "upgrade" || question.count > 2 || FileSystem.exists(file)
      {
        question[question.count - 1] = Files.workingDirectory() + "/" + file
      }
      if let replay {
        guard verb == "swap" else {
          throw UsageError("--replay belongs to swap; leave it out of \(Program.command) ctl \(verb)")
        }
        question += ["--replay", replay]
      }
      if path != nil, directory != nil {
        throw UsageError("--control-socket and --runtime-dir both name the server; leave one out")
      }
      let server = try path.map { ControlSocket.Server(at: $0) } ?? ControlSocket.find(in: directory)
      return try ask(server, question, isJSON)
    } catch {
      Server.announce("ctl: \(error)")
      return 1
    }
  }

  private static func ask(
    _ server: ControlSocket.Server, _ words: [String], _ isJSON: Bool
  ) throws -> Int32 {
    let line = ([isJSON ? "json" : "text"] + words.map(PercentWord.encoded)).joined(separator: " ") + "\n"
    var code: Int32?
    let met = { (user: UInt32) in Server.announce("ctl: this is user \(user)'s server") }
    try ControlSocket.converse(server, line, met: met) { line in
      // The server may have it from somebody else.
      if isJSON {
        print(Printable.text(line))
        if line.hasSuffix("\"exit\":0}") { code = 0 }
        if line.hasSuffix("\"exit\":1}") { code = 1 }
      } else if line.hasPrefix("exit ") {
        code = Int32(line.dropFirst(5))
      } else {
        print(Printable.text(line))
      }
      fflush(nil)
    }
    guard let code else { throw UsageError("the server went away before it had answered") }
    return code
  }
}
