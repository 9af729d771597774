import CNSGI

/// What an application learns when it starts; a copy, which it may keep.
public struct Boot: Sendable {
  /// Which worker process this is, from 0.
  public let worker: Int
  /// How many worker processes the server runs.
  public let workers: Int
  /// Counts the builds of this application that the server has loaded, from 1.
  public let generation: Int
  /// The operator's `--app-option key=value`; the last one of a key counts.
  public let options: [String: String]
  /// What the previous generation left; nil at a cold start.
  public let previous: (version: String, state: [UInt8])?
  /// The server's name and version, as in "nsgi-server 0.1.0".
  public let server: String
  /// Lines for the server's log.
  public let log: Log
  /// For messages to WebSockets; nil on a server without them.
  public var topics: Topics? { log.topics }

  init(_ boot: UnsafePointer<nsgi_boot>) {
    let view = boot.pointee
    (worker, workers, generation) = (Int(view.worker), Int(view.workers), Int(view.generation))
    var options: [String: String] = [:]
    if var next = view.options {
      while let key = next[0], let value = next[1] {
        options[String(cString: key)] = String(cString: value)
        next += 2
      }
    }
    self.options = options
    previous =
      view.from_version.n == 0
      ? nil : (String(view.from_version), view.from_state.bytes.map { $0 })
    let host = view.host!
    server = "\(String(cString: host.pointee.server)) \(String(cString: host.pointee.version))"
    log = Log(host, 0)
  }
}
