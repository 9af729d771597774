// The plugin's functions that its Python files call: each is put into the module `_nsgi` under its name.
import CNSGI
import CPython
import Glibc

/// METH_FASTCALL.
typealias PyCFunctionFast = @convention(c) (Object?, UnsafePointer<Object?>?, Int) -> Object?

/// The host's extension `draft.request/1` (docs/NSGI.md).
struct RequestTable {
  let note: @convention(c) (nsgi_id, nsgi_str, nsgi_str) -> Int32
  let noted: @convention(c) (nsgi_id, nsgi_str, UnsafeMutablePointer<CChar>?, Int) -> Int64
  let deadline: @convention(c) (nsgi_id, UInt32) -> Int32
  let late: @convention(c) (nsgi_id) -> Int32
  let local: @convention(c) (nsgi_id, UnsafeMutablePointer<nsgi_str>?) -> Int32
}

/// All of them.
enum Functions {
  /// Modules that are embedded in the plugin, and their text.
  static let modules: [(name: String, text: [UInt8])] = [
    ("uwsgi", PackageResources.module_py), ("uwsgidecorators", PackageResources.decorators_py),
    ("_uwsgi_shared", PackageResources.shared_py), ("_uwsgi_cache", PackageResources.cache_py),
    ("_uwsgi_table", PackageResources.table_py), ("_uwsgi_signals", PackageResources.signals_py),
    ("_uwsgi_clock", PackageResources.clock_py), ("_uwsgi_absent", PackageResources.absent_py),
    ("_nsgi_development", PackageResources.development_py), ("_nsgi_keep", PackageResources.keep_py),
    ("_nsgi_asgi.copies", PackageResources.copies_py),
    ("_nsgi_asgi.messages", PackageResources.messages_py),
    ("_nsgi_asgi.exchange", PackageResources.exchange_py),
    ("_nsgi_asgi.websocket", PackageResources.websocket_py),
    ("_nsgi_asgi.serving", PackageResources.serving_py),
    ("_nsgi_asgi.led", PackageResources.led_py),
  ]

  private static let list: [(StaticString, PyCFunctionFast)] =
    [
      ("log", writeToLog), ("reload", reload), ("renew", renew), ("embedded", embedded), ("tally", tally),
      ("note", note), ("noted", noted), ("harakiri", harakiri), ("notice", notice),
      ("tell_leave", tellLeave),
    ] + ASGIFunctions.list + LedLoop.list + ASGISockets.list + WSGISockets.list

  /// Memory into which CPython keeps pointers.
  private nonisolated(unsafe) static let methods = Types.permanent(
    list.map { name, function in
      PyMethodDef(
        ml_name: Types.name(name), ml_meth: unsafeBitCast(function, to: PyCFunction?.self),
        ml_flags: METH_FASTCALL, ml_doc: nil)
    })

  /// Puts them into a module's dict; false if there is no memory.
  static func add(to space: Object) -> Bool {
    for index in list.indices {
      guard let function = PyCFunction_NewEx(methods + index, nil, nil) else { return false }
      defer { py_release(function) }
      guard PyDict_SetItemString(space, methods[index].ml_name, function) == 0 else { return false }
    }
    return true
  }

  /// nil if the host does not have it.
  nonisolated(unsafe) static let request: UnsafePointer<RequestTable>? =
    Interpreter.host.pointee.extension("draft.request/1")?.assumingMemoryBound(to: RequestTable.self)
}

/// log(level, bytes[, id]) -> how many bytes there were: the target of the text files of bootstrap.py. The id
/// is that of the ASGI request whose task writes; 0 or none: the one that this thread is serving.
private let writeToLog: PyCFunctionFast = { _, arguments, count in
  guard count == 2 || count == 3, let arguments else {
    return raise(py_type_error(), "log takes a level and bytes")
  }
  guard let level = Argument.int32(arguments[0]), let id = count == 3 ? Argument.id(arguments[2]) : 0 else {
    return nil
  }
  var view = Py_buffer()
  guard PyObject_GetBuffer(arguments[1], &view, PyBUF_SIMPLE) == 0 else { return nil }
  defer { PyBuffer_Release(&view) }
  Log.append(UnsafeRawBufferPointer(start: view.buf, count: view.len), level: level, of: id)
  return PyLong_FromSsize_t(view.len)
}

/// reload(path): the action of --py-autoreload when that file has changed.
private let reload: PyCFunctionFast = { _, arguments, count in
  guard count == 1, let arguments else { return raise(py_type_error(), "reload takes a path") }
  Reload.begin(Log.string(arguments[0]))
  return none()
}

/// renew(reason) -> whether there is a master that has been asked for a reload.
private let renew: PyCFunctionFast = { _, arguments, count in
  guard count == 1, let arguments else { return raise(py_type_error(), "renew takes a reason") }
  return truth(Reload.ask(Log.string(arguments[0])))
}

/// embedded(name) -> the text of one of the plugin's Python files.
private let embedded: PyCFunctionFast = { _, arguments, count in
  guard count == 1, let arguments else { return raise(py_type_error(), "embedded takes a name") }
  let name = Log.string(arguments[0])
  guard let module = Functions.modules.first(where: { $0.name == name }) else {
    return raise(py_value_error(), "there is no such file in the plugin")
  }
  return module.text.withUnsafeBytes {
    PyBytes_FromStringAndSize($0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
  }
}

/// tally(descriptor, place) -> whether calls are counted there from now on.
private let tally: PyCFunctionFast = { _, arguments, count in
  guard count == 2, let arguments else {
    return raise(py_type_error(), "tally takes a descriptor and a place")
  }
  guard let descriptor = Argument.int32(arguments[0]), let place = Argument.int(arguments[1]) else {
    return nil
  }
  return truth(Tally.begin(descriptor, at: place))
}

/// note(name, value) -> whether the request that this thread is serving has the variable now.
private let note: PyCFunctionFast = { _, arguments, count in
  guard count == 2, let arguments else { return raise(py_type_error(), "note takes a name and a value") }
  guard let table = Functions.request else { return truth(false) }
  let id = Threads.slot().id
  return withBytes(arguments[0]) { name in
    withBytes(arguments[1]) { value in truth(table.pointee.note(id, name, value) == NSGI_OK.rawValue) }
  }
}

/// noted(name) -> its value, None if there is none.
private let noted: PyCFunctionFast = { _, arguments, count in
  guard count == 1, let arguments else { return raise(py_type_error(), "noted takes a name") }
  guard let table = Functions.request else { return none() }
  let id = Threads.slot().id
  return withBytes(arguments[0]) { name in
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16 * 1024) { room in
      let count = table.pointee.noted(id, name, room.baseAddress, room.count)
      return count < 0 || count > room.count
        ? none() : PyBytes_FromStringAndSize(room.baseAddress, Int(count))
    }
  }
}

/// tell_leave(descriptor): has bytes written there when the worker leaves (Leave.swift).
private let tellLeave: PyCFunctionFast = { _, arguments, count in
  guard count == 1, let arguments else { return raise(py_type_error(), "tell_leave takes a descriptor") }
  guard let descriptor = Argument.int32(arguments[0]) else { return nil }
  Leave.tell(descriptor)
  return none()
}

/// harakiri(seconds) -> whether the request that this thread is serving has that time now.
private let harakiri: PyCFunctionFast = { _, arguments, count in
  guard count == 1, let arguments else { return raise(py_type_error(), "harakiri takes seconds") }
  guard let number = Argument.int(arguments[0]) else { return nil }
  guard let seconds = UInt32(exactly: number) else {
    return raise(py_value_error(), "harakiri takes seconds, from 0 to 4294967295")
  }
  guard let table = Functions.request else { return truth(false) }
  let id = Threads.slot().id
  // The thread may have to leave the loop, which must not hold up the others.
  let result = Interpreter.unlocked { table.pointee.deadline(id, seconds) }
  return truth(result == NSGI_OK.rawValue)
}

/// The bytes of an object for as long as `body` runs; nil with an exception set if it has none.
private func withBytes(_ object: Object?, _ body: (nsgi_str) -> Object?) -> Object? {
  var view = Py_buffer()
  guard PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) == 0 else { return nil }
  defer { PyBuffer_Release(&view) }
  let start = view.buf.map { UnsafePointer($0.assumingMemoryBound(to: CChar.self)) }
  return body(nsgi_str(p: start, n: view.len))
}

/// notice(descriptor, directory) -> a descriptor that reports changes in directories, now including this one:
/// a new one for -1; -1 if the system cannot provide one. The reader closes it.
private let notice: PyCFunctionFast = { _, arguments, count in
  guard count == 2, let arguments else {
    return raise(py_type_error(), "notice takes a descriptor and a directory")
  }
  guard let descriptor = Argument.int32(arguments[0]) else { return nil }
  return withBytes(arguments[1]) { directory in
    let path = UnsafeRawBufferPointer(start: directory.p, count: directory.n)
    return PyLong_FromLong(
      Int(System.noticeChanges(in: String(decoding: path, as: UTF8.self), descriptor)))
  }
}

private func truth(_ value: Bool) -> Object? {
  let object = value ? py_true() : py_false()
  py_retain(object)
  return object
}

/// None, with one reference.
func none() -> Object? {
  py_retain(py_none())
  return py_none()
}
