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

  /// Somebody who asks.
  private struct Client {
    let descriptor: Int32
    let kind: WatchSettings.Kind
    /// Monotonic milliseconds after which nobody waits for it.
    let deadline: UInt64
    var input: [UInt8] = []
    var output: [UInt8] = []
    /// The answer is in `output`, or has left.
    var isAnswered = false
  }

  /// Clients at once; others wait to be accepted.
  private static let clientsAtOnce = 64
  /// Milliseconds that a client has for its question and for taking the answer.
  private static let patience: UInt64 = 10_000

  private let listeners: [Listener]
  private let settings: WatchSettings
  /// The packet socket to the master: its end is this process's end.
  private let link: Int32
  private var source: Source
  private var clients: [Client] = []

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
      let accepts = clients.count < Watcher.clientsAtOnce
      entries += listeners.map { pollfd(fd: $0.descriptor, events: accepts ? Int16(POLLIN) : 0, revents: 0) }
      entries += clients.map {
        pollfd(fd: $0.descriptor, events: Int16($0.output.isEmpty ? POLLIN : POLLOUT), revents: 0)
      }
      System.wait(&entries, milliseconds: clients.isEmpty ? -1 : 1000)
      if entries[0].revents != 0 { return 0 }
      for (index, listener) in listeners.enumerated() where entries[1 + index].revents != 0 {
        accept(listener)
      }
      for index in entries.indices.dropFirst(1 + listeners.count) where entries[index].revents != 0 {
        guard serve(index - 1 - listeners.count) else { return 1 }
      }
      dropLate()
    }
  }

  private mutating func accept(_ listener: Listener) {
    guard let descriptor = System.accept(listener.descriptor) else { return }
    var client = Client(
      descriptor: descriptor, kind: listener.kind, deadline: System.milliseconds() + Watcher.patience)
    // Whoever connects is told; nothing has to be asked.
    if listener.kind == .stats, !settings.statsOverHTTP {
      guard let snapshot = source.snapshot() else { return System.close(descriptor) }
      (client.output, client.isAnswered) = (Array(stats(snapshot).utf8), true)
    }
    clients.append(client)
  }

  /// Goes on with a client; false when the master does not answer.
  private mutating func serve(_ index: Int) -> Bool {
    if !clients[index].isAnswered {
      switch System.receive(clients[index].descriptor) {
      case nil: return true
      case .some([]): clients[index].isAnswered = true
      case .some(let bytes):
        clients[index].input += bytes
        guard answer(index) else { return false }
      }
    }
    send(index)
    return true
  }

  private mutating func answer(_ index: Int) -> Bool {
    var (answer, isHead) = (Answer(), false)
    switch Question(clients[index].input) {
    case .incomplete: return true
    case .refused(let status): answer = .refusal(status)
    case .path(let path, let head):
      isHead = head
      guard let snapshot = source.snapshot() else { return false }
      answer = self.answer(path, clients[index].kind, snapshot)
    }
    (clients[index].output, clients[index].isAnswered) = (answer.bytes(isHead: isHead), true)
    return true
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

  private mutating func send(_ index: Int) {
    let client = clients[index]
    guard client.isAnswered else { return }
    guard let sent = System.send(client.descriptor, client.output[...]) else {
      clients[index].output = []
      return
    }
    clients[index].output.removeFirst(sent)
  }

  /// Clients that have everything, and those that take too long.
  private mutating func dropLate() {
    let now = System.milliseconds()
    clients.removeAll { client in
      guard (client.isAnswered && client.output.isEmpty) || now > client.deadline else { return false }
      System.close(client.descriptor)
      return true
    }
  }
}
