// Which standard library Python uses, and whose packages: the interpreter's own, or those of --venv.
import CPython
import Glibc

/// Paths for PyConfig. The standard library must come from the same build as libpython, since its extension
/// modules depend on its internals; packages for the same minor version suit all builds.
struct Home {
  /// `program_name`: where Python begins to search.
  var program: String?
  /// `home`: where the standard library is, whatever `program` says.
  var prefix: String?
  /// A prefix without pyvenv.cfg of which only the packages are used.
  var packages: String?
  /// A remark for the operator.
  var remark: String?

  /// Finds it by the option --venv, or by the environment that the server is in or that is active; --python
  /// alone is a home by itself.
  static func find(
    _ options: PythonOptions, _ installation: Installation
  ) throws(LoadFailure) -> Home {
    if options.program != nil, options.home == nil {
      let folder = System.parent(System.parent(installation.program))
      let isEnvironment = access("\(folder)/pyvenv.cfg", F_OK) == 0
      return isEnvironment ? try environment(folder, folder) : try other(installation.prefix)
    }
    guard let option = options.home ?? Installation.own ?? Installation.active
    else { return Home(program: ownProgram()) }
    let path = absolute(option)
    try exists(option, path)
    return access("\(path)/pyvenv.cfg", F_OK) == 0 ? try environment(option, path) : try other(path)
  }

  /// Throws if an environment does not exist.
  static func exists(_ option: String, _ path: String) throws(LoadFailure) {
    guard access(path, F_OK) != 0 else { return }
    throw LoadFailure(
      "the virtual environment \(option) does not exist: correct --venv, or make it with "
        + "python\(release) -m venv \(option)")
  }

  /// A virtual environment is found by the program in it (PEP 405), which leads to the library that it was
  /// made with. If that comes from another build than the shared library that was found, the standard library
  /// of the latter is used with the same packages.
  private static func environment(_ option: String, _ path: String) throws(LoadFailure) -> Home {
    guard access("\(path)/lib/python\(release)", F_OK) == 0 else {
      throw LoadFailure(
        "the virtual environment \(option) is of another Python than the \(release) that serves: make it "
          + "anew with python\(release) -m venv \(option)")
    }
    var home = Home(program: program(in: "\(path)/bin") ?? "\(path)/bin/python")
    let settings = System.settings("\(path)/pyvenv.cfg")
    guard let base = settings["home"], let own = ownPrefix(), !isSame(prefix(of: base), own) else {
      return home
    }
    let version = settings["version_info"] ?? settings["version"] ?? release
    home.prefix = own
    home.remark =
      "the virtual environment \(option) was made by Python \(version) in \(base), which has no shared "
      + "library, and the one that was found is Python \(ownVersion) in \(own): its packages are "
      + "used, with that one's standard library; to have both of one build, make it anew with "
      + "\(own)/bin/python\(release) -m venv \(option)"
    return home
  }

  /// Another prefix of Python: used unchanged, unless its standard library comes from another build.
  private static func other(_ path: String) throws(LoadFailure) -> Home {
    guard hasLibrary(path) else {
      throw LoadFailure(
        "\(path) is neither a virtual environment (it has no pyvenv.cfg) nor the prefix of a Python "
          + "\(release): correct --venv, or make one with python\(release) -m venv \(path)")
    }
    guard let own = ownPrefix(), !isSame(path, own) else {
      return Home(program: program(in: "\(path)/bin"), prefix: path)
    }
    var home = Home(program: ownProgram())
    home.packages = path
    home.remark =
      "\(path) is the prefix of another Python than the \(ownVersion) in \(own) whose shared library "
      + "was found: its packages are used, with that one's standard library"
    return home
  }

  // MARK: What is installed

  /// "3.11".
  private static var release: String { Interpreter.release }

  /// "3.11.2".
  private static var ownVersion: String {
    String(String(cString: Py_GetVersion()).prefix { $0 != " " })
  }

  /// The interpreter's own program, which is somewhere above its library; not the first in PATH, which may
  /// belong to another one.
  private static func ownProgram() -> String? {
    guard let library = Interpreter.libraryPath(), let real = System.realPath(library) else { return nil }
    var folder = real
    while let slash = folder.utf8.lastIndex(of: UInt8(ascii: "/")), slash > folder.startIndex {
      folder = String(folder[..<slash])
      let program = "\(folder)/bin/python\(release)"
      if access(program, X_OK) == 0 { return program }
    }
    return nil
  }

  /// The prefix of the loaded Python, if its standard library is where it should be.
  private static func ownPrefix() -> String? {
    guard let program = ownProgram(), let prefix = prefix(ofProgram: program), hasLibrary(prefix) else {
      return nil
    }
    return prefix
  }

  private static func program(in folder: String) -> String? {
    ["python\(release)", "python3", "python"].map { "\(folder)/\($0)" }.first { access($0, X_OK) == 0 }
  }

  /// The prefix of the Python whose programs are in a folder; nil for one that is no longer there.
  private static func prefix(of folder: String) -> String? {
    program(in: folder).flatMap { prefix(ofProgram: $0) }
  }

  private static func prefix(ofProgram program: String) -> String? {
    guard let real = System.realPath(program) else { return nil }
    let parts = real.split(separator: "/").dropLast(2)
    return "/" + parts.joined(separator: "/")
  }

  private static func hasLibrary(_ prefix: String) -> Bool { library(prefix) != nil }

  /// The real path of a prefix's standard library.
  private static func library(_ prefix: String) -> String? {
    for folder in ["lib", "lib64"] {
      if let found = System.realPath("\(prefix)/\(folder)/python\(release)/os.py") { return found }
    }
    return nil
  }

  /// Whether two prefixes have the same standard library.
  private static func isSame(_ one: String?, _ other: String) -> Bool {
    guard let one, let library = library(one) else { return false }
    return library == Self.library(other)
  }

  static func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/"), let here = System.workingDirectory() else { return path }
    return here + "/" + path
  }
}
