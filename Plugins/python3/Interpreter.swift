// The one interpreter of the process: how it starts, how it is locked, how it ends.
import CNSGI
import CPython
import Glibc

/// CPython in this process.
enum Interpreter {
  private nonisolated(unsafe) static var isStarted = false
  /// Applications that are loaded.
  private nonisolated(unsafe) static var apps = 0
  /// The module of bootstrap.py.
  nonisolated(unsafe) static var module: Object!
  /// The server, for its log.
  nonisolated(unsafe) static var host: UnsafePointer<nsgi_host>!

  /// Starts it, unless an earlier application has; leaves it unlocked.
  static func start(_ options: PythonOptions, _ boot: nsgi_boot) throws(LoadFailure) {
    guard !isStarted else { return }
    host = boot.host
    isGuest = options.isGuest
    let home = isGuest ? try join() : try embed(options)
    Threads.start()
    Copy.watch()
    defer { PyEval_SaveThread() }
    if let unknown = py_check_layouts() {
      throw LoadFailure(
        "Python \(release) of \(program) lays \(String(cString: unknown)) out in a way that this plugin does "
          + "not know: name another Python with --python")
    }
    try Types.make()
    module = try bootstrap(boot, options)
    Names.make(module)
    if isGuest, !isForked { call("take_arguments", (["server"] + options.arguments).joined(separator: " ")) }
    if let packages = home.packages { call("add_packages", packages) }
    if let remark = home.remark { Log.line(remark, NSGI_WARNING) }
    isStarted = true
  }

  /// Starts the interpreter in the server's own program, and locks it.
  private static func embed(_ options: PythonOptions) throws(LoadFailure) -> Home {
    options.setEnvironment()
    let installation = try Installation.find(options)
    try PythonLibrary.load(installation)
    (release, program) = (installation.release, installation.realProgram)
    return try initialize(options, installation)
  }

  /// Locks the interpreter whose program this is.
  private static func join() throws(LoadFailure) -> Home {
    let minor = py_running()
    (release, program) = ("3.\(minor)", System.realPath("/proc/self/exe") ?? "python3")
    try PythonLibrary.join(minor, program)
    py_enter_running()
    return Home()
  }

  /// The process runs the program of a Python.
  private(set) nonisolated(unsafe) static var isGuest = false
  /// The applications were loaded before the process was forked, and bootstrap.py with them.
  private nonisolated(unsafe) static var isForked = false
  /// The file of its program.
  private nonisolated(unsafe) static var program = ""
  /// "3.11"; known once its library is loaded.
  private(set) nonisolated(unsafe) static var release = "3"

  static func libraryPath() -> String? { py_library().map { String(cString: $0) } }

  // MARK: Start

  private static func initialize(
    _ options: PythonOptions, _ installation: Installation
  ) throws(LoadFailure) -> Home {
    var early = PyPreConfig()
    PyPreConfig_InitPythonConfig(&early)
    try check(Py_PreInitialize(&early))
    var config = PyConfig()
    PyConfig_InitPythonConfig(&config)
    defer { PyConfig_Clear(&config) }
    // The server reads signals itself; argv was for the server.
    place(&config, py_install_signal_handlers, Int32.self).pointee = 0
    place(&config, py_parse_argv, Int32.self).pointee = 0
    let home = try Home.find(options, installation)
    if let program = home.program { try set(&config, py_program_name, program) }
    if let prefix = home.prefix { try set(&config, py_home, prefix) }
    // For an environment whose library is not used: its packages are found by its program.
    if home.prefix != nil, let program = home.program { try set(&config, py_executable, program) }
    let words = place(&config, py_argv, PyWideStringList.self)
    for word in ["server"] + options.arguments {
      guard let wide = Py_DecodeLocale(word, nil) else { continue }
      defer { PyMem_RawFree(wide) }
      try check(PyWideStringList_Append(words, wide))
    }
    try check(Py_InitializeFromConfig(&config))
    return home
  }

  /// A member of PyConfig.
  private static func place<Value>(
    _ config: UnsafeMutablePointer<PyConfig>, _ setting: py_setting, _: Value.Type
  ) -> UnsafeMutablePointer<Value> {
    py_setting_place(config, setting).assumingMemoryBound(to: Value.self)
  }

  private static func set(
    _ config: UnsafeMutablePointer<PyConfig>, _ setting: py_setting, _ text: String
  ) throws(LoadFailure) {
    let member = place(config, setting, UnsafeMutablePointer<wchar_t>?.self)
    try check(PyConfig_SetBytesString(config, member, text))
  }

  private static func check(_ status: PyStatus) throws(LoadFailure) {
    guard PyStatus_Exception(status) != 0 else { return }
    let reason = status.err_msg.map { String(cString: $0) } ?? "no reason given"
    throw LoadFailure("Python \(Self.release) cannot start: \(reason)")
  }

  /// Runs bootstrap.py, which the build embeds, as the module `_nsgi`.
  private static func bootstrap(
    _ boot: nsgi_boot, _ options: PythonOptions
  ) throws(LoadFailure) -> Object {
    guard let module = PyImport_AddModule("_nsgi"), let space = PyModule_GetDict(module),
      Functions.add(to: space),
      let facts = Py_BuildValue3(boot.worker, boot.generation, boot.host.pointee.version),
      let said = list(of: options.told + [(key: "server.workers", value: "\(boot.workers)")])
    else { throw LoadFailure("Python \(Self.release) has no memory left") }
    PyDict_SetItemString(space, "__builtins__", PyEval_GetBuiltins())
    PyDict_SetItemString(space, "facts", facts)
    PyDict_SetItemString(space, "said", said)
    py_release(facts)
    py_release(said)
    if try settle(module) { return module }
    let source = String(decoding: PackageResources.bootstrap_py, as: UTF8.self)
    guard let code = Py_CompileString(source, "<server>", Py_file_input),
      let result = PyEval_EvalCode(code, space, space)
    else {
      PyErr_Print()
      throw LoadFailure("Python \(Self.release) cannot start: its standard library is not as it should be")
    }
    py_release(code)
    py_release(result)
    // The application may empty sys.modules.
    py_retain(module)
    return module
  }

  /// Lets bootstrap.py go on as a worker if a zygote has run it; false if none has.
  private static func settle(_ module: Object) throws(LoadFailure) -> Bool {
    guard let function = PyObject_GetAttrString(module, "settle") else {
      PyErr_Clear()
      return false
    }
    py_release(function)
    guard let result = PyObject_CallMethod0(module, "settle") else {
      PyErr_Print()
      throw LoadFailure("what the zygote has loaded cannot be used: sys and os are not as they should be")
    }
    py_release(result)
    // The application may empty sys.modules.
    py_retain(module)
    isForked = true
    return true
  }

  /// A list of pairs of text; nil if there is no memory.
  private static func list(of pairs: [(key: String, value: String)]) -> Object? {
    guard let list = PyList_New(0) else { return nil }
    for pair in pairs {
      guard let entry = PyTuple_New(2) else { return nil }
      defer { py_release(entry) }
      guard let key = PyUnicode_DecodeFSDefault(pair.key) else { return nil }
      PyTuple_SetItem(entry, 0, key)
      guard let value = PyUnicode_DecodeFSDefault(pair.value) else { return nil }
      PyTuple_SetItem(entry, 1, value)
      guard PyList_Append(list, entry) == 0 else { return nil }
    }
    return list
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

  /// Lets other threads run Python during `body`.
  @inline(__always)
  static func unlocked<Result>(_ body: () -> Result) -> Result {
    let state = PyEval_SaveThread()
    defer { PyEval_RestoreThread(state) }
    return body()
  }

  // MARK: End

  static func loaded() { apps += 1 }

  /// An application is unloaded; with the last one `atexit` runs. There is no finalisation: threads that
  /// Python does not know may still be in it.
  static func unloaded(_ end: () -> Void) {
    _ = Threads.enter()
    defer { PyEval_SaveThread() }
    end()
    apps -= 1
    guard apps == 0 else { return }
    if let result = PyObject_CallMethod0(module, "end") { py_release(result) } else { PyErr_Clear() }
    if Copy.isThis { Copy.end() }
    Log.flush()
  }

  /// Calls a function of bootstrap.py, which may fail.
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
