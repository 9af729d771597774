import Config
import Control
import Glibc

/// The process that has loaded the applications of a release, and forks its workers (docs/decisions/009).
final class Zygote {
  enum State {
    case loading
    /// It forks at each order.
    case ready
    /// It has ended: there is nothing to preload, and workers load for themselves.
    case idle
    /// It has ended, and will be restarted in a moment.
    case paused
    /// Nobody needs it any more: it was killed.
    case leaving

    var word: String {
      switch self {
      case .loading: "loading"
      case .ready: "ready"
      case .idle: "idle"
      case .paused: "to be started again"
      case .leaving: "leaving"
      }
    }
  }

  let number: Int
  let release: Release
  var state = State.paused
  var child: (pid: Int32, processDescriptor: Int32, link: Int32)?
  /// Workers that are forked once it is ready.
  var waiting: [Launch] = []
  /// The reason that it gave before it failed.
  var failure: (reason: String, code: Int32)?
  var hearing = Hearing()
  var patience = Patience()
  /// Monotonic nanoseconds of its last start.
  var began: UInt64 = 0

  init(_ number: Int, _ release: Release) { (self.number, self.release) = (number, release) }

  var generations: String { release.builds.map { "\($0.generation)" }.joined(separator: ",") }

  /// "zygote of generation 2 (pid 4711)".
  var title: String { "zygote of generation \(generations)" + (child.map { " (pid \($0.pid))" } ?? "") }

  /// Whether it forks workers of a release.
  func serves(_ other: Release) -> Bool {
    if case .leaving = state { return false }
    return release.plan == other.plan
  }
}

extension Release {
  /// Its workers come from a zygote, if its runtimes support that.
  var preloads: Bool {
    settings.supervision.preloading != .never && settings.apps.contains { $0.runtime != nil }
  }
}

/// The lives of zygotes.
extension Master {
  /// Launches a worker of a preloaded release: it is forked as soon as possible.
  func preload(_ launch: Launch) {
    guard let zygote = zygotes.values.first(where: { $0.serves(launch.release) }) else {
      let zygote = Zygote(nextNumber(), launch.release)
      zygotes[zygote.number] = zygote
      zygote.waiting = [launch]
      return start(zygote)
    }
    switch zygote.state {
    case .ready: haveForked(launch, by: zygote)
    case .idle: begin(launch)
    case .loading, .paused, .leaving: zygote.waiting.append(launch)
    }
  }

  /// The pause of one that has ended is over.
  func startZygote(_ number: Int) {
    if let zygote = zygotes[number], case .paused = zygote.state { start(zygote) }
  }

  private func start(_ zygote: Zygote) {
    do throws(SystemError) {
      try System.adoptOrphans()
      hasOrphans = true
      try mend(zygote.release.builds)
      var orders = Orders(.zygote)
      (orders.workers, orders.arguments) = (zygote.release.workers, zygote.release.arguments)
      for (app, build) in zygote.release.builds.enumerated() {
        orders.builds.append(Orders.Build(app: app, generation: build.generation, path: build.path))
      }
      // Sockets, the state of each application, the pipe for lines of requests, what workers share, and the
      // server's own files.
      let others = 1 + Orders.Shared.descriptors + heldFiles(of: zygote.release).count
      orders.places = HandedDescriptor.first + Int32(sockets.count + zygote.release.builds.count + others)
      zygote.child = try startChild(
        orders, [], speaks: .zygoteLink(zygote.number), ended: .zygoteEnd(zygote.number))
      (zygote.state, zygote.failure, zygote.began) = (.loading, nil, System.now())
    } catch { failed(zygote, "no process for the zygote: \(error)", code: 1) }
  }

  /// The applications cannot be loaded in it, nor in the workers that wait for it. The next worker gets
  /// another zygote.
  private func failed(_ zygote: Zygote, _ reason: String, code: Int32) {
    zygotes[zygote.number] = nil
    if zygote.waiting.isEmpty {
      MasterLog.error("the \(zygote.title) has not come so far as to fork workers: \(reason)")
    }
    for launch in zygote.waiting { failed(launch, reason, code: code) }
  }

  // MARK: Its messages, and its end

  /// Reads a zygote's messages.
  func zygoteSpeaks(_ number: Int) {
    for _ in 0..<Limits.messagesPerTurn {
      guard let zygote = zygotes[number], let child = zygote.child else { return }
      do throws(SystemError) {
        let bytes = try System.receivePacket(child.link)
        guard !bytes.isEmpty, zygote.hearing.admits(at: System.now()) else { return hearNoMore(child.link) }
        if let report = ZygoteReport(bytes) { heed(zygote, report) }
      } catch {
        if error.code == EMSGSIZE { continue }
        if !error.isMomentary { hearNoMore(child.link) }
        return
      }
    }
  }

  private func heed(_ zygote: Zygote, _ report: ZygoteReport) {
    guard case .loading = zygote.state else { return }
    switch report {
    case .failed(let reason, let code): zygote.failure = (reason, code)
    case .ready:
      zygote.state = .ready
      for launch in zygote.takeWaiting() { haveForked(launch, by: zygote) }
    case .idle:
      zygote.state = .idle
      if zygote.release.settings.supervision.preloading == .wanted {
        MasterLog.warning(
          "preload means nothing here: the applications have no program of their own (--embed, or no "
            + "Python), and each worker loads them itself")
      }
      for launch in zygote.takeWaiting() { begin(launch) }
    }
  }

  /// A zygote's process is gone; the workers that it has forked are the master's children, and go on serving.
  func zygoteEnded(_ number: Int) {
    zygoteSpeaks(number)
    guard let zygote = zygotes[number], let child = zygote.child, let ending = System.ending(of: child.pid)
    else { return }
    let title = zygote.title
    zygote.child = nil
    unwatch(child.link)
    unwatch(child.processDescriptor)
    switch zygote.state {
    case .idle, .paused: break
    case .leaving: zygotes[number] = nil
    case .loading:
      let reason =
        zygote.failure?.reason
        ?? "application cannot be loaded: the zygote ended with \(ending.description) before it was ready"
      failed(zygote, reason, code: zygote.failure?.code ?? 22)
    case .ready:
      MasterLog.error("the \(title) died of \(ending.description); another is started")
      zygote.state = .paused
      let seconds = Double(System.now() &- zygote.began) / 1e9
      alarms.set(.zygote(number), seconds: zygote.patience.ended(after: seconds))
    }
  }

  // MARK: Who is needed

  /// Ends the zygotes whose workers can no longer be wanted.
  func tendZygotes() {
    for zygote in zygotes.values where !isNeeded(zygote) {
      if case .leaving = zygote.state { continue }
      alarms.cancel(.zygote(zygote.number))
      for launch in zygote.takeWaiting() { failed(launch, "it is not wanted any more", code: 1) }
      guard let child = zygote.child else {
        zygotes[zygote.number] = nil
        continue
      }
      zygote.state = .leaving
      System.signal(child.pid, SIGKILL)
    }
  }

  private func isNeeded(_ zygote: Zygote) -> Bool {
    if case .stopping = releases.state { return false }
    return !hasHandedOver && releases.startable.contains { $0.plan == zygote.release.plan }
  }

  /// Gives up a worker that waits for its zygote; `reason`: it has waited too long.
  func giveUp(_ id: Int, _ reason: String?) {
    for zygote in zygotes.values where zygote.waiting.contains(where: { $0.id == id }) {
      zygote.waiting.removeAll { $0.id == id }
      guard let reason, case .loading = zygote.state, let child = zygote.child else { continue }
      zygote.failure = (reason, 22)
      System.signal(child.pid, SIGKILL)
    }
  }

  /// Once a second: reaps orphans, which are nobody's concern.
  func reapOrphans() {
    guard hasOrphans else { return }
    let own = ownChildren
    while let pid = System.endedChild, !own.contains(pid) { _ = System.ending(of: pid) }
  }

  /// Processes that the master has started and waits for individually.
  var ownChildren: Set<Int32> {
    var all = workers.values.map(\.pid) + jobs.values.map(\.pid) + heirs.values.map(\.pid) + unwatched
    all += zygotes.values.compactMap { $0.child?.pid } + programs.values.map(\.pid)
    all += [watcher?.pid, collector?.pid, keeper?.pid].compactMap { $0 }
    return Set(all)
  }
}

extension Zygote {
  /// Takes the waiting ones, in their order; none waits any more.
  fileprivate func takeWaiting() -> [Launch] {
    defer { waiting = [] }
    return waiting
  }
}
