// Which Python serves: from the program that the operator or an environment names to its release and its
// shared library. Starts no program for that: a CGI program has no time for it.
import CPython
import Glibc

/// One CPython on this machine.
struct Installation {
  /// Its program, as named: that of a virtual environment leads Python to its packages.
  let program: String
  /// The same with links resolved.
  let realProgram: String
  /// The 11 of 3.11.
  let minor: Int
  /// Where it is installed: the folder above that of its program.
  let prefix: String

  /// "3.11".
  var release: String { "3.\(minor)" }
  /// The name of its shared library.
  var libraryName: String { "libpython\(release).so.1.0" }

  /// Releases of Python 3 whose C API the plugin knows.
  static let served = 9...14

  /// The Python of --python, otherwise of --venv, otherwise of the environment that the server was installed
  /// into or that is active, otherwise the one beside the server's program, otherwise the system's.
  static func find(_ options: PythonOptions) throws(LoadFailure) -> Installation {
    if let program = options.program { return try of(try named(program), "--python \(program)") }
    if let home = options.home ?? own ?? active {
      let path = Home.absolute(home)
      if let program = program(in: "\(path)/bin") { return try of(program, "--venv \(home)") }
      try Home.exists(home, path)
      if access("\(path)/pyvenv.cfg", F_OK) == 0 {
        throw LoadFailure(
          "the virtual environment \(home) has no Python: \(path)/bin/python is missing or leads nowhere; "
            + "make it anew with python3 -m venv --clear \(home)")
      }
      // A prefix with only packages: the system's Python may try.
    }
    guard let program = program(in: folder) ?? program(in: "/usr/bin") ?? System.inPath("python3") else {
      throw LoadFailure("there is no Python here: install python3, or name a Python with --python PROGRAM")
    }
    return try of(program, program)
  }

  /// The folder that the server's program is in.
  private static var folder: String {
    let path = System.program()
    return "/" + path.split(separator: "/").dropLast().joined(separator: "/")
  }

  /// The virtual environment that the server is in: pip has installed it there.
  static var own: String? {
    guard folder.hasSuffix("/bin") else { return nil }
    let path = String(folder.dropLast(4))
    return access("\(path)/pyvenv.cfg", F_OK) == 0 && program(in: folder) != nil ? path : nil
  }

  /// The virtual environment that the server was started in.
  static var active: String? {
    guard let path = getenv("VIRTUAL_ENV").map({ String(cString: $0) }),
      access("\(path)/pyvenv.cfg", F_OK) == 0, program(in: "\(path)/bin") != nil
    else { return nil }
    return path
  }

  /// A Python program in a folder.
  static func program(in folder: String) -> String? {
    let others = System.names(in: folder).filter { release(of: $0) != nil }.sorted()
    return (["python3", "python"] + others).map { "\(folder)/\($0)" }.first { access($0, X_OK) == 0 }
  }

  private static func named(_ program: String) throws(LoadFailure) -> String {
    let isPath = program.utf8.contains(UInt8(ascii: "/"))
    guard let path = isPath ? Home.absolute(program) : System.inPath(program), access(path, X_OK) == 0 else {
      throw LoadFailure("there is no program \(program): correct the path given to --python")
    }
    return path
  }

  /// - Parameter origin: where it was named, for the error message.
  private static func of(_ program: String, _ origin: String) throws(LoadFailure) -> Installation {
    let real = System.realPath(program) ?? program
    let parts = real.split(separator: "/")
    let prefix = "/" + parts.dropLast(2).joined(separator: "/")
    let name = parts.last.map(String.init) ?? ""
    if name.hasPrefix("pypy") {
      throw LoadFailure(
        "\(origin) leads to PyPy (\(real)), and this plugin serves CPython: name another one with --python")
    }
    let told = name.hasPrefix("python") ? release(of: name) ?? release(below: prefix) : nil
    guard let (minor, isFreeThreaded) = told else {
      throw LoadFailure(
        "\(origin) leads to \(real), which is not the program of a CPython 3: name one, such as "
          + "/usr/bin/python3, with --python (of pyenv, what `pyenv which python` says)")
    }
    if isFreeThreaded {
      throw LoadFailure(
        "\(origin) leads to the free-threaded build of Python 3.\(minor) (\(real)), and this plugin serves "
          + "builds with the interpreter's lock: name python3.\(minor) of such a one with --python")
    }
    guard served.contains(minor) else {
      throw LoadFailure(
        "\(origin) leads to Python 3.\(minor) (\(real)), and this plugin serves Python "
          + "3.\(served.lowerBound) to 3.\(served.upperBound): make the environment anew with one of those")
    }
    return Installation(program: program, realProgram: real, minor: minor, prefix: prefix)
  }

  /// The release in "python3.11"; that of free-threaded builds ends with a t.
  private static func release(of name: String) -> (Int, Bool)? {
    guard name.hasPrefix("python3.") else { return nil }
    let rest = name.dropFirst(8)
    let isFreeThreaded = rest.hasSuffix("t")
    return Int(isFreeThreaded ? rest.dropLast() : rest).map { ($0, isFreeThreaded) }
  }

  /// The release of the only standard library below a prefix.
  private static func release(below prefix: String) -> (Int, Bool)? {
    let found = System.names(in: "\(prefix)/lib").filter { name in
      release(of: name) != nil && access("\(prefix)/lib/\(name)/os.py", F_OK) == 0
    }
    return found.count == 1 ? release(of: found[0]) : nil
  }
}

/// The shared library of the Python that serves.
enum PythonLibrary {
  /// Loads it, for extension modules too, which find its symbols among those of the process.
  static func load(_ installation: Installation) throws(LoadFailure) {
    try resolve(try open(installation), installation.minor, installation.libraryName)
    let version = String(cString: Py_GetVersion())
    guard version.hasPrefix("\(installation.release).") else {
      throw LoadFailure(
        "\(installation.libraryName) is Python \(version.prefix { $0 != " " }), not \(installation.release)")
    }
    try refuseFreeThreaded(installation.realProgram)
  }

  /// Its program says so by its name (`Installation`), unless somebody has renamed it.
  private static func refuseFreeThreaded(_ program: String) throws(LoadFailure) {
    guard !String(cString: Py_GetVersion()).split(separator: " ").contains("free-threading") else {
      throw LoadFailure(
        "\(program) is a free-threaded build, and this plugin serves builds with the interpreter's lock")
    }
  }

  /// Uses the one in the program of this process.
  static func join(_ minor: Int32, _ program: String) throws(LoadFailure) {
    guard let itself = System.openForAll(nil) else {
      throw LoadFailure("\(program) cannot be looked into: \(System.loaderError)")
    }
    try resolve(itself, Int(minor), program)
    try refuseFreeThreaded(program)
  }

  private static func resolve(
    _ library: UnsafeMutableRawPointer, _ minor: Int, _ name: String
  ) throws(LoadFailure) {
    guard let missing = py_resolve(library, Int32(minor)) else { return }
    throw LoadFailure(
      "\(name) of Python 3.\(minor) has no \(String(cString: missing)): it is no CPython that this plugin "
        + "knows")
  }

  private static func open(_ installation: Installation) throws(LoadFailure) -> UnsafeMutableRawPointer {
    let (prefix, name) = (installation.prefix, installation.libraryName)
    let folders = ["\(prefix)/lib", "\(prefix)/lib64", "\(prefix)/lib/\(System.multiarch)"]
    for path in folders.map({ "\($0)/\(name)" }) where access(path, F_OK) == 0 {
      if let library = System.openForAll(path) { return library }
      throw LoadFailure("the library of Python cannot be loaded: \(System.loaderError)")
    }
    // Another build of the same release that the linker finds: both share packages.
    if let library = System.openForAll(name) { return library }
    throw LoadFailure(
      "Python \(installation.release) of \(installation.realProgram) has no shared library: \(name) is "
        + "neither in \(folders.joined(separator: ", ")) nor where the linker looks; install it (Debian: "
        + "libpython\(installation.release)), or name a Python built with --enable-shared with --python")
  }
}
