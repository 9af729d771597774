import Config
import Glibc

/// The caller's side of a server's control socket.
public enum ControlSocket {
  /// Why the server cannot be asked.
  public enum Failure: Error, CustomStringConvertible {
    case none
    case several([String])
    case refused(path: String, reason: String)

    public var description: String {
      switch self {
      case .none: "no server of this user runs with a master; name its --control-socket"
      case .several(let paths):
        "several servers run; name one: \(paths.map { "--control-socket \($0)" }.joined(separator: " or "))"
      case .refused(let path, let reason): "no server answers at \(path) (\(reason))"
      }
    }
  }

  /// The control socket of the only server of this user.
  public static func find() throws -> String {
    let paths = RuntimeDirectory.inUse().map { $0 + "/control.sock" }.filter { System.isSocket($0) }
    guard let first = paths.first else { throw Failure.none }
    if paths.count > 1 { throw Failure.several(paths) }
    return first
  }

  /// Asks one line and hands over the answer's lines as they come, to the end.
  public static func converse(_ path: String, _ line: String, _ take: (String) -> Void) throws {
    let address = SocketAddress(.unix(path: path))
    do {
      let fd = try System.socket(family: AF_UNIX)
      defer { System.close(fd) }
      try address.withPointer { pointer, length throws(SystemError) in try System.connect(fd, pointer, length)
      }
      try System.setBlocking(fd)
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
    } catch let error as SystemError { throw Failure.refused(path: path, reason: error.reason) }
  }
}
