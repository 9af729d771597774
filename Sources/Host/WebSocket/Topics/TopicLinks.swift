import Config
import Control
import Wire

/// One end of a socket whose other end is another worker's. What is published here for all sockets leaves by
/// it, and what is published there arrives.
final class TopicLink {
  let fd: Int32
  /// Never used twice in a worker: an event that comes late finds no link.
  let number: UInt32
  /// The other worker, as the master calls it: "worker 2 (pid 4711)".
  let peer: String

  // Under the lock of `TopicLinks`.

  /// What the socket has not taken: whole messages, but for the first.
  fileprivate var output = ByteBuffer()
  /// Sending has failed: the other worker is gone, as the leader will find.
  fileprivate var isBroken = false
  /// Messages that found no room, and how many of them the log knows of.
  fileprivate var (dropped, told) = (0, 0)
  /// Monotonic nanoseconds: no line about them before this time.
  fileprivate var nextLine: UInt64 = 0

  // The leader's.

  var reader = TopicReader()
  /// It has had its share of a turn, and there may be more.
  var isBehind = false
  /// The loop waits for room in the socket.
  var awaitsRoom = false
  var isOver = false

  fileprivate init(_ fd: Int32, _ number: UInt32, _ peer: String) {
    (self.fd, self.number, self.peer) = (fd, number, peer)
  }
}

/// The links of a worker to all others that have WebSockets.
///
/// Unchecked: guarded by `lock`, except for what each link leaves to the leader.
final class TopicLinks: @unchecked Sendable {
  private let lock = Monitor()
  private var links: [TopicLink] = []
  private var last: UInt32 = 0
  /// The leader was asked to look at them, and has not.
  private var isAnnounced = false
  /// Messages that were dropped, on all links there ever were.
  private var dropped: UInt64 = 0
  private let log: Log
  private let board: Scoreboard?

  init(_ log: Log, _ board: Scoreboard?) { (self.log, self.board) = (log, board) }

  /// How an attempt to send ended.
  enum Flushed {
    /// Nothing is left.
    case all
    /// The other worker has to take something first.
    case waits
    /// It is gone.
    case broken
  }

  /// There are none: a process without a master, the only worker, or nobody has asked.
  var isEmpty: Bool {
    lock.lock()
    defer { lock.unlock() }
    return links.isEmpty
  }

  /// Those that exist now.
  var all: [TopicLink] {
    lock.lock()
    defer { lock.unlock() }
    return links
  }

  /// The link of a number.
  func find(_ number: UInt32) -> TopicLink? { all.first { $0.number == number } }

  /// A link that is not among them yet; the descriptor becomes its own.
  func make(_ fd: Int32, to peer: String) -> TopicLink {
    lock.lock()
    defer { lock.unlock() }
    last &+= 1
    return TopicLink(fd, last, peer)
  }

  /// From now on messages leave by it.
  func open(_ link: TopicLink) {
    lock.lock()
    links.append(link)
    lock.unlock()
  }

  /// Closes a link; what waited for the other worker is lost.
  func close(_ link: TopicLink) {
    lock.lock()
    defer { lock.unlock() }
    links.removeAll { $0 === link }
    tell(link, isLast: true)
    System.close(link.fd)
  }

  /// Closes all of them.
  func closeAll() { for link in all { close(link) } }

  /// The leader has to look at the links: true if it should be asked, false if it was.
  func announce() -> Bool {
    lock.lock()
    defer { lock.unlock() }
    return announceUnderLock()
  }

  /// The leader is about to look.
  func heeded() {
    lock.lock()
    isAnnounced = false
    lock.unlock()
  }

  private func announceUnderLock() -> Bool {
    defer { isAnnounced = true }
    return !isAnnounced
  }

  // MARK: Sending

  /// Any thread: sends a message to all other workers. Never waits; a worker for which too much waits does
  /// not get it. True if the leader should be asked to look at the links.
  func send(_ message: [UInt8]) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    var isForLeader = false
    message.withUnsafeBytes { bytes in
      for link in links where put(bytes, link) { isForLeader = true }
    }
    return isForLeader && announceUnderLock()
  }

  /// True if the leader has to do the rest.
  private func put(_ bytes: UnsafeRawBufferPointer, _ link: TopicLink) -> Bool {
    guard !link.isBroken, let start = bytes.baseAddress else { return false }
    guard link.output.isEmpty else {
      // The leader sends these.
      if link.output.count + bytes.count <= Limits.topicQueueBytes {
        link.output.append(bytes)
      } else {
        drop(link)
      }
      return false
    }
    var done = 0
    do throws(SystemError) { done = try System.send(link.fd, start, bytes.count) } catch {
      if !error.wouldBlock {
        link.isBroken = true
        return true
      }
    }
    link.output.append(UnsafeRawBufferPointer(rebasing: bytes[done...]))
    return done < bytes.count
  }

  /// Leader: sends what waits.
  func flush(_ link: TopicLink) -> Flushed {
    lock.lock()
    defer { lock.unlock() }
    guard !link.isBroken else { return .broken }
    while let start = link.output.base, !link.output.isEmpty {
      do throws(SystemError) {
        let count = try System.send(link.fd, start, link.output.count)
        link.output.consume(count)
      } catch {
        if error.wouldBlock { return .waits }
        link.isBroken = true
        return .broken
      }
    }
    link.output = ByteBuffer()
    tell(link)
    return .all
  }

  // MARK: Dropped messages

  private func drop(_ link: TopicLink) {
    link.dropped += 1
    dropped += 1
    board?[.droppedMessages].value = dropped
    tell(link)
  }

  /// Writes how many were dropped, unless that is known, or was told a moment ago.
  private func tell(_ link: TopicLink, isLast: Bool = false) {
    guard link.dropped > link.told else { return }
    let now = System.now()
    guard isLast || now >= link.nextLine else { return }
    (link.told, link.nextLine) = (link.dropped, now &+ Limits.topicLineSeconds * 1_000_000_000)
    log.warning(
      "\(link.peer) takes messages of topics too slowly: \(link.dropped) for its sockets were dropped so far")
  }
}
