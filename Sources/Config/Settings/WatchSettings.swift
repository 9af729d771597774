/// How the server is watched: where its figures can be read, and the paths for load balancers.
public struct WatchSettings: Sendable, Equatable {
  /// What is shown on a socket.
  public enum Kind: String, Sendable, Equatable, CaseIterable {
    /// JSON in uWSGI's shape, on connecting; as HTTP with `--stats-http`.
    case stats
    /// Prometheus's text format, over HTTP.
    case metrics
    /// A page for people, over HTTP.
    case statusPage = "status-page"
    /// A line of HAProxy's agent protocol, on connecting.
    case agentCheck = "agent-check"
  }

  /// A socket of that kind.
  public struct Listener: Sendable, Equatable {
    public var kind: Kind
    public var address: Address

    public init(kind: Kind, address: Address) { (self.kind, self.address) = (kind, address) }
  }

  /// The sockets, in the order of the options.
  public var listeners: [Listener] = []
  /// Names by which clients may call the server there, besides addresses and localhost.
  public var names: [String] = []
  /// `--stats` speaks HTTP.
  public var statsOverHTTP = false
  /// `--stats` leaves out blanks.
  public var statsMinified = false
  /// The path that says whether the server lives; empty for none.
  public var healthPath = ""
  /// The path that says whether new requests may come; empty for none.
  public var readyPath = ""
  /// How many seconds a server that is told to stop goes on serving while it says that it is not ready.
  public var shutdownDelaySeconds = 0.0

  /// Some path is about the server.
  public var asksForHealth: Bool { !healthPath.isEmpty || !readyPath.isEmpty }

  /// Nothing is watched.
  public init() {}
}
