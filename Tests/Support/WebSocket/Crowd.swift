// Sockets on all workers of a server with the app `websockets`, and links between the workers that are known
// to be there.
import Foundation

/// Clients of one server, at first one on each of its workers, which have all joined a topic.
public final class Crowd {
  /// A client that knows its worker.
  public final class Client {
    /// The process that its socket is on.
    public let pid: pid_t
    /// The client itself.
    public let client: WebSocketClient

    fileprivate init(_ pid: pid_t, _ client: WebSocketClient) { (self.pid, self.client) = (pid, client) }

    /// Says a text.
    public func send(_ text: String) throws { try client.send(text) }

    /// The next frame but for those that links were tried with.
    public func next() throws -> WebSocketClient.Frame {
      while true {
        let frame = try client.next()
        if frame != Crowd.probe { return frame }
      }
    }
  }

  /// In the order in which they have come.
  public private(set) var clients: [Client] = []
  private let server: SupervisedServer
  private static let probe = WebSocketClient.Frame.text("all probe")

  /// Puts a client on each worker that serves.
  public init(_ server: SupervisedServer, topic: String) throws {
    self.server = server
    for pid in try Self.pids(of: server) { try join(pid, topic: topic) }
  }

  /// The workers that serve.
  public static func pids(of server: SupervisedServer) throws -> [pid_t] {
    try server.status().serving.map(\.pid).sorted()
  }

  /// Puts one more client on a worker. Returns when all hear it and it hears all.
  public func join(_ pid: pid_t, topic: String) throws {
    let address = try server.server.address("http")
    let client = try Self.alone(pid, of: server) {
      let client = try WebSocketClient(address)
      try client.send("pid")
      guard try client.next() == .text("pid \(pid)") else {
        throw SupportError.malformedReply("another worker than \(pid) has accepted")
      }
      return client
    }
    let one = Client(pid, client)
    for name in [topic, "probe"] {
      try one.send("join \(name)")
      guard try one.next() == .text("joined") else { throw SupportError.malformedReply("not joined") }
    }
    for other in clients {
      try awaitLink(from: one, to: other)
      try awaitLink(from: other, to: one)
    }
    clients.append(one)
  }

  /// Closes a client, or forgets one whose worker is gone.
  public func dismiss(_ one: Client) {
    one.client.socket.close()
    clients.removeAll { $0 === one }
  }

  /// How many other clients are on the worker of one: so many take there what it publishes.
  public func neighbours(of one: Client) -> Int { clients.count { $0.pid == one.pid } - 1 }

  /// Ends all sockets, and then the server.
  public func stop() throws -> ChildProcess.Exit {
    for one in clients { one.client.socket.close() }
    return try server.stop()
  }

  private func awaitLink(from one: Client, to other: Client) throws {
    try Deadline.usual.wait(for: "a link from \(one.pid) to \(other.pid)", output: { server.log }) {
      try hears(other, one) ? () : nil
    }
  }

  /// Whether a probe of one client has come to another.
  private func hears(_ other: Client, _ one: Client) throws -> Bool {
    try one.send("all probe")
    guard case .text(let told) = try one.next(), told.hasPrefix("told ") else {
      throw SupportError.malformedReply("no answer to a probe")
    }
    // What comes before the echo has been heard.
    try other.send("echo")
    var hasHeard = false
    while true {
      let frame = try other.client.next()
      if frame == .text("echo") { return hasHeard }
      guard frame == Self.probe else { throw SupportError.malformedReply("\(frame) between probes") }
      hasHeard = true
    }
  }

  /// Runs `body` while no other worker can accept: they are stopped.
  public static func alone<Answer>(
    _ pid: pid_t, of server: SupervisedServer, _ body: () throws -> Answer
  ) throws -> Answer {
    let others = try pids(of: server).filter { $0 != pid }
    for other in others { kill(other, SIGSTOP) }
    defer { for other in others { kill(other, SIGCONT) } }
    // One that has a thread left that runs could still take the connection.
    try Deadline.usual.wait(for: "stopped workers") { others.allSatisfy(isStopped) ? () : nil }
    return try body()
  }

  private static func isStopped(_ pid: pid_t) -> Bool {
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
    return !tasks.isEmpty
      && tasks.allSatisfy { task in
        guard let text = ProcessUsage.text(pid, "task/\(task)/stat"), let end = text.lastIndex(of: ")")
        else { return true }
        return text[end...].dropFirst(2).first == "T"
      }
  }
}
