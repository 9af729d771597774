// The server under test as a process: started with the options of a test on ports of its own choosing,
// ready when it says so, stopped by its process id.
import Foundation
import Synchronization

/// One running `server`.
public final class ServerProcess: Sendable {
  /// The process.
  public let process: ChildProcess
  /// Its folder: unix sockets of `listen` go there.
  public let folder: TemporaryFolder
  /// The addresses it said it listens on, in the order of its lines: protocol word and address.
  private let ready: [(gateway: String, address: Address)]

  /// Starts `server --app APP OPTIONS` and waits until every socket named in `options` is ready; `program` is
  /// that of the server.
  ///
  /// In `options`, `DIR` stands for the server's own folder: `["--scgi-socket", "DIR/s.sock"]`.
  public init(
    app: String? = Repository.app("environ"), _ options: [String] = ["--http-socket", "127.0.0.1:0"],
    environment: [String: String] = [:], input: ChildProcess.Input = .nothing, descriptors: [Int32] = [],
    sockets: Int? = nil, program: String = Repository.server
  ) throws {
    let folder = try TemporaryFolder()
    self.folder = folder
    let words = options.map { $0.replacingOccurrences(of: "DIR/", with: folder.path + "/") }
    let expected =
      sockets
      ?? words.count {
        $0.hasPrefix("--") && $0.hasSuffix("socket") && $0 != "--control-socket"
      }
    process = try ChildProcess(
      program, (app.map { ["--app", $0] } ?? []) + words, environment: environment, input: input,
      descriptors: descriptors)
    ready = try process.waitForOutput("\(expected) ready sockets") { output in
      let lines = Self.readyLines(output)
      return lines.count >= expected ? lines : nil
    }
  }

  /// Reads the lines `server: http socket 127.0.0.1:41233 ready`.
  public static func readyLines(_ output: String) -> [(gateway: String, address: Address)] {
    output.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard words.count == 5, words[0] == "server:", words[2] == "socket", words[4] == "ready",
        let address = Address(String(words[3]))
      else { return nil }
      return (String(words[1]), address)
    }
  }

  /// The address of the first (or `index`-th) socket of a protocol: `http`, `scgi`, `uwsgi`, `fastcgi`.
  public func address(_ gateway: String, _ index: Int = 0) throws -> Address {
    let found = ready.filter { $0.gateway == gateway }
    guard index < found.count else {
      throw SupportError.timedOut(waitingFor: "a \(gateway) socket", output: process.output)
    }
    return found[index].address
  }

  /// `http://127.0.0.1:PORT` of the HTTP socket.
  public var url: String { get throws { "http://\(try address("http"))" } }

  /// Connects to a socket of the server.
  public func connect(_ gateway: String = "http", receiveBuffer: Int32? = nil) throws -> RawSocket {
    try RawSocket(try address(gateway), receiveBuffer: receiveBuffer)
  }

  /// The text of the answer to a target, and of no second one: what follows on the connection is that to
  /// /plain, which says "plain".
  public func textOfOneAnswer(_ target: String) throws -> String {
    let socket = try connect()
    try socket.send("GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n")
    let reply = try socket.receiveReply()
    try socket.send("GET /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    let next = try socket.receiveReply().text
    guard next == "plain" else {
      throw SupportError.malformedReply("\(target) is followed by \(next): \(process.output)")
    }
    return reply.text
  }

  /// Sends SIGTERM (or another signal) and waits for the end.
  @discardableResult
  public func stop(_ signal: Int32 = SIGTERM) throws -> ChildProcess.Exit { try process.stop(signal) }

  /// Runs `server` with options that make it end by itself; returns how, and what it said.
  public static func run(
    _ arguments: [String], environment: [String: String] = [:]
  ) throws -> (exit: ChildProcess.Exit, output: String) {
    try ChildProcess.run(Repository.server, arguments, environment: environment)
  }
}
