import Config
import Control
import Glibc

/// The process that shows the server's figures: to monitoring systems, and to people. It speaks HTTP so that
/// the master need not, is no more than a reader of what the master tells it, and ends with the master.
public struct Watcher {
  /// A socket to serve, and what is told there.
  public struct Listener: Sendable {
    let descriptor: Int32
    let kind: WatchSettings.Kind

    /// A listening socket; the watcher's from now on.
    public init(descriptor: Int32, kind: WatchSettings.Kind) {
      (self.descriptor, self.kind) = (descriptor, kind)
    }
  }

  /// Connections of one socket; each has its own, so that who keeps those of one busy keeps no other busy.
  private static let clientsAtOnce = 64
  /// Milliseconds without accepting, where that has failed.
  private static let pause: UInt64 = 100

  private let listeners: [Listener]
  private let settings: WatchSettings
  /// The packet socket to the master: its end is this process's end.
  private let link: Int32
  private var source: Source
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

  /// Serves until the master is gone. Returns the exit code: 0, or 1 when the master no longer answers.
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
        guard serve(index - 1 - listeners.count) else { return 1 }
      }
      for index in listeners.indices where entries[1 + index].revents != 0 { accept(index) }
      dropLate()
    }
  }

  // MARK: Accepting

  private func count(of listener: Int) -> Int { clients.count { $0.listener == listener } }

  /// The place of a client of a socket that another may have the room of.
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
      // It is short of descriptors: one that is worth little may be the next one's.
      if let place = dispensable(of: nil, now) { drop(place) }
      acceptsAgain = now + Watcher.pause
    }
  }

  private mutating func begin(_ descriptor: Int32, _ index: Int, _ now: UInt64) {
    var client = WatchClient(descriptor: descriptor, listener: index, began: now)
    // Whoever connects is told; nothing has to be asked.
    if listeners[index].kind == .stats, !settings.statsOverHTTP {
      guard let snapshot = source.snapshot() else { return System.close(descriptor) }
      client.answer(Array(stats(snapshot).utf8), now)
    }
    clients.append(client)
  }

  private mutating func drop(_ index: Int) {
    System.close(clients[index].descriptor)
    clients.remove(at: index)
  }

  /// Clients that are through, and those that take too long.
  private mutating func dropLate() {
    let now = System.milliseconds()
    clients.removeAll { client in
      guard client.isOver(now) else { return false }
      System.close(client.descriptor)
      return true
    }
  }

  // MARK: Answering

  /// Goes on with a client; false when the master does not answer.
  private mutating func serve(_ index: Int) -> Bool {
    let now = System.milliseconds()
    switch clients[index].stage {
    case .asking:
      guard clients[index].listen() else { return true }
      guard let answer = answer(clients[index]) else { return false }
      if let bytes = answer.bytes { clients[index].answer(bytes, now) }
    case .answering, .leaving, .gone: break
    }
    clients[index].goOn(now)
    return true
  }

  /// What a client gets; no bytes while it has not asked, nil when the master does not answer.
  private mutating func answer(_ client: WatchClient) -> (bytes: [UInt8]?, Void)? {
    switch Question(client.input, names: settings.names) {
    case .incomplete: return (nil, ())
    case .refused(let status): return (Answer.refusal(status).bytes(isHead: false), ())
    case .path(let path, let isHead):
      guard let snapshot = source.snapshot() else { return nil }
      return (answer(path, listeners[client.listener].kind, snapshot).bytes(isHead: isHead), ())
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
