// What a runtime may ask of the server beyond nsgi.h: `nsgi.reload/1`, `draft.request/1`,
// `draft.handshake/1` and `draft.loop/1` (docs/NSGI.md).
import CNSGI
import Config
import Control
import Glibc
import Posix
import Wire

/// The extension `nsgi.reload/1`: has the applications reloaded, in new workers.
private struct ReloadTable {
  let reload: @convention(c) (_ reason: UnsafePointer<CChar>?) -> Int32
}

/// The extension `draft.request/1`: what is known about a request besides its environ.
private struct RequestTable {
  /// Sets a variable for the request's line in the log. Copied.
  let note: @convention(c) (_ id: nsgi_id, _ name: nsgi_str, _ value: nsgi_str) -> Int32
  /// Copies one that was set, and returns its size, which may be more than `capacity`; NSGI_MISUSE if it was
  /// not set.
  let noted:
    @convention(c) (
      _ id: nsgi_id, _ name: nsgi_str, _ value: UnsafeMutablePointer<CChar>?, _ capacity: Int
    ) -> Int64
  /// Gives the request this many seconds from now on; 0: as many as any other.
  let deadline: @convention(c) (_ id: nsgi_id, _ seconds: UInt32) -> Int32
  /// Whether that time is up: 1 or 0; NSGI_GONE once it has finished.
  let late: @convention(c) (_ id: nsgi_id) -> Int32
  /// Gives the host of the socket's address that the client has come to, lent for as long as the process
  /// lives, and returns its port; for a unix socket its path and 0. NSGI_MISUSE: a front end is in between.
  let local: @convention(c) (_ id: nsgi_id, _ host: UnsafeMutablePointer<nsgi_str>?) -> Int32
}

/// The extension `draft.handshake/1`: whether a request for a WebSocket is worth a call that may accept it.
private struct HandshakeTable {
  /// Whether accept() would take it, were there room: 1 or 0; NSGI_GONE once it has finished.
  let isGood: @convention(c) (_ id: nsgi_id) -> Int32
  /// Answers it in the application's place, and logs why: with the error in its handshake, otherwise with
  /// 503, because too many are open. NSGI_GONE: the response is complete. NSGI_MISUSE: it does not ask for a
  /// WebSocket, or a response has begun; nothing was done.
  let refuse: @convention(c) (_ id: nsgi_id) -> Int32
}

/// What `nsgi_host.extension` answers to an application that is exercised: the tables that every server has,
/// so that it loads. None of the requests asks for a WebSocket, and no id refers to one.
package enum ExerciseExtensions {
  /// A table, by its name; nil for one that servers need not have.
  package static func find(_ name: UnsafePointer<CChar>?) -> UnsafeRawPointer? {
    guard let name, strcmp(name, "nsgi.websocket/1") == 0 else { return nil }
    return UnsafeRawPointer(SocketTable.shared)
  }
}

/// What `nsgi_host.extension` answers.
enum Extensions {
  /// The link of a worker to its master; nil in a process without one. Set before anything is loaded.
  nonisolated(unsafe) static var master: ControlLink?
  /// A process without a master serves, and may start its own program again. Set before anything is loaded.
  nonisolated(unsafe) static var servesAlone = false

  static func find(_ name: UnsafePointer<CChar>?) -> UnsafeRawPointer? {
    guard let name else { return nil }
    if strcmp(name, "nsgi.websocket/1") == 0 {
      Sociability.note(.hasSockets)
      return UnsafeRawPointer(SocketTable.shared)
    }
    if strcmp(name, "draft.request/1") == 0 { return UnsafeRawPointer(request) }
    if strcmp(name, "draft.handshake/1") == 0 { return UnsafeRawPointer(handshake) }
    if strcmp(name, "draft.loop/1") == 0, GuestLoops.isOffered { return GuestLoops.table }
    if strcmp(name, "nsgi.reload/1") == 0, master != nil || servesAlone { return UnsafeRawPointer(reload) }
    return nil
  }

  nonisolated(unsafe) private static let reload: UnsafePointer<ReloadTable> = {
    let table = UnsafeMutablePointer<ReloadTable>.allocate(capacity: 1)
    table.initialize(
      to: ReloadTable { reason in
        if ForkedCopy.isThis { return NSGI_MISUSE.rawValue }
        guard let link = Extensions.master else { return Extensions.startAgain() }
        link.send(Message(.renew, [Message.reason(reason.map { String(cString: $0) } ?? "")]))
        return NSGI_OK.rawValue
      })
    return UnsafePointer(table)
  }()

  /// Starts this program again, with the arguments that it was given; returns only if that fails. Running
  /// requests are cut.
  private static func startAgain() -> Int32 {
    guard servesAlone else { return NSGI_MISUSE.rawValue }
    LogSink.shared.flush()
    let error = System.become("/proc/self/exe", CommandLine.arguments)
    LogLine.write("error", "the server cannot be started again: \(error)")
    return NSGI_FAIL.rawValue
  }

  nonisolated(unsafe) private static let handshake: UnsafePointer<HandshakeTable> = {
    let table = UnsafeMutablePointer<HandshakeTable>.allocate(capacity: 1)
    table.initialize(
      to: HandshakeTable(
        isGood: { id in
          Access.with(id) { $0.worker.wouldAcceptSocket($0) ? 1 : 0 } ?? ForkedCopy.absent
        },
        refuse: { id in Access.with(id) { $0.worker.refuseSocket($0) } ?? ForkedCopy.absent }))
    return UnsafePointer(table)
  }()

  nonisolated(unsafe) private static let request: UnsafePointer<RequestTable> = {
    let table = UnsafeMutablePointer<RequestTable>.allocate(capacity: 1)
    table.initialize(
      to: RequestTable(
        note: { id, name, value in
          Access.with(id) { $0.note(name.bytes, value.bytes) } ?? ForkedCopy.absent
        },
        noted: { id, name, value, capacity in
          Access.with(id) { exchange in
            guard let found = exchange.noted(name.bytes) else { return Int64(NSGI_MISUSE.rawValue) }
            if let value, found.count > 0 { memcpy(value, found.baseAddress!, min(found.count, capacity)) }
            return Int64(found.count)
          } ?? Int64(ForkedCopy.absent)
        },
        deadline: { id, seconds in
          Access.with(id) { $0.worker.bound($0, seconds: seconds) } ?? ForkedCopy.absent
        },
        late: { id in Access.with(id) { $0.pointee.isLate ? 1 : 0 } ?? ForkedCopy.absent },
        local: { id, host in Access.with(id) { $0.local(host) } ?? ForkedCopy.absent }))
    return UnsafePointer(table)
  }()
}

extension UnsafeMutablePointer where Pointee == Exchange {
  /// The most variables of a request, and the most bytes of all of them; any beyond that are refused.
  private static var bounds: (count: Int, bytes: Int) { (32, 16 * 1024) }

  /// Sets a variable for the request's line; the last value of a name counts.
  fileprivate func note(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Int32 {
    guard !name.isEmpty else { return NSGI_MISUSE.rawValue }
    var (next, count, bytes) = (pointee.logvars, 0, name.count + value.count)
    while let variable = next?.pointee {
      count += 1
      bytes += variable.name.count + variable.value.count
      next = variable.next
    }
    guard count < Self.bounds.count, bytes <= Self.bounds.bytes else { return NSGI_TOOBIG.rawValue }
    let room = pointee.arena.allocate(MemoryLayout<LogVariable>.stride)
    let (nameStart, valueStart) = (pointee.arena.copy(name), pointee.arena.copy(value))
    let variable = room.initializeMemory(
      as: LogVariable.self,
      to: LogVariable(
        name: Text(nameStart, name.count), value: Text(valueStart, value.count), next: pointee.logvars))
    pointee.logvars = variable
    return NSGI_OK.rawValue
  }

  /// The address of the socket that it came by, if no front end speaks for its client.
  fileprivate func local(_ host: UnsafeMutablePointer<nsgi_str>?) -> Int32 {
    guard let host, connection.gateway.isHTTP else { return NSGI_MISUSE.rawValue }
    let listeners = worker.listeners
    let index = Int(connection.listener)
    guard listeners.indices.contains(index) else { return NSGI_MISUSE.rawValue }
    host.pointee = nsgi_str(listeners[index].place)
    return Int32(listeners[index].port)
  }

  /// What was set under a name; nil for nothing.
  fileprivate func noted(_ name: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    var next = pointee.logvars
    while let variable = next?.pointee {
      if variable.name.bytes.elementsEqual(name) { return variable.value.bytes }
      next = variable.next
    }
    return nil
  }
}
