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
    let home = try initialize(options)
    Threads.start()
    Copy.watch()
    defer { PyEval_SaveThread() }
    try Types.make()
    module = try bootstrap(boot)
    Names.make(module)
    if let packages = home.packages { call("add_packages", packages) }
    if let remark = home.remark { Log.line(remark, NSGI_WARNING) }
    isStarted = true
  }

  /// Debian's extension modules do not link libpython: its symbols have to be there for all.
  private static func shareLibrary() {
    guard let path = libraryPath() else { return }
    System.shareSymbols(of: path)
  }

  static func libraryPath() -> String? { py_library().map { String(cString: $0) } }

  // MARK: Start

  private static func initialize(_ options: PythonOptions) throws(LoadFailure) -> Home {
    var early = PyPreConfig()
    PyPreConfig_InitPythonConfig(&early)
    try check(Py_PreInitialize(&early))
    var config = PyConfig()
    PyConfig_InitPythonConfig(&config)
    defer { PyConfig_Clear(&config) }
    // The server reads signals itself; what argv says was for the server.
    config.install_signal_handlers = 0
    config.parse_argv = 0
    let home = try Home.find(options.home)
    if let program = home.program { try set(&config, \.program_name, program) }
    if let prefix = home.prefix { try set(&config, \.home, prefix) }
    // Of an environment whose library is not used: its packages are found by its program.
    if home.prefix != nil, let program = home.program { try set(&config, \.executable, program) }
    for word in ["server"] + options.arguments {
      guard let wide = Py_DecodeLocale(word, nil) else { continue }
      defer { PyMem_RawFree(wide) }
      try check(PyWideStringList_Append(&config.argv, wide))
    }
    try check(Py_InitializeFromConfig(&config))
    return home
  }

  /// "3.11".
  static var release: String { "\(PY_MAJOR_VERSION).\(PY_MINOR_VERSION)" }

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
    // sys.modules is the application's to empty.
    py_retain(module)
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

  /// Calls a function of Bootstrap.swift, which may fail.
  private static func call(_ name: String, _ argument: String) {
    guard let function = PyObject_GetAttrString(module, name) else { return PyErr_Clear() }
    defer { py_release(function) }
    guard let text = PyUnicode_DecodeFSDefault(argument) else { return PyErr_Clear() }
    defer { py_release(text) }
    if let result = PyObject_CallOneArg(function, text) { py_release(result) } else { Log.exception() }
  }

  private static func PyObject_CallMethod0(_ object: Object, _ name: String) -> Object? {
    guard let text = PyUnicode_FromString(name) else { return nil }
    defer { py_release(text) }
    return PyObject_CallMethodNoArgs(object, text)
  }
}
