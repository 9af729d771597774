import Config
import Control
import Glibc

/// The caller's side of a server's control socket. A server that answers is trusted if it belongs to root or
/// to the caller; root may ask other users' servers, but only where nobody else could have put a socket.
public enum ControlSocket {
  /// Why the server cannot be asked.
  public enum Failure: Error, CustomStringConvertible {
    case none
    /// There is none whose directory is in this one.
    case noneIn(String)
    case several([String])
    case refused(path: String, reason: String)
    /// The server that answers belongs to another user.
    case stranger(path: String, user: UInt32)

    public var description: String {
      switch self {
      case .none:
        "no server of this user runs with a master; name its --control-socket, or its --runtime-dir"
      case .noneIn(let directory):
        "no server of this user with a master and without --control-socket runs in \(directory)"
      case .several(let paths):
        "several servers run; name one: \(paths.map { "--control-socket \($0)" }.joined(separator: " or "))"
      case .refused(let path, let reason): "no server answers at \(path) (\(reason))"
      case .stranger(let path, let user):
        "what answers at \(path) belongs to user \(user), who may have put it there for this; nothing was "
          + "asked. Run ctl as that user if the server is theirs"
      }
    }
  }

  /// A server to ask.
  public struct Server {
    let path: String
    /// The user that it must belong to; nil: anybody who may be trusted at that path.
    let owner: UInt32?

    /// The server behind a socket that the caller has named.
    public init(at path: String) { (self.path, owner) = (path, nil) }

    fileprivate init(_ running: RuntimeDirectory.Running) {
      (path, owner) = (running.socket, running.owner)
    }
  }

  /// The only server of this user; `directory`: the one that was started with this --runtime-dir.
  public static func find(in directory: String? = nil) throws -> Server {
    let servers = RuntimeDirectory.running(in: directory)
    guard let first = servers.first else { throw directory.map { Failure.noneIn($0) } ?? .none }
    if servers.count > 1 { throw Failure.several(servers.map(\.socket)) }
    return Server(first)
  }

  /// Sends one line and hands over the answer's lines as they come, to the end.
  ///
  /// - Parameter met: called, before anything is asked, if the server belongs to another user than root and
  ///   the caller.
  public static func converse(
    _ server: Server, _ line: String, met: (UInt32) -> Void, _ take: (String) -> Void
  ) throws {
    let address = SocketAddress(.unix(path: server.path))
    do {
      let fd = try System.socket(family: AF_UNIX)
      defer { System.close(fd) }
      // Wait in the queue if others do: a non-blocking connection would be refused at once.
      try System.setBlocking(fd)
      try address.withPointer { pointer, length throws(SystemError) in try System.connect(fd, pointer, length)
      }
      let peer = try System.peerUser(fd)
      guard trusts(server, peer) else { throw Failure.stranger(path: server.path, user: peer) }
      if peer != 0, peer != System.effectiveUser { met(peer) }
      var text = line
      try text.withUTF8 { try System.writeAll(fd, UnsafeRawBufferPointer($0)) }
      var waiting: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = try System.read(fd, &buffer, buffer.count)
        if count == 0 { return }
        waiting += buffer[..<count]
        while let end = waiting.firstIndex(of: UInt8(ascii: "\n")) {
          take(String(decoding: waiting[..<end], as: UTF8.self))
          waiting.removeFirst(end + 1)
        }
      }
    } catch let error as SystemError { throw Failure.refused(path: server.path, reason: error.reason) }
  }

  private static func trusts(_ server: Server, _ peer: UInt32) -> Bool {
    if let owner = server.owner { return peer == owner }
    if peer == 0 || peer == System.effectiveUser { return true }
    return System.effectiveUser == 0
      && System.isStable(Paths.directory(of: server.path), besides: peer, isAlone: true)
  }
}
