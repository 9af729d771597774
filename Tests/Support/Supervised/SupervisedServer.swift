// A server as master and workers, with an app whose file the test replaces, and a control socket of its own.
import Foundation

/// One running `server` with `-p N`, asked through `server ctl`.
public final class SupervisedServer: Sendable {
  /// The master.
  public let server: ServerProcess
  /// Holds the app, the control socket and the ledger.
  public let folder: TemporaryFolder
  /// The app's file, a copy of the library that was given.
  public let app: String
  /// Where `server ctl` reaches it.
  public let control: String
  /// The file in which the app `ledger` writes the ids that it serves.
  public let served: String

  /// Starts it with a copy of `library` as its app, and so many `workers`, or as `options` say. In these,
  /// `DIR/` is `folder`.
  public init(
    _ library: String, workers: Int? = 2, gateways: [String] = ["http"], _ options: [String] = [],
    folder: TemporaryFolder? = nil, environment: [String: String] = [:], program: String = Repository.server
  ) throws {
    let folder = try folder ?? TemporaryFolder()
    self.folder = folder
    (app, control, served) = (folder.file("app.so"), folder.file("ctl"), folder.file("served"))
    try Self.replace(app, with: library)
    let sockets = gateways.flatMap { ["--\($0)-socket", "127.0.0.1:0"] }
    let count = workers.map { ["-p", "\($0)"] } ?? []
    let own = ["--control-socket", control, "--app-option", "ledger=\(served)", "-L"] + count
    server = try ServerProcess(
      app: app, sockets + own + options.map { $0.replacingOccurrences(of: "DIR/", with: folder.path + "/") },
      environment: environment, program: program)
  }

  /// Starts it without an app file: the options name what serves. `DIR/` in them is `folder`.
  public init(
    runtime options: [String], workers: Int = 2, gateways: [String] = ["http"], folder: TemporaryFolder,
    program: String = Repository.server
  ) throws {
    self.folder = folder
    (app, control, served) = ("", folder.file("ctl"), folder.file("served"))
    let sockets = gateways.flatMap { ["--\($0)-socket", "127.0.0.1:0"] }
    let own = ["--control-socket", control, "-L", "-p", "\(workers)"]
    server = try ServerProcess(
      app: nil, sockets + own + options.map { $0.replacingOccurrences(of: "DIR/", with: folder.path + "/") },
      program: program)
  }

  /// Puts a library at `path` as a careful build does: written beside it and moved over.
  public static func replace(_ path: String, with library: String) throws {
    let beside = path + ".new"
    try? FileManager.default.removeItem(atPath: beside)
    try FileManager.default.copyItem(atPath: library, toPath: beside)
    guard rename(beside, path) == 0 else { throw SupportError.system(call: "rename", errno: errno) }
  }

  /// Puts another build at the app's path.
  public func install(_ library: String) throws { try Self.replace(app, with: library) }

  /// Runs `server ctl` with these words.
  public func ctl(_ words: String..., deadline: Deadline = .usual) throws -> (exit: Int32, output: String) {
    try ctl(words, deadline)
  }

  /// Runs `server ctl` with these words.
  public func ctl(_ words: [String], _ deadline: Deadline) throws -> (exit: Int32, output: String) {
    let (exit, output) = try ChildProcess.run(
      Repository.server, ["ctl", "--control-socket", control] + words, deadline: deadline)
    guard case .status(let code) = exit else {
      throw SupportError.ended(program: "server ctl", exit: exit, output: output)
    }
    return (code, output)
  }

  /// What `server ctl status` says.
  public func status() throws -> MasterStatus {
    let (exit, output) = try ctl("--json", "status")
    guard exit == 0 else {
      throw SupportError.ended(program: "server ctl status", exit: .status(exit), output: output)
    }
    return try MasterStatus(output)
  }

  /// Waits until the status is as `isReached` wants it.
  @discardableResult
  public func wait(
    for what: String, _ deadline: Deadline = .usual, _ isReached: (MasterStatus) throws -> Bool
  ) throws -> MasterStatus {
    try deadline.wait(for: what, output: { log }) {
      let status = try status()
      return try isReached(status) ? status : nil
    }
  }

  /// Waits until the log holds `text`.
  public func waitForLog(_ text: String, _ deadline: Deadline = .usual) throws {
    _ = try server.process.waitForOutput("`\(text)`", deadline) { $0.contains(text) ? true : nil }
  }

  /// The socket of a kind (`metrics`, `stats`, `status-page`) for those who watch, once it is ready.
  public func watchAddress(_ kind: String) throws -> Address {
    try server.process.waitForOutput("the \(kind) socket") { output in
      ServerProcess.readyLines(output).first { $0.gateway == kind }?.address
    }
  }

  /// What the server has said so far.
  public var log: String { server.process.output }

  /// The process of the master.
  public var pid: pid_t { server.process.pid }

  /// One request on a connection of its own: the body of the answer.
  public func get(_ target: String = "/?id=0") throws -> Reply {
    try server.connect().ask(target)
  }

  /// The letter and the generation that answer on a new connection: "A 1".
  public func answering() throws -> String {
    try get().text.split(separator: " ").dropFirst().prefix(2).joined(separator: " ")
  }

  /// Stops the server and waits for its end.
  @discardableResult
  public func stop() throws -> ChildProcess.Exit { try server.stop() }
}

/// The answer to `server ctl --json status`.
public struct MasterStatus: Sendable {
  /// One worker.
  public struct Worker: Sendable, Equatable {
    public var place: Int
    public var pid: pid_t
    public var state: String
    public var generations: [Int]
  }

  /// A process that forks workers.
  public struct Zygote: Sendable, Equatable {
    /// 0 while there is none.
    public var pid: pid_t
    public var state: String
    public var generations: [Int]
  }

  public var pid: pid_t
  public var respawns: Int
  public var workers: [Worker]
  public var zygotes: [Zygote]
  /// The generation of each app.
  public var generations: [Int]
  /// What the last change came to; empty without one.
  public var last: String
  /// What goes on, as "on probation: /"; empty for nothing.
  public var change: String
  /// The sentences of the last crashes.
  public var crashes: [String]
  public var text: String

  /// Workers that accept.
  public var serving: [Worker] { workers.filter { $0.state == "serving" } }

  /// Reads the JSON of the answer.
  public init(_ text: String) throws {
    self.text = text
    let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    guard let answer = parsed?["answer"] as? [String: Any], let pid = answer["pid"] as? Int,
      let respawns = answer["respawns"] as? Int, let list = answer["workers"] as? [[String: Any]],
      let apps = answer["apps"] as? [[String: Any]], let crashes = answer["crashes"] as? [[String: Any]]
    else { throw SupportError.malformedReply(text) }
    (self.pid, self.respawns) = (pid_t(pid), respawns)
    workers = list.map {
      Worker(
        place: $0["place"] as? Int ?? 0, pid: pid_t($0["pid"] as? Int ?? 0),
        state: $0["state"] as? String ?? "", generations: $0["generations"] as? [Int] ?? [])
    }
    zygotes = (answer["zygotes"] as? [[String: Any]] ?? []).map {
      Zygote(
        pid: pid_t($0["pid"] as? Int ?? 0), state: $0["state"] as? String ?? "",
        generations: $0["generations"] as? [Int] ?? [])
    }
    generations = apps.map { $0["generation"] as? Int ?? 0 }
    (last, change) = (answer["last"] as? String ?? "", answer["change"] as? String ?? "")
    self.crashes = crashes.map { $0["text"] as? String ?? "" }
  }
}
