import Config
import Control
import Glibc

/// The process that shows the server's figures: to monitoring systems, and to people. It speaks HTTP so that
/// the master need not, only reads what the master tells it, and ends with the master.
public struct Watcher {
  /// A socket to serve, and what is shown there.
  public struct Listener: Sendable {
    let descriptor: Int32
    let kind: WatchSettings.Kind

    /// A listening socket; the watcher's from now on.
    public init(descriptor: Int32, kind: WatchSettings.Kind) {
      (self.descriptor, self.kind) = (descriptor, kind)
    }
  }

  /// Connections of one socket; each has its own, so that keeping one socket busy does not affect the others.
  private static let clientsAtOnce = 64
  /// Milliseconds without accepting, after that has failed.
  private static let pause: UInt64 = 100

  private let listeners: [Listener]
  private let settings: WatchSettings
  /// The packet socket to the master: its end is this process's end.
  private let link: Int32
  private var source: Source
  private var agent = AgentCheck()
  private var clients: [WatchClient] = []
  /// Monotonic milliseconds before which nobody is accepted.
  private var acceptsAgain: UInt64 = 0

  /// - Parameters:
  ///   - stream: to the master, for the figures.
  ///   - link: ends when the master does.
  public init(_ listeners: [Listener], _ settings: WatchSettings, stream: Int32, link: Int32) {
    (self.listeners, self.settings, self.link) = (listeners, settings, link)
    source = Source(descriptor: stream)
  }

  /// Serves until the master is gone. Returns the exit code: 0, or 1 when it can no longer be asked.
  public mutating func run() -> Int32 {
    while true {
      var entries = [pollfd(fd: link, events: 0, revents: 0)]
      let now = System.milliseconds()
      let accepts = now >= acceptsAgain
      for index in listeners.indices {
        let isFull = count(of: index) >= Watcher.clientsAtOnce
        let hasRoom = accepts && (!isFull || dispensable(of: index, now) != nil)
        entries.append(
          pollfd(fd: listeners[index].descriptor, events: hasRoom ? Int16(POLLIN) : 0, revents: 0))
      }
      entries += clients.map { pollfd(fd: $0.descriptor, events: $0.events, revents: 0) }
      System.wait(&entries, milliseconds: !accepts ? 100 : clients.isEmpty ? -1 : 250)
      if entries[0].revents != 0 { return 0 }
      for index in entries.indices.dropFirst(1 + listeners.count) where entries[index].revents != 0 {
        serve(index - 1 - listeners.count)
      }
      for index in listeners.indices where entries[1 + index].revents != 0 { accept(index) }
      // All askers have been answered; the master starts another process with a new stream.
      if source.isGone { return 1 }
      dropLate()
    }
  }

  // MARK: Accepting

  private func count(of listener: Int) -> Int { clients.count { $0.listener == listener } }

  /// The place of a client of a socket that may be closed to make room for another.
  private func dispensable(of listener: Int?, _ now: UInt64) -> Int? {
    let candidates = clients.indices.filter {
      (listener == nil || clients[$0].listener == listener) && clients[$0].isDispensable(now)
    }
    return candidates.min { clients[$0].worth < clients[$1].worth }
  }

  private mutating func accept(_ index: Int) {
    let now = System.milliseconds()
    if count(of: index) >= Watcher.clientsAtOnce {
      guard let place = dispensable(of: index, now) else { return }
      drop(place)
    }
    switch System.accept(listeners[index].descriptor) {
    case .connection(let descriptor): begin(descriptor, index, now)
    case .nobody: break
    case .failed:
      // It is short of descriptors: the next client may take that of one of little worth.
      if let place = dispensable(of: nil, now) { drop(place) }
      acceptsAgain = now + Watcher.pause
    }
  }

  private mutating func begin(_ descriptor: Int32, _ index: Int, _ now: UInt64) {
    var client = WatchClient(descriptor: descriptor, listener: index, began: now)
    // Clients get the answer on connecting; they need not ask.
    if isTold(listeners[index].kind) {
      // Without figures no answer would be true: a balancer keeps to the last one.
      guard let snapshot = source.snapshot() else { return System.close(descriptor) }
      let isAgent = listeners[index].kind == .agentCheck
      client.answer(Array((isAgent ? agent.line(snapshot) : stats(snapshot)).utf8), now)
    }
    clients.append(client)
  }

  /// Whether clients of a socket of this kind get their answer at once.
  private func isTold(_ kind: WatchSettings.Kind) -> Bool {
    switch kind {
    case .agentCheck: true
    case .stats: !settings.statsOverHTTP
    case .metrics, .statusPage: false
    }
  }

  private mutating func drop(_ index: Int) {
    System.close(clients[index].descriptor)
    clients.remove(at: index)
  }

  /// Drops clients that are done, and those that take too long.
  private mutating func dropLate() {
    let now = System.milliseconds()
    clients.removeAll { client in
      guard client.isOver(now) else { return false }
      System.close(client.descriptor)
      return true
    }
  }

  // MARK: Answering

  /// Goes on with a client.
  private mutating func serve(_ index: Int) {
    let now = System.milliseconds()
    switch clients[index].stage {
    case .asking:
      guard clients[index].listen() else { return }
      if let bytes = answer(clients[index]) { clients[index].answer(bytes, now) }
    case .answering, .leaving, .gone: break
    }
    clients[index].goOn(now)
  }

  /// The answer for a client; nil while it has not asked.
  private mutating func answer(_ client: WatchClient) -> [UInt8]? {
    switch Question(client.input, names: settings.names) {
    case .incomplete: return nil
    case .refused(let status): return Answer.refusal(status).bytes(isHead: false)
    case .path(let path, let isHead):
      guard let snapshot = source.snapshot() else {
        return Answer.refusal(503).bytes(isHead: isHead)
      }
      return answer(path, listeners[client.listener].kind, snapshot).bytes(isHead: isHead)
    }
  }

  private func answer(_ path: String, _ kind: WatchSettings.Kind, _ snapshot: Snapshot) -> Answer {
    switch (kind, path) {
    case (.stats, _): Answer(type: "application/json", body: stats(snapshot))
    case (.metrics, "/"), (.metrics, "/metrics"): Answer(type: Metrics.type, body: Metrics.text(snapshot))
    case (.statusPage, "/"): Answer(type: "text/html; charset=utf-8", body: StatusPage.html)
    case (.statusPage, "/status.json"):
      Answer(type: "application/json", body: StatusPage.json(snapshot).description)
    default: .refusal(404)
    }
  }

  private func stats(_ snapshot: Snapshot) -> String {
    let json = UWSGIStats.json(snapshot)
    return settings.statsMinified ? json.description : json.indented
  }
}
