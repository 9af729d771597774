// Objects of the library that clients hold: they get a number that cannot be guessed, never the pointer.
import Synchronization

/// One open object.
final class Handle: @unchecked Sendable {
  let id: String
  /// What it is a handle of: handle(sqlite3).
  let tag: String
  let pointer: UnsafeMutableRawPointer
  /// Who has opened it; empty where that is not known.
  let client: String
  /// Gives it back when nobody has closed it.
  let release: FreeFunction?
  /// One call at a time uses an object.
  let lock = Lock()
  /// It was closed while somebody waited for it. Guarded by `lock`.
  var isClosed = false
  /// Monotonic seconds of the last call that used it. Guarded by the table's lock.
  fileprivate var used: Double

  fileprivate init(
    id: String, tag: String, pointer: UnsafeMutableRawPointer, client: String, release: FreeFunction?,
    used: Double
  ) {
    (self.id, self.tag, self.pointer, self.client) = (id, tag, pointer, client)
    (self.release, self.used) = (release, used)
  }
}

/// `void free(void *)`; what it returns is ignored.
typealias FreeFunction = @convention(c) (UnsafeMutableRawPointer?) -> Void

/// How many objects clients may hold, and for how long.
struct HandleLimits: Equatable {
  /// Open at once in a process.
  static let most = 4096
  /// Open at once by one client, as its address tells; 0: as many as all.
  var share = 256
  /// Seconds without a call after which an object is given back; 0: never.
  var age = 3600.0
}

/// All open objects of one app.
final class HandleTable: Sendable {
  /// Why there is no room for another one.
  enum Refusal: Error {
    case full, share

    /// For the client.
    var sentence: String {
      switch self {
      case .full: "too many handles are open; close some"
      case .share: "this client has too many handles open; close some"
      }
    }
  }

  private struct Contents {
    var handles: [String: Handle] = [:]
    /// Open ones by client.
    var counts: [String: Int] = [:]
    var nextSweep = 0.0

    mutating func remove(_ handle: Handle) {
      guard handles.removeValue(forKey: handle.id) != nil else { return }
      let left = (counts[handle.client] ?? 1) - 1
      counts[handle.client] = left > 0 ? left : nil
    }
  }

  private let limits: HandleLimits
  private let contents = Mutex(Contents())
  /// Seconds that only grow.
  private let clock: @Sendable () -> Double
  /// Seconds between two looks for those that nobody uses.
  private static let sweepSeconds = 1.0

  init(_ limits: HandleLimits = HandleLimits(), clock: @escaping @Sendable () -> Double = Clock.seconds) {
    (self.limits, self.clock) = (limits, clock)
  }

  /// Notes an object, or says why it cannot.
  func add(
    _ pointer: UnsafeMutableRawPointer, tag: String, client: String, release: FreeFunction?
  ) throws(Refusal) -> String {
    var random = SystemRandomNumberGenerator()
    let id = Self.hexadecimal(random.next()) + Self.hexadecimal(random.next())
    let share = ClientShare.name(client)
    let handle = Handle(
      id: id, tag: tag, pointer: pointer, client: share, release: release, used: clock())
    let refusal = contents.withLock { contents in
      if let refusal = why(contents, share) { return Refusal?.some(refusal) }
      contents.handles[id] = handle
      contents.counts[share, default: 0] += 1
      return nil
    }
    if let refusal { throw refusal }
    return id
  }

  /// Throws if one more cannot be opened by this client.
  func checkRoom(client: String) throws(Refusal) {
    let share = ClientShare.name(client)
    if let refusal = contents.withLock({ why($0, share) }) { throw refusal }
  }

  /// Why one more cannot be opened; nil if it can.
  private func why(_ contents: Contents, _ share: String) -> Refusal? {
    if contents.handles.count >= HandleLimits.most { return .full }
    let isShared = limits.share > 0 && !share.isEmpty
    return isShared && contents.counts[share] ?? 0 >= limits.share ? .share : nil
  }

  func find(_ id: String, tag: String) -> Handle? {
    let now = clock()
    return contents.withLock { contents in
      guard let handle = contents.handles[id], handle.tag == tag, !isOld(handle, now) else { return nil }
      handle.used = now
      return handle
    }
  }

  /// A call has used it, and still holds its lock.
  func used(_ handle: Handle) {
    let now = clock()
    contents.withLock { _ in handle.used = now }
  }

  /// It was closed; its lock is held.
  func remove(_ handle: Handle) {
    handle.isClosed = true
    contents.withLock { $0.remove(handle) }
  }

  private func isOld(_ handle: Handle, _ now: Double) -> Bool {
    limits.age > 0 && now - handle.used > limits.age
  }

  /// Gives back what nobody has used for too long. Looks about once a second; `oneAtATime` is held meanwhile,
  /// for the library need not be thread-safe.
  func sweep(_ oneAtATime: Lock) {
    guard limits.age > 0 else { return }
    let now = clock()
    let old = contents.withLock { contents in
      guard now >= contents.nextSweep else { return [Handle]() }
      contents.nextSweep = now + Self.sweepSeconds
      // One that a call holds is in use, however long that takes.
      let old = contents.handles.values.filter { isOld($0, now) && $0.lock.tryLock() }
      for handle in old { contents.remove(handle) }
      return old
    }
    guard !old.isEmpty else { return }
    oneAtATime.lock()
    for handle in old {
      handle.isClosed = true
      handle.release?(handle.pointer)
      handle.lock.unlock()
    }
    oneAtATime.unlock()
  }

  /// Gives back what nobody has closed: at the end of the app.
  func removeAll() {
    let left = contents.withLock { contents in
      defer { contents = Contents() }
      return Array(contents.handles.values)
    }
    for handle in left { handle.release?(handle.pointer) }
  }

  private static func hexadecimal(_ number: UInt64) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}

/// Whom objects are counted for.
enum ClientShare {
  /// An IPv4 address, or the first 64 bits of an IPv6 address: what one subscriber has.
  static func name(_ address: String) -> String {
    guard address.contains(":") else { return address }
    let parts = address.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    if let last = parts.last, last.contains(".") { return last }
    guard let gap = parts.dropFirst().firstIndex(of: "") else {
      return parts.prefix(4).joined(separator: ":")
    }
    let front = parts[..<gap].filter { !$0.isEmpty }
    let back = parts[gap...].filter { !$0.isEmpty }
    let zeros = Array(repeating: "0", count: max(0, 8 - front.count - back.count))
    return (front + zeros + back).prefix(4).joined(separator: ":")
  }
}
