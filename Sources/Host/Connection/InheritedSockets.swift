import Config
import Glibc

/// Listening sockets that a launcher hands over: descriptor 0 (lighttpd's bin-path, spawn-fcgi,
/// multiwatch), or descriptors from 3 on with LISTEN_FDS (systemd, sd_listen_fds(3)).
public enum InheritedSockets {
  /// Descriptor 0 is a listening socket.
  public static var isStandardInputListening: Bool { isListening(STDIN_FILENO) }

  /// The descriptor is a listening socket.
  static func isListening(_ fd: Int32) -> Bool { (try? System.get(fd, SOL_SOCKET, SO_ACCEPTCONN)) == 1 }

  /// The sockets and the protocol of each: by its name in LISTEN_FDNAMES ("http", "scgi", "uwsgi", "fastcgi",
  /// "fcgi"; also "http-2" and the like), otherwise `gateway`.
  static func find(default gateway: ListenerProtocol) -> [(fd: Int32, gateway: ListenerProtocol)] {
    var found: [(fd: Int32, gateway: ListenerProtocol)] = []
    if isStandardInputListening { found.append((STDIN_FILENO, gateway)) }
    guard let text = System.environmentValue("LISTEN_FDS"), let count = Int32(text), count > 0,
      System.environmentValue("LISTEN_PID").flatMap({ Int32($0) }) == getpid()
    else { return found }
    let names = (System.environmentValue("LISTEN_FDNAMES") ?? "").split(
      separator: ":", omittingEmptySubsequences: false)
    for index in 0..<count {
      let name = Int(index) < names.count ? names[Int(index)] : ""
      found.append((3 + index, named(name) ?? gateway))
    }
    return found
  }

  private static func named(_ name: Substring) -> ListenerProtocol? {
    switch name.prefix(while: { $0 != "-" && $0 != "." }) {
    case "http": .http1
    case "scgi": .scgi
    case "uwsgi": .uwsgi
    case "fastcgi", "fcgi": .fastcgi
    default: nil
    }
  }
}
