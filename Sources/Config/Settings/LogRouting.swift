// Where lines of the log go, and how they are changed on the way: uWSGI's loggers, encoders and routes.

/// A place where lines of the log go.
public struct LogDestination: Sendable, Equatable {
  /// The kind of place.
  public enum Place: Sendable, Equatable {
    /// Standard error, or the file of `--logto`.
    case standard
    /// A file or a named pipe. `maxBytes`: its size before it is renamed; 0: as set for all.
    case file(path: String, maxBytes: Int64, backup: String?)
    /// One datagram per line, to a unix socket or over UDP.
    case socket(Address)
    /// The system's log, by its socket (RFC 3164).
    case syslog(identity: String, facility: Int, socket: String)
    /// A log on the network, over UDP.
    case remoteSyslog(Address, identity: String, priority: Int)
    /// systemd's journal, by its socket.
    case journal(identity: String, socket: String)
  }

  /// Its name in routes; nil: it gets all lines that no route has taken.
  public let name: String?
  public let place: Place
  /// The text as written.
  public let text: String

  /// A destination without a name.
  public init(_ place: Place, text: String) { (name, self.place, self.text) = (nil, place, text) }

  /// Reads `[NAME ]KIND[:ARGUMENTS]`. Throws the error in it.
  public init(parsing text: String) throws(ValueError) {
    self.text = text
    let (name, rest) = Self.named(text)
    let colon = rest.utf8.firstIndex(of: Ascii.colon)
    let kind = String(rest[..<(colon ?? rest.endIndex)])
    let argument = colon.map { String(rest[rest.utf8.index(after: $0)...]) } ?? ""
    self.name = name
    let words = argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let identity = (words.first ?? "").isEmpty ? "nsgi-server" : words[0]
    switch kind {
    case "stdio": place = .standard
    case "file": place = try Self.file(argument)
    case "socket": place = .socket(try Self.address(argument))
    case "syslog":
      place = .syslog(
        identity: identity, facility: try Self.facility(words.count > 1 ? words[1] : ""),
        socket: words.count > 2 ? words[2] : "/dev/log")
    case "rsyslog":
      let server = words[0].holds(":") ? words[0] : words[0] + ":514"
      place = .remoteSyslog(
        try Self.address(server), identity: words.count > 1 && !words[1].isEmpty ? words[1] : "nsgi-server",
        priority: words.count > 2 ? try Value.number(words[2], 0...191) : 29)
    case "systemd":
      place = .journal(
        identity: identity, socket: words.count > 1 ? words[1] : "/run/systemd/journal/socket")
    default:
      throw .unknownWord(
        kind,
        known: ["file:PATH", "stdio", "syslog:NAME", "rsyslog:HOST:PORT,NAME", "socket:ADDR", "systemd:NAME"])
    }
  }

  /// The name in front, if there is a blank before the first colon.
  static func named(_ text: String) -> (name: String?, rest: String) {
    let head = text.utf8.prefix { $0 != Ascii.colon && !Ascii.isBlank($0) }
    guard head.endIndex < text.endIndex, Ascii.isBlank(text.utf8[head.endIndex]), !head.isEmpty else {
      return (nil, text)
    }
    let rest = text.utf8[head.endIndex...].drop(while: Ascii.isBlank)
    return (String(Substring(head)), String(Substring(rest)))
  }

  /// A path, or uWSGI's `logfile=PATH,maxsize=BYTES,backupname=PATH`.
  private static func file(_ text: String) throws(ValueError) -> Place {
    guard text.hasPrefix("logfile=") else {
      return .file(path: try Value.text(text, example: "file:/var/log/app.log"), maxBytes: 0, backup: nil)
    }
    var (path, bytes, backup): (String, Int64, String?) = ("", 0, nil)
    for word in text.split(separator: ",") {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      switch (parts.first, parts.count) {
      case ("logfile", 2): path = parts[1]
      case ("maxsize", 2): bytes = try Value.bytes(parts[1], 1...Int64.max >> 1)
      case ("backupname", 2): backup = parts[1]
      default: throw .unknownWord(String(word), known: ["logfile=", "maxsize=", "backupname="])
      }
    }
    return .file(path: try Value.text(path, example: "/var/log/app.log"), maxBytes: bytes, backup: backup)
  }

  private static func address(_ text: String) throws(ValueError) -> Address {
    do { return try Address(parsing: text) } catch { throw .address(error) }
  }

  private static let facilities = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "security", "console", "clock", "local0", "local1", "local2", "local3", "local4", "local5",
    "local6", "local7",
  ]

  /// The number of a facility (RFC 5424 §6.2.1); for an empty text that of daemons.
  private static func facility(_ text: String) throws(ValueError) -> Int {
    guard let number = facilities.firstIndex(of: text.isEmpty ? "daemon" : text) else {
      throw .unknownWord(text, known: facilities)
    }
    return number
  }
}

/// Which lines go to which named destination: those that a pattern matches.
public struct LogRoute: Sendable, Equatable {
  /// The destination's name.
  public let name: String
  public let pattern: Pattern

  /// Reads `NAME PATTERN`. Throws the error in it.
  public init(parsing text: String) throws(ValueError) {
    let parts = text.split(separator: " ", maxSplits: 1)
    guard parts.count == 2 else { throw .routeWithoutPattern(text) }
    name = String(parts[0])
    pattern = try Pattern(String(parts[1]))
  }
}

/// How a line is encoded before it leaves.
public struct LogEncoder: Sendable, Equatable {
  /// A part of the encoded line.
  public enum Piece: Sendable, Equatable {
    case text([UInt8])
    /// The whole line.
    case line
    /// The line without its time and level.
    case message
    case level
    /// Seconds since 1970, and microseconds of them.
    case unix, micros
    /// The time formatted by strftime, or by RFC 3339.
    case date(String), iso
  }

  /// The destination that it is for; nil: all.
  public let name: String?
  public let pieces: [Piece]
  /// Lines become the inside of JSON strings.
  public let isJSON: Bool

  /// One JSON object per line.
  public static let json = LogEncoder(
    pieces: [
      .text(Array(#"{"time":""#.utf8)), .iso, .text(Array(#"","level":""#.utf8)), .level,
      .text(Array(#"","message":""#.utf8)), .message, .text(Array(#""}"#.utf8)),
    ], isJSON: true)

  private init(name: String? = nil, pieces: [Piece], isJSON: Bool) {
    (self.name, self.pieces, self.isJSON) = (name, pieces, isJSON)
  }

  /// Reads `KIND[:NAME][ TEXT]`. Throws the error in it.
  public init(parsing text: String) throws(ValueError) {
    let parts = text.split(separator: " ", maxSplits: 1)
    let head = (parts.first ?? "").split(separator: ":", maxSplits: 1)
    let argument = parts.count > 1 ? String(parts[1]) : ""
    let name = head.count > 1 ? String(head[1]) : nil
    switch head.first {
    case "json" where argument.isEmpty: self.init(name: name, pieces: LogEncoder.json.pieces, isJSON: true)
    case "json": self.init(name: name, pieces: try Self.pieces(argument), isJSON: true)
    case "format": self.init(name: name, pieces: try Self.pieces(argument), isJSON: false)
    case "prefix": self.init(name: name, pieces: [.text(Self.plain(argument)), .line], isJSON: false)
    case "suffix": self.init(name: name, pieces: [.line, .text(Self.plain(argument))], isJSON: false)
    case "nl": self.init(name: name, pieces: [.line], isJSON: false)
    default:
      throw .unknownWord(
        text, known: ["json", "json TEXT", "format TEXT", "prefix TEXT", "suffix TEXT", "nl"])
    }
  }

  /// A line stays one line, whatever the operator's text contains.
  private static func plain(_ text: String) -> [UInt8] { text.utf8.filter { $0 != 0x0a && $0 != 0x0d } }

  private static func pieces(_ text: String) throws(ValueError) -> [Piece] {
    var pieces: [Piece] = []
    var rest = text[...]
    while let found = rest.range(ofBytes: "${") {
      guard let end = rest[found.upperBound...].utf8.firstIndex(of: UInt8(ascii: "}")) else {
        throw .openEncoderValue(text)
      }
      let name = String(rest[found.upperBound..<end])
      pieces.append(.text(plain(String(rest[..<found.lowerBound]))))
      switch name {
      case "msg", "msgnl": pieces.append(.line)
      case "unix": pieces.append(.unix)
      case "micros": pieces.append(.micros)
      case "level": pieces.append(.level)
      case "message": pieces.append(.message)
      case "iso": pieces.append(.iso)
      case _ where name.hasPrefix("strftime:"): pieces.append(.date(String(name.dropFirst(9))))
      default: throw .unknownEncoderValue(name)
      }
      rest = rest[rest.utf8.index(after: end)...]
    }
    return pieces + [.text(plain(String(rest)))]
  }
}

/// Where lines go besides standard error and the file of `--logto`.
public struct LogRouting: Sendable, Equatable {
  /// Destinations of lines, and of those of requests; the latter empty: the same.
  public var destinations: [LogDestination] = []
  public var requestDestinations: [LogDestination] = []
  public var routes: [LogRoute] = []
  public var requestRoutes: [LogRoute] = []
  /// Lines that match one of the drains are dropped; if there are filters, so are lines that match none of
  /// these.
  public var drains: [Pattern] = []
  public var filters: [Pattern] = []
  public var encoders: [LogEncoder] = []
  public var requestEncoders: [LogEncoder] = []
  /// Every line is a JSON object.
  public var isJSON = false
  /// Bytes of a log file before it is renamed, and another one begun; 0: without bound.
  public var maxBytes: Int64 = 0
  /// The new name of the file; nil: its name and the time.
  public var backup: String?

  /// The defaults: lines go to standard error unchanged.
  public init() {}

  /// Lines go through a process of their own.
  public var isCollected: Bool { self != LogRouting() }

  /// A name in a route that no destination has; nil if there is none.
  var strayRoute: String? {
    let names = Set((destinations + requestDestinations).compactMap(\.name))
    return (routes + requestRoutes).map(\.name).first { !names.contains($0) }
  }
}
