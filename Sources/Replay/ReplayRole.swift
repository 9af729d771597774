import Config
import Control
import Host
import Posix

/// The process that replays remembered requests before a new build serves anybody. It starts two copies of
/// the serving builds and one of the new ones, asks all three the same, and reports what differs.
///
/// It runs as the user that the workers run as. The heads come from the workers, and the answers from builds:
/// both may be anything. Its master keeps the time.
public enum ReplayRole {
  /// Seconds that the copies have to end, once all is reported.
  private static let lastSeconds = 1.0

  /// Does it, and reports; to be called after `Server.enter`. `settings` are those of the new builds.
  ///
  /// - Parameter role: the first word on the command line of a process with orders.
  public static func run(_ settings: Settings, _ assignment: Assignment, role: String) {
    // After the change of user, which makes the kernel forget it.
    System.dieWithParent()
    let orders = assignment.orders
    guard let replay = orders.replay, replay.builds.count == orders.builds.count else {
      return assignment.fail("internal error: there is nothing to compare with", code: 1)
    }
    let requests = requests(replay)
    guard !requests.isEmpty else {
      return unreplayed(assignment, "the workers remember no request that could be replayed")
    }
    var copies: [BuildCopy] = []
    do throws(SystemError) {
      let before = copyOrders(orders, replay.arguments, replay.builds, replay.files)
      let new = copyOrders(orders, orders.arguments, orders.builds, orders.files)
      // The new one between the others: the time of a start is noise if it is another by then.
      for wanted in [before, new, before] { copies.append(try BuildCopy(wanted, role: role)) }
    } catch {
      for copy in copies { copy.awaitEnd(until: 0) }
      return unreplayed(assignment, "no process for a copy: \(error)")
    }
    defer { endAll(copies) }
    let end = System.now() &+ UInt64(settings.supervision.startSeconds * 1e9)
    // The new one last: if it takes all the time, that is its own fault alone.
    for copy in [copies[0], copies[2], copies[1]] { copy.awaitReady(until: end) }
    let failures = copies.map(\.failure)
    if let reason = failures[0] ?? failures[2] {
      return unreplayed(assignment, "another copy of the serving build does not start: \(reason)")
    }
    if let reason = failures[1] {
      return assignment.fail("a copy of it to replay requests to does not start: \(reason)", code: 22)
    }
    var course = ReplayCourse(
      usual: [copies[0], copies[2]], new: copies[1], apps: replay.builds.map(\.app),
      settings.supervision.replay.gate, clock: { System.now() })
    course.run(requests)
    for (build, report) in zip(orders.builds, course.reports) {
      send(assignment, Message(.replayed, [.init("app", "\(build.app)")] + report.fields))
    }
  }

  /// The requests in the files that the workers have filled.
  private static func requests(_ replay: Orders.Replay) -> [ReplayRequest] {
    let heads = replay.heads.flatMap { file -> [RememberedHead] in
      let bytes = System.contents(file, most: 2 * Limits.rememberedBytes)
      return RememberedHead.all(in: bytes, most: 2 * Limits.rememberedHeadBytes)
    }
    for file in replay.heads { System.close(file) }
    return ReplayRequest.chosen(from: heads, apps: replay.builds.map(\.app), most: replay.requests)
  }

  /// The orders of a copy.
  private static func copyOrders(
    _ orders: Orders, _ arguments: [String], _ builds: [Orders.Build], _ files: [HandedFile]
  ) -> Orders {
    var copy = Orders(.worker)
    (copy.isReplay, copy.workers, copy.arguments) = (true, orders.workers, arguments)
    (copy.builds, copy.files, copy.held, copy.program) = (builds, files, orders.held, orders.program)
    return copy
  }

  private static func endAll(_ copies: [BuildCopy]) {
    for copy in copies { copy.stop() }
    let end = System.now() &+ UInt64(lastSeconds * 1e9)
    for copy in copies { copy.awaitEnd(until: end) }
  }

  private static func unreplayed(_ assignment: Assignment, _ reason: String) {
    send(assignment, Message(.unreplayed, [Message.reason(reason)]))
  }

  private static func send(_ assignment: Assignment, _ message: Message) {
    try? System.sendPacket(assignment.descriptor, message.bytes)
  }
}
