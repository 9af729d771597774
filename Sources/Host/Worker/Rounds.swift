/// Work lists of the loop: what stands in them is served in this turn or in the next.
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
  /// Connections of HTTP/2 whose streams may have something to send.
  var carriers: [Token] = []
  /// The watchdog's period in which answers have last left.
  var lastPeriod: UInt32 = 0
  /// What threads off the loop have said and the leader has not heeded yet.
  var messages = Round<Inbox.Message>()

  /// Somebody waits for the next turn, whatever the kernel has.
  @inline(__always)
  var isWaiting: Bool { hasPostponed || !arriving.isEmpty }
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
