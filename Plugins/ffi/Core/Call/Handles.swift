// Objects of the library that clients hold: they get a number that cannot be guessed, never the pointer.
import Synchronization

/// One open object.
final class Handle: @unchecked Sendable {
  let id: String
  /// What it is a handle of: handle(sqlite3).
  let tag: String
  let pointer: UnsafeMutableRawPointer
  /// Gives it back when nobody has closed it.
  let release: FreeFunction?
  /// One call at a time uses an object.
  let lock = Lock()
  /// It was closed while somebody waited for it. Guarded by `lock`.
  var isClosed = false

  init(id: String, tag: String, pointer: UnsafeMutableRawPointer, release: FreeFunction?) {
    (self.id, self.tag, self.pointer, self.release) = (id, tag, pointer, release)
  }
}

/// `void free(void *)`; what it returns is ignored.
typealias FreeFunction = @convention(c) (UnsafeMutableRawPointer?) -> Void

/// All open objects of one app.
final class HandleTable: Sendable {
  /// Open at once, at most.
  static let most = 4096

  private let handles = Mutex<[String: Handle]>([:])

  /// Notes an object; nil when there are too many.
  func add(_ pointer: UnsafeMutableRawPointer, tag: String, release: FreeFunction?) -> String? {
    var random = SystemRandomNumberGenerator()
    let id = Self.hexadecimal(random.next()) + Self.hexadecimal(random.next())
    let handle = Handle(id: id, tag: tag, pointer: pointer, release: release)
    return handles.withLock { handles in
      if handles.count >= Self.most { return nil }
      handles[id] = handle
      return id
    }
  }

  /// Whether one more can be opened.
  var hasRoom: Bool { handles.withLock { $0.count < Self.most } }

  func find(_ id: String, tag: String) -> Handle? {
    handles.withLock { $0[id] }.flatMap { $0.tag == tag ? $0 : nil }
  }

  func remove(_ handle: Handle) {
    handle.isClosed = true
    handles.withLock { $0[handle.id] = nil }
  }

  /// Gives back what nobody has closed: at the end of the app.
  func removeAll() {
    let left = handles.withLock { handles in
      defer { handles = [:] }
      return Array(handles.values)
    }
    for handle in left { handle.release?(handle.pointer) }
  }

  private static func hexadecimal(_ number: UInt64) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}
