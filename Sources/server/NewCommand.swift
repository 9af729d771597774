import Glibc
import Host

/// `server new NAME`: writes the directory of a new application, ready to be built.
enum NewCommand {
  static let usage = """
    Usage: server new NAME --language c|cpp|swift|rust [--directory DIR]

    Writes a new application to DIR (default: ./NAME): its source, what builds it, a README that says how
    to run and try it, and the interface itself, so that the directory needs nothing of this server but to
    be served.

    NAME becomes part of file names and of the source: letters, digits and underscores.
    """

  /// Languages that there is a template for.
  enum Language: String, CaseIterable {
    case c, cpp, swift, rust

    func template(_ name: String) -> Template {
      switch self {
      case .c: .c(name)
      case .cpp: .cpp(name)
      case .swift: .swift(name)
      case .rust: .rust(name)
      }
    }
  }

  private struct Invocation {
    var name: String
    var language: Language
    var directory: String
  }

  /// Runs the command; the exit code.
  static func run(_ arguments: [String]) -> Int32 {
    guard !arguments.contains("--help"), !arguments.contains("-h") else {
      print(usage)
      return 0
    }
    do {
      let invocation = try parse(arguments)
      let template = invocation.language.template(invocation.name)
      try write(template, to: invocation.directory, from: try Share.find())
      let language = template.language
      print("\(invocation.directory): a new app in \(language); README.md says how to build and run it")
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
      case "--directory": directory = try words.value(of: word, "DIR")
      case let option where option.hasPrefix("-"): throw words.unknown(option)
      case let text:
        guard name == nil else { throw UsageError("`\(text)` is one name too many: make one app at a time") }
        name = text
      }
    }
    guard let name else { throw UsageError("no name for the app: write server new NAME --language c") }
    try check(name)
    guard let language else {
      throw UsageError("no language: write server new \(name) --language c, or cpp, swift, rust")
    }
    guard directory != "" else {
      throw UsageError("--directory: the value is missing; write --directory DIR")
    }
    return Invocation(name: name, language: language, directory: directory ?? name)
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
    "break", "continue", "void", "int", "char",
  ]

  private static func write(
    _ template: Template, to directory: String, from share: Share
  ) throws(UsageError) {
    do throws(FileError) {
      if let names = try FileSystem.names(in: directory), !names.isEmpty {
        throw FileError("\(directory) is not empty: choose another with --directory, or empty it")
      }
      try FileSystem.makeDirectories(directory)
      for (path, text) in template.files { try FileSystem.write(text, to: "\(directory)/\(path)") }
      for (source, target) in template.copies { try share.copy(source, to: "\(directory)/\(target)") }
    } catch { throw UsageError("\(error)") }
  }
}

/// What `server new` writes for one language.
struct Template {
  /// Its name as people write it.
  let language: String
  /// Paths in the new directory, and what stands in the files.
  let files: [(path: String, text: String)]
  /// Files and directories of the share, and where they go in the new directory.
  let copies: [(source: String, target: String)]

  /// What every README says below its first paragraph.
  static func recipe(library: String) -> String {
    """
    ## Run:

    ```sh
    make
    server --app \(library) --http-socket 127.0.0.1:8080
    ```

    ## Test:

    ```sh
    curl -s http://127.0.0.1:8080/
    ```

    ## Answer:

    ```text
    Hello World!
    ```

    `make check` asks the server whether the library is a good application, and drives it through what
    servers and clients do.

    """
  }

  /// What every Makefile ends with: the verb `check`.
  static func checkVerb(library: String) -> String {
    """
    # The server that checks: make check SERVER=/path/to/server
    SERVER ?= server
    .PHONY: check
    check: all
    \t$(SERVER) check \(library) --exercise

    """
  }
}
