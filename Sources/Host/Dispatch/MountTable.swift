import CNSGI
import Wire

/// An application where it is mounted, and the generation that serves it.
struct App {
  /// "" or "/segment…", without a slash at the end.
  let mount: [UInt8]
  /// What log lines call it.
  let name: String
  let generation: Generation
  /// The two forms' callables, unpacked so that a call costs no retain.
  private let plain: PlainForm.Callable?
  private let full: (@convention(c) (UnsafeMutableRawPointer?, UnsafePointer<nsgi_request>?) -> Int32)?
  fileprivate let state: UnsafeMutableRawPointer?
  /// The leader's.
  let calls: UnsafeMutablePointer<AppCalls>
  /// NSGI_MAY_ASYNC: call() may answer NSGI_ASYNC.
  let mayAsync: Bool
  /// NSGI_STREAMS_IN: call() comes before the whole body.
  let streamsIn: Bool

  /// - Parameter threads: calls under way at once at most, if the app is thread-safe.
  init(mount: String, name: String, generation: Generation, threads: Int) {
    mayAsync = generation.flags & NSGI_MAY_ASYNC.rawValue != 0
    streamsIn = generation.streamsIn
    calls = .allocate(capacity: 1)
    calls.initialize(
      to: AppCalls(
        limit: generation.isThreadSafe ? threads : 1,
        neverWaits: generation.flags & NSGI_NONBLOCKING.rawValue != 0))
    self.mount = Array(mount.utf8)
    self.name = name
    self.generation = generation
    switch generation.form {
    case .plain(let function): (plain, full, state) = (function, nil, nil)
    case .full(let table): (plain, full, state) = (nil, table.call, generation.state)
    }
  }

  /// Calls the app with the exchange; its nsgi_result.
  @inline(__always)
  func call(_ exchange: ExchangePointer) -> Int32 {
    if let plain { return plain(PlainForm.environ, PlainForm.startResponse) }
    exchange.pointee.fillRequest()
    // The record lives at a fixed address in its slab.
    return full!(state, withUnsafePointer(to: &exchange.pointee.request) { $0 })
  }
}

extension App {
  /// Tells the app that the client of a call is gone or its time is over.
  func cancel(_ exchange: ExchangePointer) {
    guard case .full(let table) = generation.form, let cancel = table.cancel else { return }
    cancel(state, withUnsafePointer(to: &exchange.pointee.request) { $0 })
  }

  /// Tells the app that no new call will come.
  func drain() {
    if case .full(let table) = generation.form { table.drain?(state) }
  }
}

/// The applications of a worker by mount point: the longest prefix that ends at a segment border wins.
struct MountTable: @unchecked Sendable {
  private let apps: UnsafeMutableBufferPointer<App>
  /// The only app sits at the root: nothing has to be compared.
  private let isSingleRoot: Bool

  /// - Parameter apps: no two at one mount; kept for the life of the process.
  init(_ apps: [App]) {
    self.apps = .allocate(capacity: apps.count)
    _ = self.apps.initialize(from: apps.sorted { $0.mount.count > $1.mount.count })
    isSingleRoot = apps.count == 1 && apps[0].mount.isEmpty
  }

  @inline(__always)
  subscript(index: Int) -> App {
    _read { yield apps[index] }
  }

  /// The app for the request's path, with SCRIPT_NAME and PATH_INFO moved to its mount; nil for none.
  @inline(__always)
  func find(_ exchange: inout Exchange) -> Int? {
    isSingleRoot ? 0 : search(&exchange)
  }

  private func search(_ exchange: inout Exchange) -> Int? {
    let path = Normalizer.joined(exchange.meta.scriptName, exchange.meta.pathInfo, &exchange.arena)
    for index in apps.indices where matches(apps[index].mount, path.bytes) {
      let count = apps[index].mount.count
      if count == 0 { return index }
      let name = exchange.arena.copy(UnsafeRawBufferPointer(rebasing: path.bytes[..<count]))
      exchange.meta.scriptName = Text(name, count)
      exchange.meta.pathInfo = Text(path.start! + count, path.count - count)
      return index
    }
    return nil
  }

  /// No new calls will come.
  func drain() { for app in apps { app.drain() } }

  private func matches(_ mount: [UInt8], _ path: UnsafeRawBufferPointer) -> Bool {
    guard path.count >= mount.count else { return false }
    for index in mount.indices where path[index] != mount[index] { return false }
    return path.count == mount.count || path[mount.count] == UInt8(ascii: "/") || mount.isEmpty
  }
}
