import Control
import Glibc
import Synchronization

/// Why something could not be spooled.
enum SpoolError: Error, CustomStringConvertible {
  /// The spools hold as much as they may (`--spool-max`).
  case full
  /// The system reports an error.
  case failed(SystemError)

  /// The client's status: a client that may come back when there is room again is told so.
  var status: Int {
    switch self {
    case .full: 503
    case .failed(let error):
      switch error.code {
      case ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, ENOBUFS: 503
      case EFBIG: 413
      default: 500
      }
    }
  }

  /// The limit that the operator may raise.
  var limit: RefusalLimit {
    switch self {
    case .full: .spools
    case .failed: .none
    }
  }

  var description: String {
    switch self {
    case .full: "the spools are full; raise --spool-max"
    case .failed(let error): "\(error)"
    }
  }
}

/// Where the spools of a worker are, and how much they may hold together.
///
/// Threads in an application spool too: only its atomics change.
final class SpoolRoom: Sendable {
  /// The directory: `--spool-dir`, TMPDIR or /tmp.
  let directory: String
  /// Bytes of all spools together, including those of the other workers.
  let most: Int64
  /// The shares of all workers' spools, and the number of this one; nil in a plain process.
  private let shared: (shares: SpoolShares, share: Int)?
  private let used = Atomic<Int64>(0)
  private let nextLine = Atomic<UInt64>(0)

  init(directory: String, most: Int64, sharing shared: (SpoolShares, Int)? = nil) {
    (self.directory, self.most) = (directory, most)
    self.shared = shared.map { (shares: $0.0, share: $0.1) }
  }

  /// Bytes that this worker's spools hold now.
  var bytes: Int64 { used.load(ordering: .relaxed) }

  /// Takes room for this many bytes; false when there is none.
  func take(_ count: Int64) -> Bool {
    let own = used.add(count, ordering: .relaxed).newValue
    var total = own
    if let shared {
      shared.shares.add(count, to: shared.share)
      total = max(own, shared.shares.total)
    }
    if total <= most { return true }
    give(count)
    return false
  }

  /// Gives it back.
  func give(_ count: Int64) {
    used.subtract(count, ordering: .relaxed)
    if let shared { shared.shares.add(-count, to: shared.share) }
  }

  /// Whether a line about a failure may be written at `now`: one a second, since clients can cause them.
  func mayComplain(_ now: UInt64) -> Bool {
    let next = nextLine.load(ordering: .relaxed)
    guard now >= next else { return false }
    let desired = now &+ 1_000_000_000
    return nextLine.compareExchange(expected: next, desired: desired, ordering: .relaxed).exchanged
  }
}

/// Bytes that are too many for memory, in a file without a name, which vanishes with its last user.
///
/// Unchecked: belongs to the owner of the body or of the way out that it is part of.
final class Spool: @unchecked Sendable {
  /// The file's descriptor.
  let fd: Int32
  /// Bytes so far.
  private(set) var count: Int64 = 0
  private let room: SpoolRoom

  init(in room: SpoolRoom) throws(SpoolError) {
    do { fd = try System.unnamedFile(in: room.directory) } catch { throw .failed(error) }
    self.room = room
  }

  deinit {
    System.close(fd)
    room.give(count)
  }

  /// Adds bytes at the end: all of them, or none.
  func append(_ bytes: UnsafeRawBufferPointer) throws(SpoolError) {
    guard bytes.count > 0 else { return }
    guard room.take(Int64(bytes.count)) else { throw .full }
    do { try System.writeAll(fd, bytes, at: count) } catch {
      room.give(Int64(bytes.count))
      throw .failed(error)
    }
    count += Int64(bytes.count)
  }
}
