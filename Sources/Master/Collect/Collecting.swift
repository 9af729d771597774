import Config
import Control
import Glibc
import Posix

/// The pipes that carry lines to the process that distributes them. The master keeps both ends of each: a
/// process that takes the place of one that has ended goes on reading where that one stopped.
struct LogPipes {
  let errors: (read: Int32, write: Int32)
  let requests: (read: Int32, write: Int32)
  /// Standard error as it was before.
  let original: Int32
}

/// The process that distributes lines.
struct Collector {
  let pid: Int32
  let processDescriptor: Int32
  let link: Int32
  var hearing = Hearing()
  /// Monotonic nanoseconds.
  let began = System.now()
  /// When it was asked to show that it reads, in monotonic nanoseconds; 0: it was not asked, or has answered.
  var asked: UInt64 = 0
  /// It was killed because it did not answer.
  var isKilled = false
}

/// Its life: it starts before everything else and ends when nobody is left who writes.
extension Master {
  /// Sends all lines through a process of their own, if any go elsewhere than to standard error.
  func startCollecting() throws(SystemError) {
    guard plan.settings.log.routing.isCollected else { return }
    let original = try System.duplicate(STDERR_FILENO)
    let (errors, requests) = (try System.pipe(), try System.pipe())
    // Its writers are the workers, which never wait; anything else that writes to standard error may.
    try System.setNonBlocking(requests.write)
    pipes = LogPipes(errors: errors, requests: requests, original: original)
    startCollector()
    System.becomeErrors(pipes!.errors.write)
    alarms.set(.collectorBeat, seconds: 1)
  }

  private func startCollector() {
    guard let pipes, collector == nil else { return }
    var orders = Orders(.collect)
    orders.arguments = plan.arguments
    var handed = HandedMap()
    handed.add(pipes.errors.read, Orders.errorLines, "-", to: &orders)
    handed.add(pipes.requests.read, Orders.requestLines, "-", to: &orders)
    do throws(SystemError) {
      let map = handed.map + [(pipes.original, STDERR_FILENO)]
      let child = try startChild(orders, map, speaks: .collectorLink, ended: .collectorEnd)
      collector = Collector(pid: child.pid, processDescriptor: child.processDescriptor, link: child.link)
    } catch {
      MasterLog.error("no process for the log's lines, which wait for it: \(error)")
      alarms.set(.collector, seconds: Master.collectorPause)
    }
  }

  /// Seconds before another is started in place of one that has ended.
  private static let collectorPause = 1.0

  /// Starts another in place of one that has ended.
  func collectAgain() { startCollector() }

  /// Checks once a second whether it reads. While it does not, everyone who writes to standard error waits,
  /// and none of the server's own lines is seen: it is killed, and another one goes on reading.
  func lookForCollector() {
    let since = System.now() &- lastBeat
    lastBeat = System.now()
    alarms.set(.collectorBeat, seconds: 1)
    while collectorSpeaks() {}
    guard let asked = collector?.asked, let pid = collector?.pid else { return }
    if collector!.isKilled { return forsakeCollector() }
    let seconds = (releases.current?.settings ?? plan.settings).supervision.silenceSeconds
    // After a pause of this process it gets another chance.
    if asked == 0 || since > 3_000_000_000 {
      collector!.asked = System.now()
      try? System.sendPacket(collector!.link, Message(.beat).bytes)
    } else if seconds > 0, Double(System.now() &- asked) / 1e9 >= seconds {
      collector!.isKilled = true
      MasterLog.error(
        "the process that distributes the log's lines (pid \(pid)) has read nothing for \(Int(seconds)) s "
          + "(--worker-timeout); it is killed")
      System.signal(pid, SIGKILL)
    }
  }

  /// It was killed a second ago, but the kernel still holds it: it never reads again. If that happens again
  /// and again, it is the destination of the lines that hangs.
  private func forsakeCollector() {
    guard let collector, forsaken < Master.mostForsaken else { return }
    forsaken += 1
    unwatched.append(collector.pid)
    MasterLog.error(
      "the process that distributes the log's lines (pid \(collector.pid)) does not end although it is "
        + "killed; another is started")
    closeCollector(collector)
    startCollector()
  }

  /// The most processes held by the kernel that are replaced by others.
  private static let mostForsaken = 3

  /// It says how many lines nobody took, or why it cannot start; false when it says nothing more.
  @discardableResult
  func collectorSpeaks() -> Bool {
    guard let link = collector?.link, let message = hear(link, &collector!.hearing) else { return false }
    switch message.verb {
    case .beat: self.collector!.asked = 0
    case .lost: collectorDrops = message.number("count").map { min(max($0, 0), 1 << 48) } ?? 0
    case .failed: MasterLog.error("the log's lines wait: \(message["reason"] ?? "")")
    default: break
    }
    return true
  }

  /// It has ended: the writers' lines wait in the pipes for another one.
  func collectorEnded() {
    guard let collector, let ending = System.ending(of: collector.pid) else { return }
    while collectorSpeaks() {}
    closeCollector(collector)
    MasterLog.warning(
      "the process that distributes the log's lines ended with \(ending.description); another is started")
    // Replaces one that has lived for a while at once; does not keep retrying one that cannot start.
    if collector.isKilled || System.now() &- collector.began > UInt64(Master.collectorPause * 1e9) {
      startCollector()
    } else {
      alarms.set(.collector, seconds: Master.collectorPause)
    }
  }

  private func closeCollector(_ collector: Collector) {
    self.collector = nil
    earlierDrops += collectorDrops
    collectorDrops = 0
    unwatch(collector.link)
    unwatch(collector.processDescriptor)
  }

  /// Lines that nobody took in time, of master and collector; the workers count their own.
  var droppedLines: Int { LogSink.shared.drops + earlierDrops + collectorDrops }

  /// Nobody is left who writes: restores standard error, and lets the last lines reach their destinations.
  func endCollecting() {
    guard let pipes else { return }
    LogSink.shared.drain(milliseconds: 200)
    System.becomeErrors(pipes.original)
    for end in [pipes.errors.write, pipes.requests.write] { System.close(end) }
    if drain() { return }
    // It has died, or hangs: another one reads the rest.
    if let collector { closeCollector(collector) }
    startCollector()
    if !drain() { MasterLog.error("the log's last lines may be lost: nobody has distributed them") }
  }

  /// Lets the process that distributes lines pass on the rest; false if it does not finish.
  private func drain() -> Bool {
    guard let collector else { return false }
    if let ending = System.ending(of: collector.pid) { return ending == .exited(0) }
    try? System.sendPacket(collector.link, Message(.stop).bytes)
    for _ in 0..<Master.lastLooks {
      if let ending = System.ending(of: collector.pid) { return ending == .exited(0) }
      System.pause(milliseconds: 10)
    }
    System.signal(collector.pid, SIGKILL)
    return false
  }

  /// How often an ending process is checked, ten milliseconds apart.
  private static let lastLooks = 500

  /// Has the logs reopened by name: by the process that owns them, if there is one. `standard` is the new
  /// file in place of its standard error, or -1.
  func reopenCollected(_ standard: Int32) {
    guard let collector else { return }
    try? System.sendPacket(collector.link, Message(.reopen).bytes, descriptor: standard)
  }
}
