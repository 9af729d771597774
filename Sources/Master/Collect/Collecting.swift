import Config
import Control
import Glibc
import Posix

/// The ways of lines to the process that distributes them. The master keeps both ends of each: a process that
/// takes the place of one that has ended reads on where that one stopped.
struct LogPipes {
  let errors: (read: Int32, write: Int32)
  let requests: (read: Int32, write: Int32)
  /// What standard error was before.
  let original: Int32
}

/// The process that distributes lines.
struct Collector {
  let pid: Int32
  let processDescriptor: Int32
  let link: Int32
  var hearing = Hearing()
}

/// Its life: before everything else, and until nobody is left who writes.
extension Master {
  /// Has all lines go by way of a process of their own, if they go anywhere but to standard error.
  func startCollecting() throws(SystemError) {
    guard plan.settings.log.routing.isCollected else { return }
    let original = try System.duplicate(STDERR_FILENO)
    let (errors, requests) = (try System.pipe(), try System.pipe())
    // Its writers are the workers, which never wait; what else writes to standard error may.
    try System.setNonBlocking(requests.write)
    pipes = LogPipes(errors: errors, requests: requests, original: original)
    startCollector()
    System.becomeErrors(pipes!.errors.write)
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

  /// Seconds before another is started in the place of one that has ended.
  private static let collectorPause = 1.0

  /// Starts another in the place of one that has ended.
  func collectAgain() { startCollector() }

  /// It says how many lines nobody took, or why it cannot start.
  func collectorSpeaks() {
    guard let link = collector?.link, let message = hear(link, &collector!.hearing) else { return }
    switch message.verb {
    case .lost: collectorDrops = message.number("count").map { min(max($0, 0), 1 << 48) } ?? 0
    case .failed: MasterLog.error("the log's lines wait: \(message["reason"] ?? "")")
    default: break
    }
  }

  /// It has ended: what the writers have for it waits in the pipes for another.
  func collectorEnded() {
    guard let collector, let ending = System.ending(of: collector.pid) else { return }
    collectorSpeaks()
    self.collector = nil
    earlierDrops += collectorDrops
    collectorDrops = 0
    unwatch(collector.link)
    unwatch(collector.processDescriptor)
    MasterLog.warning(
      "the process that distributes the log's lines ended with \(ending.description); another is started")
    alarms.set(.collector, seconds: Master.collectorPause)
  }

  /// Lines that nobody took in time, of master and collector; the workers count their own.
  var droppedLines: Int { LogSink.shared.drops + earlierDrops + collectorDrops }

  /// Nobody is left who writes: standard error is what it was, and the last lines reach their places.
  func endCollecting() {
    guard let pipes else { return }
    LogSink.shared.drain(milliseconds: 200)
    System.becomeErrors(pipes.original)
    for end in [pipes.errors.write, pipes.requests.write] { System.close(end) }
    guard let collector else { return }
    try? System.sendPacket(collector.link, Message(.stop).bytes)
    for _ in 0..<Master.lastLooks {
      if System.ending(of: collector.pid) != nil { return }
      System.pause(milliseconds: 10)
    }
    System.signal(collector.pid, SIGKILL)
  }

  /// Looks at a process that ends, ten milliseconds apart.
  private static let lastLooks = 200

  /// Has the logs opened by their names again: by the process that has them, if there is one. `standard` is
  /// the new file in place of its standard error, or -1.
  func reopenCollected(_ standard: Int32) {
    guard let collector else { return }
    try? System.sendPacket(collector.link, Message(.reopen).bytes, descriptor: standard)
  }
}
