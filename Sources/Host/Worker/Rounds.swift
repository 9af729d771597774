/// Work lists of the loop: their entries are served in this turn or in the next.
struct Rounds: ~Copyable {
  /// Connections with requests in their buffer and no event to come: pipelining is served in turns.
  var postponed: [Token] = []
  /// Those of them whose turn it is.
  private(set) var resumed = Round<Token>()
  /// Connections for which the ring has brought something.
  var arriving: [Token] = []
  /// Those of them whose turn it is.
  private(set) var fresh = Round<Token>()
  /// Connections whose answers leave with the next wait.
  var outgoing = TokenList()
  /// HTTP/2 connections whose streams may have something to send; after `sendCarriers` those that have had
  /// their share of the turn.
  var carriers: [Token] = []
  /// The watchdog's period in which answers were last sent.
  var lastPeriod: UInt32 = 0
  /// Messages of threads off the loop that the leader has not handled yet.
  var messages = Round<Inbox.Message>()
  /// Counts turns, input and ends of exchanges with apps. What a look at a file finds in an epoch is what
  /// every request of that epoch may expect: all of them had come before.
  var epoch: UInt64 = 0

  /// Some entry waits for the next turn, whatever the kernel has.
  @inline(__always)
  var isWaiting: Bool { hasPostponed || !arriving.isEmpty || !carriers.isEmpty }
  @inline(__always)
  var hasPostponed: Bool { !postponed.isEmpty || !resumed.isEmpty }

  /// The next connection that was postponed.
  @inline(__always)
  mutating func nextResumed() -> Token? { resumed.next() }
  mutating func resume() { if resumed.isEmpty { resumed.begin(with: &postponed) } }

  /// The next connection that has news.
  @inline(__always)
  mutating func nextFresh() -> Token? { fresh.next() }
  @inline(__always)
  mutating func freshen() { if fresh.isEmpty { fresh.begin(with: &arriving) } }
}
