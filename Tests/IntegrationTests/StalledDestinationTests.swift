// Destinations of the log that take nothing: every request is answered before anybody reads, and what nobody
// took is counted where a server is watched.
import Foundation
import Support
import Testing

@Suite struct StalledDestinationTests {
  /// Where lines go, and why they do not get there.
  enum Destination: String, CaseIterable, Sendable {
    /// A file on a device that is full.
    case full
    /// A named pipe, and standard error, that nobody reads.
    case pipe, errors
    /// Sockets of the machine whose owner does not read.
    case socket, syslog, journal
    /// Datagrams over the network, which the kernel throws away: nobody can count these.
    case udp, rsyslog

    var isCounted: Bool { self != .udp && self != .rsyslog }
  }

  /// A server with one destination for its lines, and what stands at its other end.
  private final class Server {
    let folder: TemporaryFolder
    let process: ChildProcess
    let address: Support.Address
    private let pipe: Int32
    private let receivers: [DatagramReceiver]

    init(_ option: String, _ destination: Destination) throws {
      let folder = try TemporaryFolder()
      self.folder = folder
      guard mkfifo(folder.file("pipe"), 0o600) == 0 else {
        throw SupportError.system(call: "mkfifo", errno: errno)
      }
      pipe = open(folder.file("pipe"), O_RDWR | O_NONBLOCK | O_CLOEXEC)
      let local = try DatagramReceiver(.unix(path: folder.file("r")))
      let remote = try DatagramReceiver(.tcp(host: "127.0.0.1", port: 0))
      receivers = [local, remote]
      let value =
        switch destination {
        case .full: "file:/dev/full"
        case .pipe: "file:\(folder.file("pipe"))"
        case .errors: "stdio"
        case .socket: "socket:\(local.text)"
        case .syslog: "syslog:x,daemon,\(local.text)"
        case .journal: "systemd:x,\(local.text)"
        case .udp: "socket:\(remote.text)"
        case .rsyslog: "rsyslog:\(remote.text),x,165"
        }
      address = .unix(path: folder.file("http.sock"))
      let errors = folder.file(destination == .errors ? "pipe" : "errors")
      process = try ChildProcess(
        "/bin/sh",
        [
          "-c", "exec \"$0\" \"$@\" 2>>\(errors)", Repository.server, "--app",
          Repository.app("hello_world_app"), "--http-socket", folder.file("http.sock"), "-p", "1",
          "--control-socket", folder.file("ctl"), "--stats", folder.file("stats"), "--stats-http",
          "--metrics", folder.file("metrics"), option, value,
        ])
      try Deadline.usual.wait(for: "the sockets") { [address] () -> Bool? in
        for place in [address, .unix(path: folder.file("stats")), .unix(path: folder.file("metrics"))] {
          guard let socket = try? RawSocket(place) else { return nil }
          socket.close()
        }
        return true
      }
    }

    deinit { close(pipe) }

    /// So many requests on one connection, each of which is answered.
    func ask(_ count: Int) throws { try RawSocket(address).ask(times: count) }

    /// What a socket for those who watch answers.
    func watch(_ name: String) throws -> String {
      let socket = try RawSocket(.unix(path: folder.file(name)))
      try socket.send("GET /\(name) HTTP/1.0\r\nHost: localhost\r\n\r\n")
      return String(decoding: try socket.receiveAll(), as: UTF8.self)
    }

    func status() throws -> String {
      try ChildProcess.run(
        Repository.server, ["ctl", "--control-socket", folder.file("ctl"), "--json", "status"]
      ).output
    }
  }

  /// A count behind a name in a text; nil without one.
  private func number(_ name: String, in text: String) -> Int? {
    guard let range = text.range(of: name) else { return nil }
    return Int(text[range.upperBound...].drop { $0 == " " || $0 == ":" }.prefix { $0.isNumber })
  }

  @Test(
    "no request waits, and what nobody took is in the status, the statistics and the metrics",
    arguments: ["--logger", "--req-logger"], Destination.allCases)
  func stalled(option: String, destination: Destination) throws {
    let server = try Server(option, destination)
    // More than a pipe, a queue and all memories hold.
    try server.ask(12_000)
    if destination.isCounted {
      let found = try Deadline.usual.wait(for: "the count") { () -> Int? in
        let dropped = number("\"droppedLogLines\"", in: try server.status()) ?? 0
        return dropped > 0 ? dropped : nil
      }
      let stats = number("\"dropped_log_lines\"", in: try server.watch("stats")) ?? 0
      let metrics = number("\nnsgi_log_lines_dropped_total", in: try server.watch("metrics")) ?? 0
      #expect(stats >= found && metrics >= stats && metrics < 13_000)
    }
    try server.ask(100)
    #expect(try server.process.stop() == .status(0))
  }
}
