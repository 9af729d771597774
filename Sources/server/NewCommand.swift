import Config
import Glibc
import Host

/// `server new NAME`: writes the directory of a new application, ready to be built.
enum NewCommand {
  static let usage = """
    Usage: \(Program.command) new NAME --language c|cpp|go|rust|swift|zig [--directory DIR]
           \(Program.command) new NAME --language python --framework flask|django|fastapi [--directory DIR]

    Writes a new application to DIR (default: ./NAME): its source, what builds it, a README that says how
    to run and try it, and the interface itself, so that the directory needs nothing of this server but to
    be served. One in Python takes its framework from PyPI when it first starts, into an environment of its
    own.

    NAME becomes part of file names and of the source: letters, digits and underscores.
    """

  /// Languages that there is a template for: a directory of that name in templates/.
  enum Language: String, CaseIterable {
    case c, cpp, go, python, rust, swift, zig

    /// As people write it.
    var title: String {
      switch self {
      case .c: "C"
      case .cpp: "C++"
      case .go: "Go"
      case .python: "Python"
      case .rust: "Rust"
      case .swift: "Swift"
      case .zig: "Zig"
      }
    }
  }

  /// Frameworks that there is a template for: a directory of that name in templates/python/.
  enum Framework: String, CaseIterable {
    case flask, django, fastapi

    /// As people write it.
    var title: String {
      switch self {
      case .flask: "Flask"
      case .django: "Django"
      case .fastapi: "FastAPI"
      }
    }
  }

  private struct Invocation {
    var name: String
    var language: Language
    /// Of an application in Python.
    var framework: Framework?
    var directory: String

    /// Where its template is, below templates/.
    var template: String { language.rawValue + (framework.map { "/\($0.rawValue)" } ?? "") }
  }

  /// Runs the command; the exit code.
  static func run(_ arguments: [String]) -> Int32 {
    guard !arguments.contains("--help"), !arguments.contains("-h") else {
      print(usage)
      return 0
    }
    do {
      let invocation = try parse(arguments)
      try make(invocation, from: try Share.find())
      let (language, directory) = (invocation.language.title, invocation.directory)
      guard let framework = invocation.framework else {
        print("\(directory): a new app in \(language); README.md says how to build and run it")
        return 0
      }
      let place = directory.utf8.allSatisfy(isPlain) ? directory : "'\(directory)'"
      print(
        "\(directory): a new app in \(language), with \(framework.title); start it with\n"
          + "  make -C \(place) serve\(server)")
      return 0
    } catch {
      Server.announce("\(error)")
      return 1
    }
  }

  private static func parse(_ arguments: [String]) throws(UsageError) -> Invocation {
    var words = Words(arguments, command: "new")
    var name: String?
    var language: Language?
    var framework: Framework?
    var directory: String?
    while let word = try words.next() {
      switch word.name {
      case "--language":
        let text = try words.value(of: word, "LANGUAGE")
        let known = Language.allCases.map(\.rawValue).joined(separator: ", ")
        guard let found = Language(rawValue: text) else {
          throw UsageError("`\(text)` is no language that there is a template for: choose one of \(known)")
        }
        language = found
      case "--framework":
        let text = try words.value(of: word, "FRAMEWORK")
        guard let found = Framework(rawValue: text) else {
          throw UsageError(
            "`\(text)` is no framework that there is a template for: choose flask, django or fastapi")
        }
        framework = found
      case "--directory": directory = try words.value(of: word, "DIR")
      case let option where option.hasPrefix("-"): throw words.unknown(option)
      case let text:
        guard name == nil else { throw UsageError("`\(text)` is one name too many: make one app at a time") }
        name = text
      }
    }
    guard let name else {
      throw UsageError("no name for the app: write \(Program.command) new NAME --language c")
    }
    try check(name)
    guard let language else {
      throw UsageError(
        "no language: write \(Program.command) new \(name) --language c, or cpp, go, python, rust, swift, zig"
      )
    }
    guard (language == .python) == (framework != nil) else {
      throw UsageError(
        language == .python
          ? "no framework: add --framework flask, django or fastapi"
          : "--framework is for Python: leave it out, or write --language python")
    }
    if language == .python, PythonNames.taken.contains(name.lowercased()) {
      throw UsageError(
        "`\(name)` is what a module of Python is called, which this one would hide: choose another, as in "
          + "\(name)_app")
    }
    guard directory != "" else {
      throw UsageError("--directory: the value is missing; write --directory DIR")
    }
    return Invocation(
      name: name, language: language, framework: framework, directory: directory ?? name)
  }

  /// A name that is an identifier in every language, and none of the names that are taken.
  private static func check(_ name: String) throws(UsageError) {
    let isIdentifier = name.utf8.allSatisfy {
      $0 == 0x5f || (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20)
    }
    guard let first = name.utf8.first, isIdentifier, (0x61...0x7a).contains(first | 0x20),
      name.utf8.count <= 64
    else {
      throw UsageError(
        "`\(name)` cannot be the name of an app: use at most 64 letters, digits and underscores, a letter "
          + "first, as in my_app")
    }
    guard !taken.contains(name.lowercased()) else {
      throw UsageError("`\(name)` is a name that a language has taken: choose another, as in \(name)_app")
    }
  }

  /// File names of the kits, modules and keywords.
  private static let taken: Set<String> = [
    "nsgi", "cnsgi", "swift", "foundation", "glibc", "package", "main", "test", "tests", "core", "std",
    "alloc", "proc_macro", "class", "struct", "enum", "func", "fn", "import", "let", "var", "static",
    "return", "self", "super", "crate", "extern", "if", "else", "for", "while", "switch", "case",
    "default", "public", "private", "internal", "protocol", "extension", "init", "in", "is", "as", "do",
    "try", "throw", "throws", "where", "true", "false", "nil", "operator", "type", "mod", "use", "impl",
    "trait", "match", "loop", "move", "mut", "pub", "ref", "unsafe", "async", "await", "dyn", "const",
    "break", "continue", "void", "int", "char", "go", "cmd", "zig", "builtin", "root",
  ]

  /// The variable by which `make` finds this server, where it would not of itself.
  private static var server: String {
    let own = FileSystem.executable()
    let path = FileSystem.variable("PATH") ?? ""
    let names = ["nsgi-server", "server"]
    let known = names.lazy.flatMap { name in path.split(separator: ":").map { "\($0)/\(name)" } }
      .first(where: FileSystem.exists)
    return known.map(FileSystem.realPath) == own ? "" : " SERVER=\(own)"
  }

  /// Whether a shell takes it as it stands.
  private static func isPlain(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || "_-./+:@,".utf8.contains(byte)
  }

  private static func make(_ invocation: Invocation, from share: Share) throws(UsageError) {
    let directory = invocation.directory
    do throws(FileError) {
      if let names = try FileSystem.names(in: directory), !names.isEmpty {
        throw FileError("\(directory) is not empty: choose another with --directory, or empty it")
      }
      try FileSystem.makeDirectories(directory)
      let template = Template(path: "\(share.path)/templates/\(invocation.template)")
      try template.copy(to: directory, name: invocation.name)
    } catch { throw UsageError("\(error)") }
  }
}
