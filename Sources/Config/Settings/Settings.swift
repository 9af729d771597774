// What the server was asked to do: validated, typed, plain. `Settings.parse` makes it from the command
// line.

/// The whole configuration of a server.
public struct Settings: Sendable, Equatable {
  /// The sockets to bind, in the order given.
  public var listeners: [ListenerSettings]
  /// The applications, in the order given; no two at one mount.
  public var apps: [AppSettings]
  /// Directories that are searched for plugins before the built-in ones.
  public var pluginDirectories: [String] = []
  /// How the loop gets events from the kernel.
  public var eventLoop = EventLoop.auto
  /// Every bound the server keeps.
  public var limits: Limits
  /// What is logged, and where.
  public var log: LogSettings
  /// User, group, directory and files of the process.
  public var process: ProcessSettings
  /// When workers are replaced, and how a new build goes live.
  public var supervision = SupervisionSettings()
  /// Mode and owner of unix socket files.
  public var socketFiles: SocketFileSettings
  /// What TLS sockets share.
  public var tls = TLSSettings()
  /// Sockets that redirect clients to https.
  public var redirect = RedirectSettings()
  /// The protocol of a listening socket that was inherited (descriptor 0, systemd) and has no protocol of
  /// its own.
  public var inheritedProtocol: ListenerProtocol
  /// Peers whose `X-Forwarded-*` fields and PROXY headers are trusted.
  public var trustedProxies: [TrustedProxy]
  /// The directory below which `X-Sendfile` is honoured over HTTP; nil: nowhere.
  public var sendfileRoot: String?
  /// Files that the server serves itself.
  public var files = StaticSettings()
  /// Programs that it starts for the operator.
  public var programs = ProgramSettings()
  /// Rules for requests and answers beside applications.
  public var rules = RuleSettings()
  /// What the workers share.
  public var shared = SharedSettings()
  /// How the server is watched.
  public var watch = WatchSettings()
  /// HTTP responses have a Server field.
  public var namesServer = true
  /// HTTP/2 is spoken on HTTP sockets, with TLS and without.
  public var http2 = true
  /// Where bodies and answers are spooled; nil: TMPDIR, or /tmp.
  public var spoolDirectory: String?
  /// SCRIPT_NAME and PATH_INFO from the front end are joined to form the path (lighttpd's "/" prefix).
  public var fixesRootScriptName = false
  /// Warnings at the start about variables that are not options.
  public var warnings: [String] = []
  /// One request from the environment and standard input (CGI/1.1), then exit.
  public var isCGI: Bool

  /// A configuration of the given parts; the rest are the defaults.
  public init(
    listeners: [ListenerSettings] = [], apps: [AppSettings] = [], limits: Limits = Limits(),
    log: LogSettings = LogSettings(), process: ProcessSettings = ProcessSettings(),
    socketFiles: SocketFileSettings = SocketFileSettings(), inheritedProtocol: ListenerProtocol = .auto,
    trustedProxies: [TrustedProxy] = [], sendfileRoot: String? = nil, isCGI: Bool = false
  ) {
    self.listeners = listeners
    self.apps = apps
    self.limits = limits
    self.log = log
    self.process = process
    self.socketFiles = socketFiles
    self.inheritedProtocol = inheritedProtocol
    self.trustedProxies = trustedProxies
    self.sendfileRoot = sendfileRoot
    self.isCGI = isCGI
  }
}

/// How the event loop gets events from the kernel.
public enum EventLoop: String, Sendable, Equatable, CaseIterable {
  /// io_uring if the kernel has it and allows it, otherwise epoll.
  case auto
  case epoll
  /// io_uring; without it the start fails.
  case ioUring = "io_uring"
}

/// The protocol spoken on a listener.
public enum ListenerProtocol: String, Sendable, Equatable, CaseIterable {
  case http1, scgi, uwsgi, fastcgi
  /// HTTP/1.1 over TLS.
  case https
  /// The uwsgi protocol over TLS, as nginx speaks it to `suwsgi://`.
  case suwsgi
  /// HTTP/1.1; every request is redirected to https.
  case redirect
  /// Recognised by the first bytes of each connection.
  case auto

  /// TLS is spoken below it.
  public var isSealed: Bool {
    switch self {
    case .https, .suwsgi: true
    case .http1, .scgi, .uwsgi, .fastcgi, .redirect, .auto: false
    }
  }
}

/// One socket to bind.
public struct ListenerSettings: Sendable, Equatable {
  /// Where it is bound.
  public var address: Address
  /// The protocol spoken on it.
  public var gateway: ListenerProtocol
  /// For a TLS socket: its own settings.
  public var tls: TLSListenerSettings?

  /// A listener for `gateway` at `address`.
  public init(address: Address, gateway: ListenerProtocol) {
    self.address = address
    self.gateway = gateway
  }
}

/// One application: `--app [/mount=]PATH[:symbol]`, or what a runtime makes.
public struct AppSettings: Sendable, Equatable {
  /// Where it is mounted: "" is the root, otherwise `/name` without a slash at the end.
  public var mount: String
  /// The shared library, as given; for a runtime's app, what it is made from, in the operator's words.
  public var path: String
  /// The plugin that makes the app; nil: the library is one itself.
  public var runtime: RuntimeReference?
  /// The entry symbol; nil: the standard one.
  public var symbol: String?
  /// The options for its load(): the runtime's own, then `--app-option key=value`, in the order given.
  public var options: [AppOption]

  /// An application at `mount`.
  public init(
    mount: String = "", path: String, symbol: String? = nil, runtime: RuntimeReference? = nil,
    options: [AppOption] = []
  ) {
    self.mount = mount
    self.path = path
    self.runtime = runtime
    self.symbol = symbol
    self.options = options
  }
}

/// A language runtime: a plugin that makes apps from something else.
public struct RuntimeReference: Sendable, Equatable {
  /// Its name: `python3` means `python3_plugin.so`.
  public var name: String
  /// The file, if the operator named one; nil: it is looked for.
  public var path: String?

  /// A runtime by name, and by file if that is known.
  public init(name: String, path: String? = nil) {
    self.name = name
    self.path = path
  }
}

/// One option handed to an application unchanged.
public struct AppOption: Sendable, Equatable {
  /// The part before the first `=`.
  public var key: String
  /// The part after it.
  public var value: String

  /// An option `key=value`.
  public init(key: String, value: String) {
    self.key = key
    self.value = value
  }
}

/// What is logged, and where.
public struct LogSettings: Sendable, Equatable {
  /// The log file; nil: standard error.
  public var file: String?
  /// A line for each request (`-L` turns it off).
  public var requests = true
  /// With `requests` off: log those answered with 4xx.
  public var clientErrors = false
  /// With `requests` off: log those answered with 5xx.
  public var serverErrors = false
  /// With `requests` off: log those that took at least this many milliseconds; nil: none.
  public var slowMilliseconds: Int?
  /// Lines of an app also go to a FastCGI front end, as STDERR records (FastCGI §5.3).
  public var fastCGIStderr = false
  /// The format of a request's line; nil: the combined one.
  public var format: LogFormat?
  /// Where else lines go.
  public var routing = LogRouting()
  /// Files whose change has the logs reopened.
  public var reopenFiles: [String] = []
  /// Requests have ids: a trusted proxy's, or generated ones.
  public var namesRequests = false
  /// The client of a line is the one in X-Forwarded-For, whoever sent it.
  public var believesForwarded = false
  /// The format of %(ftime), as for strftime; nil: that of %(ltime).
  public var dateFormat: String?

  /// The defaults: every request, to standard error.
  public init() {}
}

/// Mode and owner of unix socket files.
public struct SocketFileSettings: Sendable, Equatable {
  /// Permission bits set after bind; nil: as the umask leaves them.
  public var mode: UInt32?
  /// Owner set after bind; nil: the process's own.
  public var owner: Owner?

  /// The defaults: whatever bind creates.
  public init() {}
}

/// `user:group`, each a name or a number.
public struct Owner: Sendable, Equatable {
  /// nil: unchanged.
  public var user: String?
  /// nil: unchanged.
  public var group: String?

  /// An owner; nil parts stay unchanged.
  public init(user: String?, group: String?) {
    self.user = user
    self.group = group
  }
}
