// The contents of a request's line: read once at the start, so that an unknown name is found then.

/// The format of a request's line: texts, and values between them. `%(%)` writes a percent sign that is
/// followed by a bracket.
public struct LogFormat: Sendable, Equatable {
  /// How a value is written so that it stays one.
  public enum Escaping: Sendable, Equatable {
    /// Printable ASCII except quotation marks and backslashes; any other byte as \xNN.
    case text
    /// The inside of a JSON string (RFC 8259 §7).
    case json
  }

  /// A part of the line.
  public enum Piece: Sendable, Equatable {
    case text([UInt8])
    case value(LogValue)
  }

  /// The text as written.
  public let text: String
  /// The parts in their order.
  public let pieces: [Piece]
  /// How values are escaped: as JSON if the format begins with a brace.
  public let escaping: Escaping
  /// The placeholder for a missing value.
  public let absent: String

  /// Formats with names of their own; `combined`, the default, is no format at all.
  private static let presets = [
    "uwsgi":
      "[pid: %(pid)|app: %(appid)|req: %(req)/%(req)] %(addr) (%(user)) {%(vars) vars in %(pktsize) bytes} "
      + "[%(ctime)] %(method) %(uri) => generated %(rsize) bytes in %(msecs) msecs (%(proto) %(status)) "
      + "%(headers) headers in %(hsize) bytes (%(switches) switches on core %(core))",
    "json":
      #"{"time":"%(iso)","client":"%(addr)","user":"%(user)","method":"%(method)","uri":"%(uri)","#
      + #""protocol":"%(proto)","status":%(status),"bytes":%(rsize),"referer":"%(referer)","#
      + #""agent":"%(uagent)","microseconds":%(micros),"pid":%(pid),"worker":%(wid),"app":"%(app)","#
      + #""id":"%(id)","traceparent":"%(traceparent)"}"#,
  ]

  /// Reads a format, or takes a named one; nil for `combined`. Throws the error in it.
  public static func read(_ text: String) throws(ValueError) -> LogFormat? {
    if text == "combined" { return nil }
    return try LogFormat(text)
  }

  init(_ text: String) throws(ValueError) {
    self.text = text
    let preset = LogFormat.presets[text]
    let pattern = preset ?? text
    escaping = pattern.utf8.first == UInt8(ascii: "{") ? .json : .text
    absent = preset == nil ? "-" : ""
    var pieces: [Piece] = []
    var rest = pattern.utf8[...]
    var literal: [UInt8] = []
    while let first = rest.first {
      guard first == Ascii.percent, rest.dropFirst().first == UInt8(ascii: "(") else {
        literal.append(first)
        rest = rest.dropFirst()
        continue
      }
      rest = rest.dropFirst(2)
      guard let end = rest.firstIndex(of: UInt8(ascii: ")")) else { throw .openLogValue(text) }
      let name = String(decoding: rest[..<end], as: UTF8.self)
      if name == "%" {
        literal.append(Ascii.percent)
        rest = rest[rest.index(after: end)...]
        continue
      }
      guard let value = LogValue(name) else { throw .unknownLogValue(name) }
      if !literal.isEmpty { pieces.append(.text(literal)) }
      literal = []
      pieces.append(.value(value))
      rest = rest[rest.index(after: end)...]
    }
    // A line stays one line, whatever the operator's text contains.
    literal.removeAll { $0 == 0x0a || $0 == 0x0d }
    if !literal.isEmpty { pieces.append(.text(literal)) }
    self.pieces = pieces
  }

  /// Requests have ids if this is written.
  public var hasID: Bool { pieces.contains(.value(.plain(.id))) }
}

/// What `%(name)` stands for in the line of a request.
public enum LogValue: Sendable, Equatable {
  /// A value with a name of its own.
  public enum Plain: String, Sendable, CaseIterable {
    // Names from uWSGI.
    case method, uri, proto, status, size, rsize, hsize, addr, host, uagent, referer, user
    case ltime, ctime, ftime, time, tmsecs, tmicros, epoch, micros, msecs, secs
    case pid, wid, cl, vars, pktsize, headers, rss, rssM, vsz, vszM, switches, core
    case ioerr, werr, rerr, modifier1, modifier2
    // Our own names.
    case id, traceparent, iso, app, appid, req, generation, gateway, scheme, path, query, received
  }

  /// Counts of a worker.
  public enum Count: String, Sendable, CaseIterable { case requests, connections, dropped }

  case plain(Plain)
  /// A variable of the request's environ, by its name.
  case variable([UInt8])
  /// A value that the application has set for this request.
  case logvar([UInt8])
  case metric(Count)

  /// A value by its name; nil for an unknown name.
  init?(_ name: String) {
    if let plain = Plain(rawValue: name) {
      self = .plain(plain)
    } else if let rest = Self.rest(of: name, behind: "var.") {
      self = .variable(rest)
    } else if let rest = Self.rest(of: name, behind: "logvar.") {
      self = .logvar(rest)
    } else if name.hasPrefix("metric."), let count = Count(rawValue: String(name.dropFirst(7))) {
      self = .metric(count)
    } else {
      return nil
    }
  }

  private static func rest(of name: String, behind word: String) -> [UInt8]? {
    guard name.hasPrefix(word), name.utf8.count > word.utf8.count else { return nil }
    return Array(name.utf8.dropFirst(word.utf8.count))
  }
}
