import Control
import Host

/// What the child of `server check` tells its parent, one line each: it is written before the application
/// runs, so that after a crash the parent knows where it was.
enum CheckMessage: Equatable {
  /// The child is about to run code of the application.
  case entering(CheckStage)
  /// The stage is over, after this many microseconds.
  case passed(CheckStage, microseconds: UInt64)
  case fact(CheckFact, String)
  /// Why the application cannot be used.
  case failed(String)
  /// The result of a step of the exercise: its name, the answer.
  case outcome(step: String, String)
  /// A violation of nsgi.h by the application, in a step of the exercise.
  case violation(step: String, String)
  /// All is done; a child that ends without it was killed or crashed.
  case end

  /// The line, with its end.
  var line: String {
    let fields: [String] =
      switch self {
      case .entering(let stage): ["at", stage.word]
      case .passed(let stage, let time): ["passed", stage.word, "\(time)"]
      case .fact(let fact, let value): ["fact", fact.rawValue, value]
      case .failed(let reason): ["failed", reason]
      case .outcome(let step, let text): ["outcome", step, text]
      case .violation(let step, let text): ["violation", step, text]
      case .end: ["end"]
      }
    return TabbedLine.encoded(fields) + "\n"
  }

  /// Reads a line without its end; nil for a line that is not ours: the application can write there too.
  init?(line: String) {
    let fields = TabbedLine.decoded(line)
    switch (fields.first, fields.count) {
    case ("at", 2): self = .entering(CheckStage(word: fields[1]))
    case ("passed", 3):
      guard let time = UInt64(fields[2]) else { return nil }
      self = .passed(CheckStage(word: fields[1]), microseconds: time)
    case ("fact", 3):
      guard let fact = CheckFact(rawValue: fields[1]) else { return nil }
      self = .fact(fact, fields[2])
    case ("failed", 2): self = .failed(fields[1])
    case ("outcome", 3): self = .outcome(step: fields[1], fields[2])
    case ("violation", 3): self = .violation(step: fields[1], fields[2])
    case ("end", 1): self = .end
    default: return nil
    }
  }
}

/// Where in its life an application is.
enum CheckStage: Equatable, Sendable {
  /// The dynamic linker has it: relocation, constructors.
  case constructors
  case entry
  case load
  case probe
  case drain
  case unload
  /// A step of the exercise, by name.
  case step(String)

  /// The form in messages.
  var word: String {
    switch self {
    case .constructors: "constructors"
    case .entry: "nsgi_entry"
    case .load: "load"
    case .probe: "probe"
    case .drain: "drain"
    case .unload: "unload"
    case .step(let name): "step \(name)"
    }
  }

  init(word: String) {
    switch word {
    case "constructors": self = .constructors
    case "nsgi_entry": self = .entry
    case "load": self = .load
    case "probe": self = .probe
    case "drain": self = .drain
    case "unload": self = .unload
    default: self = .step(word.hasPrefix("step ") ? String(word.dropFirst(5)) : word)
    }
  }

  /// Continues a sentence such as "app.so crashed".
  func place(in entry: String?) -> String {
    switch self {
    case .constructors: "in a constructor, before its entry"
    case .entry: "in \(entry ?? "nsgi_entry")"
    case .load: "in load()"
    case .probe: "in probe()"
    case .drain: "in drain()"
    case .unload: "in unload()"
    case .step(let name): "in the exercise \"\(name)\""
    }
  }
}

/// Facts that only the application itself can tell.
enum CheckFact: String {
  case name, version, minor, flags
  /// The library has left memory after dlclose.
  case unloaded
}

/// The child's end of the pipe. One write(2) per line, so that lines of several threads stay apart.
struct CheckReporter: Sendable {
  let descriptor: Int32

  func send(_ message: CheckMessage) {
    var line = message.line
    line.withUTF8 { try? System.writeAll(descriptor, UnsafeRawBufferPointer($0)) }
  }

  /// Runs code of the application, and reports when it begins and that it has returned.
  func during<Result>(_ stage: CheckStage, limit: Double, _ body: () -> Result) -> Result {
    // A child whose parent is gone ends too; the parent itself is faster.
    System.endAfter(seconds: UInt32(limit) + 10)
    send(.entering(stage))
    let start = System.now()
    let result = body()
    send(.passed(stage, microseconds: (System.now() - start) / 1000))
    return result
  }
}
