import CNSGI

/// Writes to the server's log; may be kept, and used from any thread.
public struct Log: @unchecked Sendable {
  // Unchecked: the host's table is constant, and its log() is for any thread (nsgi.h).
  private let host: HostTable
  private let id: nsgi_id

  init(_ host: HostTable, _ id: nsgi_id) {
    self.host = host
    self.id = id
  }

  /// Topics of the same server.
  var topics: Topics? { Topics(host) }

  /// Severity, as the server's log knows it.
  public enum Level: Int32, Sendable {
    case trace = 0
    case debug, info, warning, error, fatal
  }

  /// One line.
  public func log(_ level: Level, _ text: String) {
    var text = text
    text.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) {
        host.pointee.log(id, level.rawValue, nsgi_str(p: $0.baseAddress, n: $0.count))
      }
    }
  }

  /// For whoever looks for a fault.
  public func debug(_ text: String) { log(.debug, text) }
  /// What happens as it should.
  public func info(_ text: String) { log(.info, text) }
  /// What an operator should look at some day.
  public func warning(_ text: String) { log(.warning, text) }
  /// What went wrong.
  public func error(_ text: String) { log(.error, text) }
}
