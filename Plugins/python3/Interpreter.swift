// The one interpreter of the process: how it starts, how it is locked, how it ends.
import CNSGI
import CPython
import Glibc

/// CPython in this process.
enum Interpreter {
  private nonisolated(unsafe) static var isStarted = false
  /// Applications that are loaded.
  private nonisolated(unsafe) static var apps = 0
  /// The module of Bootstrap.swift.
  nonisolated(unsafe) static var module: Object!
  /// The server's log.
  nonisolated(unsafe) static var host: UnsafePointer<nsgi_host>!

  /// Starts it, unless an earlier application has; leaves it unlocked.
  static func start(_ options: PythonOptions, _ boot: nsgi_boot) throws(LoadFailure) {
    guard !isStarted else { return }
    host = boot.host
    shareLibrary()
    for line in options.environment {
      let name = line.prefix { $0 != "=" }
      setenv(String(name), String(line.dropFirst(name.count + 1)), 1)
    }
    try initialize(options)
    Threads.start()
    Copy.watch()
    defer { PyEval_SaveThread() }
    try Types.make()
    module = try bootstrap(boot)
    Names.make(module)
    isStarted = true
  }

  /// Debian's extension modules do not link libpython: its symbols have to be there for all.
  private static func shareLibrary() {
    guard let path = libraryPath() else { return }
    System.shareSymbols(of: path)
  }

  private static func libraryPath() -> String? { py_library().map { String(cString: $0) } }

  // MARK: Start

  private static func initialize(_ options: PythonOptions) throws(LoadFailure) {
    var early = PyPreConfig()
    PyPreConfig_InitPythonConfig(&early)
    try check(Py_PreInitialize(&early))
    var config = PyConfig()
    PyConfig_InitPythonConfig(&config)
    defer { PyConfig_Clear(&config) }
    // The server reads signals itself; what argv says was for the server.
    config.install_signal_handlers = 0
    config.parse_argv = 0
    if let home = options.home {
      try setHome(home, &config)
    } else if let program = ownProgram() {
      try set(&config, \.program_name, program)
    }
    for word in ["server"] + options.arguments {
      guard let wide = Py_DecodeLocale(word, nil) else { continue }
      defer { PyMem_RawFree(wide) }
      try check(PyWideStringList_Append(&config.argv, wide))
    }
    try check(Py_InitializeFromConfig(&config))
  }

  /// A virtual environment is found by the program in it (PEP 405); any other prefix is said outright.
  private static func setHome(_ home: String, _ config: inout PyConfig) throws(LoadFailure) {
    let path = absolute(home)
    guard access(path, F_OK) == 0 else {
      throw LoadFailure(
        "the virtual environment \(home) does not exist: correct --venv, or make it with "
          + "python\(Self.release) -m venv \(home)")
    }
    guard access("\(path)/pyvenv.cfg", F_OK) == 0 else { return try set(&config, \.home, path) }
    guard access("\(path)/lib/python\(Self.release)", F_OK) == 0 else {
      throw LoadFailure(
        "the virtual environment \(home) is of another Python than the \(Self.release) of "
          + "this plugin: make it anew with python\(Self.release) -m venv \(home)")
    }
    let programs = ["python\(Self.release)", "python3", "python"].map { "\(path)/bin/\($0)" }
    try set(&config, \.program_name, programs.first { access($0, X_OK) == 0 } ?? programs[2])
  }

  /// The interpreter's own program, which stands somewhere above its library; not the first of PATH, which
  /// may be another's.
  private static func ownProgram() -> String? {
    guard let library = libraryPath(), let real = realpath(library, nil) else { return nil }
    defer { free(real) }
    var folder = String(cString: real)
    while let slash = folder.utf8.lastIndex(of: UInt8(ascii: "/")), slash > folder.startIndex {
      folder = String(folder[..<slash])
      let program = "\(folder)/bin/python\(Self.release)"
      if access(program, X_OK) == 0 { return program }
    }
    return nil
  }

  /// "3.11".
  static var release: String { "\(PY_MAJOR_VERSION).\(PY_MINOR_VERSION)" }

  private static func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/"), let here = getcwd(nil, 0) else { return path }
    defer { free(here) }
    return String(cString: here) + "/" + path
  }

  private static func set(
    _ config: inout PyConfig, _ member: WritableKeyPath<PyConfig, UnsafeMutablePointer<wchar_t>?>,
    _ text: String
  ) throws(LoadFailure) {
    var value = config[keyPath: member]
    let status = PyConfig_SetBytesString(&config, &value, text)
    config[keyPath: member] = value
    try check(status)
  }

  private static func check(_ status: PyStatus) throws(LoadFailure) {
    guard PyStatus_Exception(status) != 0 else { return }
    let reason = status.err_msg.map { String(cString: $0) } ?? "no reason given"
    throw LoadFailure("Python \(Self.release) cannot start: \(reason)")
  }

  /// Runs the source of Bootstrap.swift as the module `_nsgi`.
  private static func bootstrap(_ boot: nsgi_boot) throws(LoadFailure) -> Object {
    guard let module = PyImport_AddModule("_nsgi"), let space = PyModule_GetDict(module),
      let log = PyCFunction_NewEx(Types.logFunction, nil, nil),
      let reload = PyCFunction_NewEx(Types.reloadFunction, nil, nil),
      let facts = Py_BuildValue3(boot.worker, boot.generation, boot.host.pointee.version)
    else { throw LoadFailure("Python \(Self.release) has no memory left") }
    PyDict_SetItemString(space, "__builtins__", PyEval_GetBuiltins())
    PyDict_SetItemString(space, "log", log)
    PyDict_SetItemString(space, "reload", reload)
    py_release(reload)
    PyDict_SetItemString(space, "facts", facts)
    py_release(log)
    py_release(facts)
    guard let code = Py_CompileString(bootstrapSource, "<server>", Py_file_input),
      let result = PyEval_EvalCode(code, space, space)
    else {
      PyErr_Print()
      throw LoadFailure("Python \(Self.release) cannot start: its standard library is not as it should be")
    }
    py_release(code)
    py_release(result)
    return module
  }

  private static func Py_BuildValue3(
    _ worker: UInt32, _ generation: UInt32, _ version: UnsafePointer<CChar>!
  ) -> Object? {
    guard let facts = PyTuple_New(3) else { return nil }
    PyTuple_SetItem(facts, 0, PyLong_FromUnsignedLong(UInt(worker)))
    PyTuple_SetItem(facts, 1, PyLong_FromUnsignedLong(UInt(generation)))
    PyTuple_SetItem(facts, 2, PyUnicode_FromString(version))
    return facts
  }

  // MARK: Lock

  /// Does something in Python on a thread of the server.
  static func withLock<Result>(_ body: () throws(LoadFailure) -> Result) throws(LoadFailure) -> Result {
    _ = Threads.enter()
    defer { PyEval_SaveThread() }
    return try body()
  }

  /// Lets other threads run Python meanwhile.
  @inline(__always)
  static func unlocked<Result>(_ body: () -> Result) -> Result {
    let state = PyEval_SaveThread()
    defer { PyEval_RestoreThread(state) }
    return body()
  }

  // MARK: End

  static func loaded() { apps += 1 }

  /// An application goes; with the last one `atexit` runs. There is no finalisation: threads that Python
  /// knows nothing of may still be in it.
  static func unloaded(_ app: UnsafeMutablePointer<WSGIApp>) {
    _ = Threads.enter()
    defer { PyEval_SaveThread() }
    app.pointee.end()
    apps -= 1
    guard apps == 0 else { return }
    if let result = PyObject_CallMethod0(module, "end") { py_release(result) } else { PyErr_Clear() }
    if Copy.isThis { Copy.end() }
    Log.flush()
  }

  private static func PyObject_CallMethod0(_ object: Object, _ name: String) -> Object? {
    guard let text = PyUnicode_FromString(name) else { return nil }
    defer { py_release(text) }
    return PyObject_CallMethodNoArgs(object, text)
  }
}
