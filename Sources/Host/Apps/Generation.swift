import CNSGI
import Control

/// One loaded build of an application: its private file, its functions, its state.
///
/// Order of calls: `load` (file, link, handshake), `start` (its load()), `probe`, requests, `unload`, and
/// `close` for one whose library may leave memory; any other stays until the process ends, because the code
/// of most languages cannot be unloaded.
///
/// Unchecked: `state`, `form` and `flags` are written by `start`, before any other thread knows the
/// generation, and `state` by `unload`, after all others have left it; everything else is constant.
package final class Generation: @unchecked Sendable {
  /// The plain form's function, or the full form's table, the host's own copy with absent members nil.
  enum Form {
    case plain(Loader.Application)
    case full(nsgi_app)
  }

  /// An option for load(): `--app-option`.
  package struct Option: Equatable, Sendable {
    package let key: String
    package let value: String

    package init(key: String, value: String) { (self.key, self.value) = (key, value) }
  }

  /// Counts the builds of this application from 1.
  let number: UInt32
  /// What the operator asked for.
  let reference: AppReference
  let copy: PrivateCopy
  let image: ElfImage
  /// The handle from dlopen.
  let handle: UnsafeMutableRawPointer
  /// As the library's own table says, or, from load() on, the one that serves this app (`draft.table/1`).
  private(set) var form: Form
  /// The application's own name, otherwise the file's without its extension; for a runtime's app, what it is
  /// made of.
  let name: String
  /// The application's own version; empty if it gives none.
  let version: String
  let options: [Option]
  /// For a runtime's app: what it is made of, in the operator's words.
  private let label: String?
  private let host: UnsafePointer<nsgi_host>
  private let table: UnsafePointer<nsgi_app>?

  /// What load() left behind; the first argument of every function of the table.
  private(set) var state: UnsafeMutableRawPointer?
  private(set) var isStarted = false
  /// The worker for which it was started, and the number of workers.
  private(set) var worker: UInt32 = 0
  private(set) var workers: UInt32 = 1

  /// Promises of the application (nsgi_app_flags); none in the plain form.
  private(set) var flags: UInt32
  /// call() may run on several threads at once.
  var isThreadSafe: Bool { flags & NSGI_THREADSAFE.rawValue != 0 }
  /// call() may come before the whole body is in.
  var streamsIn: Bool { flags & NSGI_STREAMS_IN.rawValue != 0 }
  /// It may be unloaded: it says so, and nothing in its file prevents it.
  var isUnloadable: Bool { flags & NSGI_UNLOADABLE.rawValue != 0 && image.pinned == nil }

  /// Copies, inspects, links and shakes hands. Nothing but constructors and nsgi_entry has run afterwards.
  ///
  /// - Parameter label: the name of a runtime's app, used instead of the plugin's own name.
  static func load(
    _ reference: AppReference, named label: String? = nil, options: [Option] = [], number: UInt32 = 1,
    host: UnsafePointer<nsgi_host>, runtime: RuntimeDirectory
  ) throws(LoadError) -> Generation {
    try load(
      PrivateCopy(of: reference.path, in: runtime), reference, named: label, options: options,
      number: number, host: host)
  }

  /// The same for an existing copy.
  static func load(
    _ copy: PrivateCopy, _ reference: AppReference, named label: String? = nil, options: [Option],
    number: UInt32, host: UnsafePointer<nsgi_host>
  ) throws(LoadError) -> Generation {
    let image = try copy.inspect(wanted: reference.wanted)
    let opened = try Loader.open(copy, image, reference, host: host)
    return Generation(reference, copy, image, opened.handle, opened.form, options, number, host, label)
  }

  /// Another app that the same plugin makes, in the library as it is loaded already.
  func sibling(named label: String, options: [Option], number: UInt32) -> Generation {
    let linked: Loader.Form =
      switch form {
      case .plain(let function): .plain(function)
      case .full: .full(table!)
      }
    // Each holds the library by a handle of its own.
    let own = System.openLibrary(copy.path) ?? handle
    return Generation(reference, copy, image, own, linked, options, number, host, label)
  }

  private init(
    _ reference: AppReference, _ copy: PrivateCopy, _ image: ElfImage, _ handle: UnsafeMutableRawPointer,
    _ form: Loader.Form, _ options: [Option], _ number: UInt32, _ host: UnsafePointer<nsgi_host>,
    _ label: String?
  ) {
    (self.reference, self.copy, self.image, self.handle) = (reference, copy, image, handle)
    (self.options, self.number, self.host, self.label) = (options, number, host, label)
    let file = Paths.name(of: reference.path)
    let fallback = file.hasSuffix(".so") ? String(file.dropLast(3)) : file
    switch form {
    case .plain(let function):
      self.form = .plain(function)
      (table, flags, name, version) = (nil, 0, label ?? fallback, "")
    case .full(let table):
      let own = Loader.adopt(table)
      self.form = .full(own)
      (self.table, flags) = (table, own.head.flags)
      name = label ?? own.name.map { String(cString: $0) } ?? fallback
      version = own.version.map { String(cString: $0) } ?? ""
    }
  }

  // MARK: Life

  /// What an earlier generation wrote for the next.
  struct Saved {
    /// The version that wrote it.
    var version = ""
    var bytes: [UInt8] = []
  }

  /// Hands over what an application is told about itself before its load().
  func withBoot<Result>(_ body: (UnsafeMutablePointer<nsgi_boot>) -> Result) -> Result {
    let list = OptionList(options)
    var boot = nsgi_boot()
    boot.size = UInt32(MemoryLayout<nsgi_boot>.size)
    (boot.worker, boot.workers, boot.generation) = (worker, workers, number)
    (boot.host, boot.app, boot.options) = (host, table, list.pointer)
    return withExtendedLifetime(list) { withUnsafeMutablePointer(to: &boot, body) }
  }

  /// Runs the application's load() once, before any request; `worker` counts from 0 to `workers` - 1.
  func start(worker: UInt32 = 0, workers: UInt32 = 1, from saved: Saved = Saved()) throws(LoadError) {
    guard !isStarted else { return }
    (self.worker, self.workers) = (worker, workers)
    guard case .full(let app) = form, let load = app.load else {
      isStarted = true
      return
    }
    let room = 1024
    let error = UnsafeMutablePointer<CChar>.allocate(capacity: room)
    error.initialize(repeating: 0, count: room)
    defer { error.deallocate() }
    // The bytes of nsgi_str are never NULL, and are followed by a zero.
    let version = Array(saved.version.utf8CString)
    let bytes = saved.bytes.map(CChar.init(bitPattern:)) + [0]
    let result = version.withUnsafeBufferPointer { version in
      bytes.withUnsafeBufferPointer { bytes in
        withBoot { boot in
          (boot.pointee.error, boot.pointee.error_cap) = (error, room - 1)
          boot.pointee.from_version = nsgi_str(p: version.baseAddress, n: version.count - 1)
          boot.pointee.from_state = nsgi_str(p: bytes.baseAddress, n: bytes.count - 1)
          return load(boot, &state)
        }
      }
    }
    ForkedCopy.end(result)
    guard result >= 0 else {
      error[room - 2] = 0
      throw .loadFailed(path: label ?? reference.path, reason: Self.reason(String(cString: error), result))
    }
    adoptTable(of: app)
    isStarted = true
  }

  /// The extension `draft.table/1` of a runtime: which of its tables serves the app that load() has made.
  private struct OwnTable {
    let table: @convention(c) (_ state: UnsafeMutableRawPointer?) -> UnsafePointer<nsgi_app>?
  }

  /// Takes the runtime's table for the app that only load() could identify: one whose calls wait, or one
  /// whose calls do not.
  private func adoptTable(of app: nsgi_app) {
    guard let offered = app.extension?("draft.table/1") else { return }
    let table = offered.assumingMemoryBound(to: OwnTable.self).pointee.table(state)
    ForkedCopy.end()
    guard let table else { return }
    let own = Loader.adopt(table)
    guard own.call != nil else { return }
    (form, flags) = (.full(own), own.head.flags)
  }

  /// Asks the application whether it can serve: after `start`, before its first request.
  func probe() throws(LoadError) {
    guard case .full(let app) = form, let probe = app.probe else { return }
    let result = probe(state)
    ForkedCopy.end(result)
    guard result >= 0 else {
      throw .probeFailed(path: reference.path, result: Self.resultName(result))
    }
  }

  /// Writes what the next generation should know into a file; returns the bytes written, nil if it has no
  /// save() or save() failed.
  func save(into fd: Int32) -> Int? {
    guard case .full(let app) = form, let save = app.save else { return nil }
    struct Sink {
      let fd: Int32
      var count = 0
    }
    var sink = Sink(fd: fd)
    let result = save(
      state,
      { argument, bytes, count in
        guard let sink = argument?.assumingMemoryBound(to: Sink.self) else { return NSGI_MISUSE.rawValue }
        do throws(SystemError) {
          try System.writeAll(sink.pointee.fd, UnsafeRawBufferPointer(start: bytes, count: count))
        } catch { return NSGI_IO.rawValue }
        sink.pointee.count += count
        return NSGI_OK.rawValue
      }, &sink)
    ForkedCopy.end(result)
    return result >= 0 ? sink.count : nil
  }

  /// Takes the library out of memory, if that is allowed; after `unload`.
  ///
  /// - Returns: whether it has left.
  func close() -> Bool {
    guard isUnloadable, !isStarted else { return false }
    System.closeLibrary(handle)
    return !System.isLoaded(copy.path)
  }

  /// Ends the application: nothing of it may run any more. The library stays in memory.
  func unload() {
    guard isStarted else { return }
    isStarted = false
    if case .full(let app) = form { app.unload?(state) }
    ForkedCopy.end()
    state = nil
  }

  private static func reason(_ text: String, _ result: Int32) -> String {
    var text = Substring(text)
    while let last = text.last, last.isWhitespace { text = text.dropLast() }
    return text.isEmpty ? "its load() returned \(resultName(result)) without saying why" : String(text)
  }

  /// The name that nsgi.h gives a result.
  package static func resultName(_ result: Int32) -> String {
    switch result {
    case NSGI_OK.rawValue: "NSGI_OK"
    case NSGI_ASYNC.rawValue: "NSGI_ASYNC"
    case NSGI_AGAIN.rawValue: "NSGI_AGAIN"
    case NSGI_GONE.rawValue: "NSGI_GONE"
    case NSGI_MISUSE.rawValue: "NSGI_MISUSE"
    case NSGI_TOOBIG.rawValue: "NSGI_TOOBIG"
    case NSGI_NOMEM.rawValue: "NSGI_NOMEM"
    case NSGI_IO.rawValue: "NSGI_IO"
    case NSGI_TIMEOUT.rawValue: "NSGI_TIMEOUT"
    case NSGI_FAIL.rawValue: "NSGI_FAIL"
    default: "\(result)"
    }
  }
}

/// Options as the C array "key","value",...,NULL; lives as long as the object.
private final class OptionList {
  let pointer: UnsafePointer<UnsafePointer<CChar>?>
  private let strings: UnsafeMutableBufferPointer<UnsafePointer<CChar>?>

  init(_ options: [Generation.Option]) {
    strings = .allocate(capacity: options.count * 2 + 1)
    strings.initialize(repeating: nil)
    for (index, option) in options.enumerated() {
      strings[index * 2] = Self.copy(option.key)
      strings[index * 2 + 1] = Self.copy(option.value)
    }
    pointer = UnsafePointer(strings.baseAddress!)
  }

  private static func copy(_ text: String) -> UnsafePointer<CChar> {
    let bytes = text.utf8CString
    let result = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    for (index, byte) in bytes.enumerated() { result[index] = byte }
    return UnsafePointer(result)
  }

  deinit {
    for string in strings { string?.deallocate() }
    strings.deallocate()
  }
}
