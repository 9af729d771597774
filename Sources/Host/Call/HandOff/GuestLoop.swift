import CNSGI
import Glibc

/// The event loop of a language that runs on the thread that leads, as asyncio's does: what a runtime hands
/// over through the extension `draft.loop/1`. Lent by the runtime for as long as the process lives.
struct GuestLoop {
  /// Readable when the loop has something to do: the descriptor with which it would wait itself.
  let descriptor: Int32
  /// When it has something to do in any case, in monotonic nanoseconds; 0: never. Written by the home thread
  /// only, whenever code of the runtime has run on it.
  var due: UInt64
  /// Has the loop do what there is to do, without waiting. Called on the home thread only, and never inside
  /// another call.
  let turn: @convention(c) () -> Void
}

/// The extension `draft.loop/1`: a runtime has its event loop led, instead of running it on a thread of its
/// own. Its applications are called, from then on, only on the thread that has loaded them.
struct GuestLoopTable {
  /// Call it in load(). NSGI_MISUSE: another loop is led already.
  /// The argument is a `GuestLoop`.
  let lead: @convention(c) (UnsafeMutableRawPointer?) -> Int32
}

/// Whether a loop may be led in this process, and which one is.
enum GuestLoops {
  /// Only one application is served, so that no other one's slow calls hold the loop up. Set before anything
  /// is loaded.
  nonisolated(unsafe) static var isOffered = false
  /// Written by load().
  nonisolated(unsafe) private(set) static var led: UnsafeMutablePointer<GuestLoop>?

  nonisolated(unsafe) static let table: UnsafeRawPointer = {
    let table = UnsafeMutablePointer<GuestLoopTable>.allocate(capacity: 1)
    table.initialize(
      to: GuestLoopTable { loop in
        guard let loop, GuestLoops.led == nil, !ForkedCopy.isThis else { return NSGI_MISUSE.rawValue }
        GuestLoops.led = loop.assumingMemoryBound(to: GuestLoop.self)
        return NSGI_OK.rawValue
      })
    return UnsafeRawPointer(table)
  }()
}

/// The leader's side of a guest loop.
struct GuestSeat {
  /// The loop that is led; nil: none.
  var loop: UnsafeMutablePointer<GuestLoop>?
  /// The reactor watches its descriptor.
  fileprivate(set) var isWatched = false
  /// Its descriptor is readable, or may be.
  var hasNews = false
  /// It had a turn when the home thread last came home.
  private var wentFirst = false

  /// The home thread leads again, and requests may wait: whether the loop comes before them. Every other
  /// time, since either may take the thread away again.
  mutating func goesFirst() -> Bool {
    guard loop != nil else { return false }
    wentFirst.toggle()
    // Nobody has watched it meanwhile.
    hasNews = true
    return wentFirst
  }

  /// It has something to do at this time.
  @inline(__always)
  fileprivate func isDue(_ now: UInt64) -> Bool {
    guard let loop else { return false }
    return hasNews || loop.pointee.due != 0 && loop.pointee.due <= now
  }

  /// For how many milliseconds the leader may wait, if it wants to wait this long (-1: for ever). Rounded up,
  /// as asyncio does it.
  func milliseconds(_ wanted: Int32, now: UInt64) -> Int32 {
    guard let loop, wanted != 0 else { return wanted }
    guard isWatched else { return hasNews ? 50 : wanted }
    let due = loop.pointee.due
    guard due != 0 else { return wanted }
    guard due > now else { return 0 }
    let left = Int32(clamping: (due - now + 999_999) / 1_000_000)
    return wanted < 0 ? left : min(wanted, left)
  }
}

extension Worker {
  /// Leader: watches the loop's descriptor at home, and nowhere else, where nobody may call it.
  func watchGuest() {
    guard let loop = leading.guest.loop, leading.guest.isWatched == leading.isAway else { return }
    if leading.isAway {
      try? reactor.remove(loop.pointee.descriptor)
      (leading.guest.isWatched, leading.guest.hasNews) = (false, false)
    } else if (try? reactor.add(loop.pointee.descriptor, .read, Token(.guest, slot: 0))) != nil {
      leading.guest.isWatched = true
    } else {
      // Looks in the next turn whether there is something, and tries again.
      leading.guest.hasNews = true
    }
  }

  /// Leader: has the guest loop do what there is to do. Like a call, it is taken off the loop when it takes
  /// long: another thread leads then, which calls nothing.
  func serveGuest() -> Turn {
    guard !leading.isAway, leading.guest.isDue(now), let loop = leading.guest.loop else { return .goesOn }
    if !leading.guest.isWatched { watchGuest() }
    leading.guest.hasNews = false
    if callWatch.call.pointee.beganTurn() { callWatch.dog.wake() }
    loop.pointee.turn()
    ForkedCopy.end()
    guard callWatch.call.pointee.endedTurn() else { return .handedOff }
    now = System.now()
    return .goesOn
  }
}
