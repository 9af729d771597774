import CNSGI
import Glibc
import Host

/// The application under check, in the child: opened and closed, started and stopped as often as necessary.
///
/// A `Generation` lives once and stays; this one lives many times, and reports where it is before each step.
///
/// Unchecked: changed only between the steps of a check, when no other thread is in the application.
final class CheckedApp: @unchecked Sendable {
  let reference: AppReference
  let image: ElfImage
  private let copy: PrivateCopy
  private let host: UnsafePointer<nsgi_host>
  private let options: [Generation.Option]
  private var handles: [UnsafeMutableRawPointer] = []

  private(set) var form: Loader.Form
  /// The full form's functions, absent ones nil; nothing in the plain form.
  private(set) var table = nsgi_app()
  /// The state that load() returned.
  private(set) var state: UnsafeMutableRawPointer?
  private var starts: UInt32 = 0

  var flags: UInt32 { table.head.flags }
  func promises(_ flag: nsgi_app_flags) -> Bool { flags & flag.rawValue != 0 }
  var isPlain: Bool { if case .plain = form { true } else { false } }
  /// It promises to be unloadable, and nothing in its file contradicts that.
  var isUnloadable: Bool { promises(NSGI_UNLOADABLE) && image.pinned == nil }

  /// Copies, inspects, links and shakes hands.
  init(
    _ reference: AppReference, options: [Generation.Option], host: UnsafePointer<nsgi_host>,
    runtime: RuntimeDirectory, reporter: CheckReporter, limit: Double
  ) throws(LoadError) {
    (self.reference, self.host, self.options) = (reference, host, options)
    copy = try PrivateCopy(of: reference.path, in: runtime)
    image = try copy.inspect(wanted: reference.wanted)
    // Opened separately, so that constructors can be told from nsgi_entry. A file that cannot be opened here
    // cannot be opened by the loader either, which says why.
    let (copy, image) = (copy, image)
    let first = reporter.during(.constructors, limit: limit) { Loader.openWithCompanions(copy, image) }
    if let first { handles.append(first) }
    let stage: CheckStage = first == nil ? .constructors : .entry
    let opened = reporter.during(stage, limit: limit) { () -> Result<Opened, LoadError> in
      do throws(LoadError) { return .success(try Loader.open(copy, image, reference, host: host)) } catch {
        return .failure(error)
      }
    }
    let result = try opened.get()
    handles.append(result.handle)
    form = result.form
    adopt()
  }

  private typealias Opened = (handle: UnsafeMutableRawPointer, form: Loader.Form)

  private func adopt() {
    if case .full(let pointer) = form { table = Loader.adopt(pointer) }
  }

  /// The application's own name; empty without.
  var name: String { table.name.map { String(cString: $0) } ?? "" }
  /// The application's own version; empty without.
  var version: String { table.version.map { String(cString: $0) } ?? "" }

  // MARK: Life

  /// load(), with the state of an earlier life if there is one.
  func start(from saved: [UInt8]? = nil) throws(LoadError) {
    starts += 1
    guard case .full(let pointer) = form, let load = table.load else { return }
    let room = 1024
    let error = UnsafeMutablePointer<CChar>.allocate(capacity: room)
    error.initialize(repeating: 0, count: room)
    defer { error.deallocate() }
    var list: [UnsafePointer<CChar>?] = []
    for option in options {
      list.append(System.copy(option.key))
      list.append(System.copy(option.value))
    }
    defer { for text in list { free(UnsafeMutablePointer(mutating: text)) } }
    let empty = UnsafePointer(error + room - 1)
    let saved = (saved ?? []) + [0]
    var state: UnsafeMutableRawPointer?
    let result = (list + [nil]).withUnsafeBufferPointer { options in
      saved.withUnsafeBytes { saved in
        let bytes = saved.baseAddress?.assumingMemoryBound(to: CChar.self)
        var boot = nsgi_boot()
        boot.size = UInt32(MemoryLayout<nsgi_boot>.size)
        (boot.worker, boot.workers, boot.generation) = (0, 1, starts)
        (boot.host, boot.app, boot.options) = (host, pointer, options.baseAddress)
        boot.from_version =
          saved.count > 1
          ? nsgi_str(p: table.version ?? empty, n: version.utf8.count)
          : nsgi_str(p: empty, n: 0)
        boot.from_state = nsgi_str(p: bytes, n: saved.count - 1)
        (boot.error, boot.error_cap) = (error, room - 1)
        return load(&boot, &state)
      }
    }
    ForkedCopy.end(result)
    self.state = state
    guard result >= 0 else {
      error[room - 2] = 0
      let text = String(cString: error).split(whereSeparator: \.isNewline).joined(separator: " ")
      throw .loadFailed(
        path: reference.path,
        reason: text.isEmpty
          ? "its load() returned \(Generation.resultName(result)) without saying why" : text)
    }
  }

  /// probe(); NSGI_OK without one.
  func probe() -> Int32 {
    let result = table.probe?(state) ?? NSGI_OK.rawValue
    ForkedCopy.end(result)
    return result
  }

  /// What save() writes; nil when it has none or fails.
  func save() -> [UInt8]? {
    guard let save = table.save else { return nil }
    final class Sink { var bytes: [UInt8] = [] }
    let sink = Sink()
    let result = save(
      state,
      { argument, bytes, count in
        guard let argument else { return NSGI_MISUSE.rawValue }
        let sink = Unmanaged<Sink>.fromOpaque(argument).takeUnretainedValue()
        sink.bytes += UnsafeRawBufferPointer(start: bytes, count: count)
        return NSGI_OK.rawValue
      }, Unmanaged.passUnretained(sink).toOpaque())
    ForkedCopy.end(result)
    return result >= 0 ? sink.bytes : nil
  }

  /// The result of save() when nobody takes its bytes; nil when it has no save() or wrote none.
  func saveIntoNothing() -> Int32? {
    guard let save = table.save else { return nil }
    var wasAsked = false
    let result = save(
      state,
      { argument, _, _ in
        argument?.storeBytes(of: true, as: Bool.self)
        return NSGI_IO.rawValue
      }, &wasAsked)
    ForkedCopy.end(result)
    return wasAsked ? result : nil
  }

  func drain() {
    table.drain?(state)
    ForkedCopy.end()
  }

  func unload() {
    table.unload?(state)
    ForkedCopy.end()
    state = nil
  }

  func thread(entering: Bool) {
    table.thread?(state, entering ? 1 : 0)
    ForkedCopy.end()
  }

  // MARK: The library

  /// Calls dlclose for every dlopen; returns whether the library has left memory.
  func close() -> Bool {
    for handle in handles { System.closeLibrary(handle) }
    handles = []
    return !System.isLoaded(copy.path)
  }

  /// Reopens the library after `close`.
  func reopen() throws(LoadError) {
    let opened = try Loader.open(copy, image, reference, host: host)
    handles.append(opened.handle)
    form = opened.form
    adopt()
  }
}
