import CLinux
import Glibc

/// What an event is about: packed into the 64 bits that epoll carries.
///
/// 8 bits kind, 24 bits generation, 32 bits slot: an event of a connection that was closed in the same
/// turn finds another generation and is dropped.
struct Token: Equatable {
  enum Kind: UInt8 {
    /// Nobody is told.
    case nobody
    case connection, listener, signal, inbox, control
    /// An answer that leaves by the ring; the slot is its place among those of the turn.
    case answer
    /// The ring has work; the next turn does it.
    case ring
    /// A link to another worker; the slot is its number.
    case topics
    /// The event loop of a language, which the leader runs (GuestLoop.swift).
    case guest
  }
  let raw: UInt64

  @inline(__always) init(raw: UInt64) { self.raw = raw }
  @inline(__always)
  init(_ kind: Kind, slot: UInt32, generation: UInt32 = 0) {
    raw = UInt64(kind.rawValue) << 56 | UInt64(generation & 0xff_ffff) << 32 | UInt64(slot)
  }

  @inline(__always) var kind: Kind? { Kind(rawValue: UInt8(raw >> 56)) }
  @inline(__always) var generation: UInt32 { UInt32(truncatingIfNeeded: raw >> 32) & 0xff_ffff }
  @inline(__always) var slot: UInt32 { UInt32(truncatingIfNeeded: raw) }
}

/// The events for which a descriptor is watched.
struct Interest: OptionSet {
  let rawValue: UInt32
  static let read = Interest(rawValue: CLINUX_EPOLLIN)
  static let write = Interest(rawValue: CLINUX_EPOLLOUT)
  /// The peer sends nothing more.
  static let end = Interest(rawValue: CLINUX_EPOLLRDHUP)
  /// Reported once per change, not as long as it lasts.
  static let edges = Interest(rawValue: CLINUX_EPOLLET)
  /// Shared listening sockets: wakes one of the waiting processes.
  static let exclusive = Interest(rawValue: CLINUX_EPOLLEXCLUSIVE)
}

/// One ready descriptor.
struct Readiness {
  let token: Token
  let flags: UInt32
  /// Bytes or an end can be received, or an error waits to be read.
  @inline(__always) var canRead: Bool {
    flags & (CLINUX_EPOLLIN | CLINUX_EPOLLHUP | CLINUX_EPOLLERR) != 0
  }
  @inline(__always) var hasHungUp: Bool { flags & (CLINUX_EPOLLHUP | CLINUX_EPOLLERR) != 0 }
  @inline(__always) var hasEnded: Bool { flags & CLINUX_EPOLLRDHUP != 0 }
  @inline(__always) var canWrite: Bool {
    flags & (CLINUX_EPOLLOUT | CLINUX_EPOLLHUP | CLINUX_EPOLLERR) != 0
  }
}

/// The event loop's kernel side: level-triggered epoll behind five functions. If the kernel has io_uring, the
/// `Ring` takes over the frequent operations.
struct Reactor: ~Copyable {
  private let epoll: Int32
  private let events: UnsafeMutablePointer<epoll_event>
  private let capacity: Int

  /// - Parameter capacity: events taken from the kernel in one wait at most.
  init(capacity: Int) throws(SystemError) {
    epoll = try System.epollCreate()
    self.capacity = capacity
    events = .allocate(capacity: capacity)
  }

  deinit {
    System.close(epoll)
    events.deallocate()
  }

  /// Waits at most this many milliseconds (-1: for ever); returns how many events there are.
  @inline(__always)
  func wait(milliseconds: Int32) throws(SystemError) -> Int {
    try System.epollWait(epoll, events, Int32(capacity), milliseconds: milliseconds)
  }

  /// An event of the last `wait`.
  @inline(__always)
  func event(_ index: Int) -> Readiness {
    Readiness(
      token: Token(raw: clinux_epoll_token(events, Int32(index))),
      flags: clinux_epoll_events(events, Int32(index)))
  }

  func add(_ fd: Int32, _ interest: Interest, _ token: Token) throws(SystemError) {
    try System.epollControl(epoll, EPOLL_CTL_ADD, fd, interest.rawValue, token.raw)
  }

  func change(_ fd: Int32, _ interest: Interest, _ token: Token) throws(SystemError) {
    try System.epollControl(epoll, EPOLL_CTL_MOD, fd, interest.rawValue, token.raw)
  }

  func remove(_ fd: Int32) throws(SystemError) {
    try System.epollControl(epoll, EPOLL_CTL_DEL, fd, 0, 0)
  }
}
