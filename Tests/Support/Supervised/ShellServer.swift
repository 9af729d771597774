// A server with an app that runs what it is sent as a shell script: what may its user do?
import Foundation

/// One running server with `Tests/Fixtures/apps/shell.c`, whose workers are a user that no database knows.
public final class ShellServer: Sendable {
  /// The user and the group of the workers.
  public static let user: uid_t = 54321
  /// The server.
  public let server: SupervisedServer
  /// The server's own directory, as its workers know it.
  public let directory: String

  /// Starts it, with `options` besides; the first build is 1.
  public init(workers: Int = 1, _ options: [String] = [], environment: [String: String] = [:]) throws {
    try Root.require()
    server = try SupervisedServer(
      try Self.build(1), workers: workers,
      ["--uid", "\(Self.user)", "--gid", "\(Self.user)", "--swap-soak", "0", "--swap-probation", "0"]
        + options, environment: environment)
    directory = try Self.run(server.server, "echo $DIR").trimmed
  }

  /// A build of the app.
  public static func build(_ number: Int, _ defines: String...) throws -> String {
    try FixtureApp.path("shell", defines: ["BUILD=\(number)"] + defines)
  }

  /// Runs a script as the workers' user: what it prints.
  @discardableResult
  public func run(_ script: String) throws -> String { try Self.run(server.server, script) }

  /// Runs a script in an app `shell` of any server.
  @discardableResult
  public static func run(_ server: ServerProcess, _ script: String) throws -> String {
    let socket = try server.connect()
    let body = Array(script.utf8)
    try socket.send(
      Array("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: \(body.count)\r\n\r\n".utf8)
        + body)
    let text = try socket.receiveReply().text
    guard text.hasPrefix("build "), let end = text.firstIndex(of: "\n") else {
      throw SupportError.malformedReply(text)
    }
    return String(text[text.index(after: end)...])
  }

  /// The build that answers.
  public func answering() throws -> Int {
    let text = try server.get("/").text
    return Int(text.trimmed.split(separator: " ").last ?? "") ?? 0
  }
}

/// Tests of what root gives up need root.
public enum Root {
  /// Throws a sentence that says how to run them, to anybody else.
  public static func require() throws {
    guard getuid() == 0 else { throw SupportError.needsRoot }
  }

  /// Runs a shell script as another user, whose only group has the same number.
  public static func run(as user: uid_t, _ script: String) throws -> String {
    let (_, output) = try ChildProcess.run(
      "/usr/bin/setpriv",
      ["--reuid", "\(user)", "--regid", "\(user)", "--clear-groups", "/bin/sh", "-c", script])
    return output
  }
}

extension String {
  /// Without white space around it.
  public var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
