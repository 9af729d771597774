// Python: WSGI and ASGI applications, made by the plugin python3. uWSGI's names and meanings.

let pythonRuntime = RuntimeSpec(
  name: "python3", aliases: ["python"], example: "-w MODULE", target: "module",
  keepsModules: true,
  claims: { target in
    PythonTarget.isFile(target) ? AppOption(key: "wsgi-file", value: String(target)) : nil
  },
  accepts: { target in
    PythonTarget.isModule(target) ? AppOption(key: "module", value: String(target)) : nil
  })

/// The forms that name a WSGI application.
enum PythonTarget {
  /// `blog.wsgi` or `blog.py`, optionally followed by `:callable`. `blog.wsgi:app` is the module `blog.wsgi`,
  /// as Django generates it; the file is written with a slash.
  static func isFile(_ text: Substring) -> Bool {
    // A file's name may contain a colon itself.
    [text, path(text)].contains { name in
      let isNamed = name.utf8.contains(Ascii.slash) || name.endIndex == text.endIndex
      return name.hasSuffix(".py") || (name.hasSuffix(".wsgi") && isNamed)
    }
  }

  /// `blog.wsgi:app`: a file if there is one.
  static func isModuleUnlessFile(_ text: Substring) -> Substring? {
    let path = path(text)
    return path.hasSuffix(".wsgi") && !isFile(text) ? path : nil
  }

  /// The text before `:callable`. A call may contain colons in its brackets.
  private static func path(_ text: Substring) -> Substring {
    let bytes = text.utf8
    for colon in bytes.indices where bytes[colon] == Ascii.colon {
      let name = text[bytes.index(after: colon)...].utf8
      let end = name.last == UInt8(ascii: ")") ? name.firstIndex(of: UInt8(ascii: "(")) : name.endIndex
      if let end, end > name.startIndex, name[..<end].allSatisfy(isOfName) { return text[..<colon] }
    }
    return text
  }

  private static func isOfName(_ byte: UInt8) -> Bool {
    Ascii.isLetter(byte) || Ascii.isDigit(byte) || byte == Ascii.underscore || byte == UInt8(ascii: ".")
  }

  /// The value of an option that names a module.
  static func module(_ text: String, example: String) throws(ValueError) -> String {
    guard isModule(text[...]) else { throw text.isEmpty ? .empty(example: example) : .moduleIsPath(text) }
    return text
  }

  /// One of the words that an option takes.
  static func word(_ text: String, of known: [String]) throws(ValueError) -> String {
    guard known.contains(text) else { throw .unknownWord(text, known: known) }
    return text
  }

  /// `module`, `package.module:callable` or `module:factory()`.
  static func isModule(_ text: Substring) -> Bool {
    let module = text.utf8.firstIndex(of: Ascii.colon).map { text[..<$0] } ?? text
    return !module.isEmpty && !module.utf8.contains(Ascii.slash)
  }
}

let pythonOptions = OptionGroup(
  title: "Python (WSGI and ASGI; any of these loads the plugin python3)",
  options: [
    OptionSpec(
      "module", short: "w",
      "serve this application, WSGI or ASGI: application of the module, or what stands behind the colon",
      .value(placeholder: "MODULE[:CALLABLE]") { (draft, text) throws(ValueError) in
        draft.make("python3", "module", try PythonTarget.module(text, example: "-w hello:app"))
      }),
    OptionSpec(
      "wsgi", "the same, and refuse it if it is no WSGI application",
      .value(placeholder: "MODULE[:CALLABLE]") { (draft, text) throws(ValueError) in
        draft.make("python3", "wsgi", try PythonTarget.module(text, example: "--wsgi hello:app"))
      }),
    OptionSpec(
      "asgi", "the same, and refuse it if it is no ASGI application",
      .value(placeholder: "MODULE[:CALLABLE]") { (draft, text) throws(ValueError) in
        draft.make("python3", "asgi", try PythonTarget.module(text, example: "--asgi hello:app"))
      }),
    OptionSpec(
      "interface", default: "auto", "what Python applications are: auto looks at each",
      .value(placeholder: "KIND") { (draft, text) throws(ValueError) in
        draft.tell("python3", "interface", try PythonTarget.word(text, of: ["auto", "wsgi", "asgi"]))
      }),
    OptionSpec(
      "asgi-loop", default: "auto",
      "the event loop of ASGI: auto is asyncio's where the server leads it, otherwise uvloop if installed",
      .value(placeholder: "KIND") { (draft, text) throws(ValueError) in
        draft.tell("python3", "asgi-loop", try PythonTarget.word(text, of: ["auto", "asyncio", "uvloop"]))
      }),
    OptionSpec(
      "asgi-tasks", default: "10000", "requests of ASGI applications under way at once; others wait",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        draft.tell("python3", "asgi-tasks", "\(try Value.number(text, 1...1_000_000))")
      }),
    OptionSpec(
      "wsgi-file", aliases: ["file"], "serve the application of this file",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.make("python3", "wsgi-file", try Value.text(text, example: "--wsgi-file hello.py"))
      }),
    OptionSpec(
      "callable", default: "application", "name of the application in its module or file",
      .value(placeholder: "NAME") { (draft, text) throws(ValueError) in
        draft.tell("python3", "callable", try Value.text(text, example: "--callable app"))
      }),
    OptionSpec(
      "venv", short: "H", aliases: ["virtualenv", "home", "pyhome"], "use this virtual environment",
      .value(placeholder: "DIR") { (draft, text) throws(ValueError) in
        draft.tell("python3", "venv", try Value.text(text, example: "--venv /srv/app/venv"))
      }),
    OptionSpec(
      "python", default: "that of the virtual environment, else /usr/bin/python3",
      "serve with this Python, 3.9 to 3.14",
      .value(placeholder: "PROGRAM") { (draft, text) throws(ValueError) in
        draft.tell("python3", "python", try Value.text(text, example: "--python /opt/python/bin/python3.12"))
      }),
    OptionSpec(
      "embed", "run Python in the server's own program, which takes the shared library of Python",
      .flag { $0.tell("python3", "embed", $1 ? "true" : "false") }),
    OptionSpec(
      "pythonpath", aliases: ["pp", "python-path"], repeats: true, "look for modules here first",
      .value(placeholder: "DIR") { (draft, text) throws(ValueError) in
        draft.tell(
          "python3", "pythonpath", try Value.text(text, example: "--pythonpath /srv/app"), repeats: true)
      }),
    OptionSpec(
      "env", repeats: true, "set this variable in the environment of Python applications",
      .value(placeholder: "NAME=VALUE") { (draft, text) throws(ValueError) in
        guard let (name, _) = text.cut(at: Ascii.equals), !name.isEmpty else {
          throw .variableWithoutEquals(text)
        }
        draft.tell("python3", "env", text, repeats: true)
      }),
    OptionSpec(
      "pyargv", "sys.argv after the program name, split at spaces",
      .value(placeholder: "WORDS") { (draft, text) throws(ValueError) in draft.tell("python3", "pyargv", text)
      }),
    OptionSpec(
      "py-autoreload", aliases: ["py-auto-reload", "python-autoreload", "python-auto-reload"],
      "look every so many seconds whether a module's file has changed, and reload; 0: never",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.tell("python3", "py-autoreload", "\(try Value.number(text, 0...86_400))")
      }),
    OptionSpec(
      "catch-exceptions", "show the traceback of an exception to the client (development only)",
      .flag { $0.tell("python3", "catch-exceptions", $1 ? "true" : "false") }),
  ])
