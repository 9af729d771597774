import CLinux
import Glibc

/// The event loop's kernel side on io_uring, beside the Reactor: the kernel receives from sockets into blocks
/// that it picks, and answers leave, all in one call per turn.
///
/// It handles frequent and simple operations: receiving for connections that wait for a request, sending
/// answers of one block. Everything else stays with epoll, where the loop also waits: a bell reports the ring
/// there.
///
/// The kernel does the work of a ring in the thread that made it, and only when that thread enters it. So a
/// ring belongs to one leader: no call of an application is interrupted by what arrives meanwhile, and a
/// leader whose call is handed off leaves a ring behind that receives nothing more. Its successor closes that
/// ring.
struct Ring: ~Copyable {
  /// Places for what is submitted in one turn; more is submitted in between.
  private static let entries: UInt32 = 512
  /// Places for completions; the kernel keeps those that find none until there is room.
  private static let completions: UInt32 = 4096
  /// Blocks that the kernel may receive into; a power of two. Twice the number of connections that are
  /// usually busy at once: with none left, receiving ends and has to be requested again.
  private static let blocks = 256

  private let ring: UnsafeMutablePointer<clinux_ring>
  /// The blocks lent to the kernel, by number.
  private let lent: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private(set) var isOpen = false
  /// The kernel takes nothing any more: the ring has to be closed. Nothing more may be asked of it.
  var hasFailed: Bool { failure != 0 }
  /// The errno that says why; 0 while it works.
  private var failure: Int32 = 0
  /// Calls in a row that the kernel could not carry out for the moment.
  private var failures = 0
  /// After this many of them it never will; some tens of milliseconds.
  private static let mostFailures = 100
  /// An eventfd for the Reactor to watch, edge-triggered; -1 until there is a ring.
  private(set) var bell: Int32 = -1
  /// When a leader may set one up.
  var tenure: RingTenure

  init(_ tenure: RingTenure = RingTenure(isAllowed: false, restSeconds: 0)) {
    self.tenure = tenure
    ring = .allocate(capacity: 1)
    ring.initialize(to: clinux_ring())
    lent = .allocate(capacity: Ring.blocks)
  }

  /// An open ring must have been closed before, because the blocks go back to their pool.
  deinit {
    if bell >= 0 { System.close(bell) }
    ring.deallocate()
    lent.deallocate()
  }

  /// One completion.
  struct Completion {
    let token: Token
    /// What the call would have returned; below 0 an errno, negated.
    let result: Int32
    fileprivate let flags: UInt32
    /// More with the same token will follow.
    @inline(__always) var goesOn: Bool { clinux_ring_goes_on(flags) != 0 }
    /// The block that received the bytes.
    @inline(__always) var block: Int? {
      let number = clinux_ring_block(flags)
      return number < 0 ? nil : Int(number)
    }
  }

  /// Throws the reason if a ring cannot be used on this machine.
  static func probe() throws(SystemError) {
    var ring = Ring()
    var pool = BlockPool(kept: 0)
    try ring.open(&pool)
    ring.close(&pool)
  }

  /// Makes it the calling thread's, with blocks of the pool.
  mutating func open(_ pool: inout BlockPool) throws(SystemError) {
    if bell < 0 { bell = try System.eventDescriptor(blocking: false) }
    try System.openRing(
      ring, entries: Ring.entries, completions: Ring.completions, blocks: UInt32(Ring.blocks), bell: bell)
    (isOpen, failure, failures) = (true, 0, 0)
    clinux_ring_ask(ring, 0)
    for number in 0..<Ring.blocks { lend(pool.take(), number) }
    showBlocks()
  }

  /// Any thread: ends everything that was asked of it; the kernel touches no block any more.
  mutating func close(_ pool: inout BlockPool) {
    guard isOpen else { return }
    isOpen = false
    clinux_ring_close(ring)
    for number in 0..<Ring.blocks { pool.give(lent[number]) }
  }

  // MARK: Requests to it; they take effect with the next `submit` or `enter`

  /// Receives from a socket, as completions with a block each; 0 at its end.
  @inline(__always)
  mutating func receive(_ fd: Int32, _ token: Token) {
    guard hasRoom() else { return }
    clinux_ring_receive(ring, fd, token.raw)
  }

  /// Sends what the socket takes at once. Completes only if that was not everything. False if the ring has
  /// failed: then nothing is sent.
  /// failed: nothing is sent.
  @inline(__always)
  mutating func send(_ fd: Int32, _ bytes: UnsafeRawPointer, _ count: Int, _ token: Token) -> Bool {
    guard hasRoom() else { return false }
    clinux_ring_send(ring, fd, bytes, count, token.raw)
    return true
  }

  /// Ends the operation with a token, which completes once more, as cancelled.
  mutating func cancel(_ token: Token) {
    guard hasRoom() else { return }
    clinux_ring_cancel(ring, token.raw, Token(.nobody, slot: 0).raw)
  }

  @inline(__always)
  private mutating func hasRoom() -> Bool {
    if clinux_ring_room(ring) == 0 { submit() }
    return !hasFailed
  }

  // MARK: The kernel

  /// There is something to submit, or something has come.
  @inline(__always) var hasWork: Bool { clinux_ring_has_work(ring) != 0 }

  /// Submits, receives and sends; never waits. Throws when the ring has failed; then `unsubmitted` tells how
  /// many of the requests have not been started.
  @inline(__always)
  mutating func enter() throws(SystemError) {
    do throws(SystemError) {
      try System.enterRing(ring)
      failures = 0
    } catch { suffer(error) }
    if clinux_ring_waiting(ring) > 0 { submit() }
    try check()
  }

  /// Throws why the ring has failed, if it has.
  @inline(__always)
  func check() throws(SystemError) {
    if hasFailed { throw SystemError(System.ringCall, failure) }
  }

  /// The last requests, which the kernel has not taken.
  var unsubmitted: Int { Int(clinux_ring_waiting(ring)) }

  /// The thread is about to wait for the Reactor: from now on the bell rings. False if there is work already.
  @inline(__always)
  func mayWait() -> Bool {
    clinux_ring_ask(ring, 1)
    return !hasWork
  }

  /// The thread has waited: the bell is not needed.
  @inline(__always)
  func hasWaited() { clinux_ring_ask(ring, 0) }

  /// Submits: sends have been made when it returns, and nothing that came later was received. A cancelled
  /// operation receives no more, and lets go of its socket with the next `enter`.
  mutating func submit() {
    while clinux_ring_waiting(ring) > 0, !hasFailed {
      do throws(SystemError) {
        try System.submitRing(ring)
        failures = 0
      } catch { suffer(error) }
    }
  }

  /// The kernel may be out of memory for a moment. For any other reason the ring is of no use any more.
  @inline(never)
  private mutating func suffer(_ error: SystemError) {
    failures += 1
    if !error.isMomentary || failures > Ring.mostFailures { failure = error.code }
    failures < 10 ? System.yieldThread() : System.pause(microseconds: 500)
  }

  /// Completions that are there.
  @inline(__always) var completed: Int { Int(clinux_ring_completed(ring)) }

  @inline(__always)
  func completion(_ index: Int) -> Completion {
    let done = clinux_ring_completion(ring, UInt32(truncatingIfNeeded: index))
    return Completion(token: Token(raw: done.user_data), result: done.res, flags: done.flags)
  }

  /// The first `count` completions were handled.
  @inline(__always)
  func heeded(_ count: Int) { clinux_ring_seen(ring, UInt32(truncatingIfNeeded: count)) }

  /// Fetches completions that found no place; false if there are none.
  func takesOverflow() -> Bool {
    guard clinux_ring_overflows(ring) != 0 else { return false }
    return (try? System.enterRing(ring)) != nil
  }

  // MARK: Blocks

  /// The block of a completion: it goes to the caller, who lends another one in its place.
  @inline(__always)
  func block(_ number: Int) -> UnsafeMutableRawPointer { lent[number] }

  /// Lends a block under a number; the kernel sees it with `showBlocks`.
  @inline(__always)
  func lend(_ block: UnsafeMutableRawPointer, _ number: Int) {
    lent[number] = block
    clinux_ring_lend(ring, block, UInt32(BlockPool.blockBytes), UInt16(truncatingIfNeeded: number))
  }

  @inline(__always)
  func showBlocks() { clinux_ring_show(ring) }
}
