import Testing

@testable import Config

/// The small languages of loggers, routes and encoders.
@Suite struct LogRoutingTests {
  static let destinations: [(String, LogDestination.Place?, String?)] = [
    ("stdio", .standard, nil), ("file:/l", .file(path: "/l", maxBytes: 0, backup: nil), nil),
    ("api file:/l", .file(path: "/l", maxBytes: 0, backup: nil), "api"),
    ("file:logfile=/l,maxsize=1k,backupname=/b", .file(path: "/l", maxBytes: 1024, backup: "/b"), nil),
    ("socket:10.0.0.1:99", .socket(.inet(host: "10.0.0.1", port: 99)), nil),
    ("socket:/run/s", .socket(.unix(path: "/run/s")), nil),
    ("syslog", .syslog(identity: "nsgi-server", facility: 3, socket: "/dev/log"), nil),
    ("syslog:a", .syslog(identity: "a", facility: 3, socket: "/dev/log"), nil),
    ("x syslog:a,local7,/s", .syslog(identity: "a", facility: 23, socket: "/s"), "x"),
    (
      "rsyslog:127.0.0.1",
      .remoteSyslog(.inet(host: "127.0.0.1", port: 514), identity: "nsgi-server", priority: 29), nil
    ),
    (
      "rsyslog:127.0.0.1:9,a,191",
      .remoteSyslog(.inet(host: "127.0.0.1", port: 9), identity: "a", priority: 191), nil
    ),
    ("systemd:a", .journal(identity: "a", socket: "/run/systemd/journal/socket"), nil),
    ("file:", nil, nil), ("", nil, nil), ("redislog:x", nil, nil), ("socket:80", nil, nil),
    ("syslog:a,x", nil, nil),
    ("rsyslog:127.0.0.1:9,a,192", nil, nil), ("file:logfile=/l,what=1", nil, nil),
    ("file:logfile=", nil, nil),
  ]

  @Test(arguments: destinations.indices) func destination(_ row: Int) {
    let (text, place, name) = Self.destinations[row]
    let found = try? LogDestination(parsing: text)
    #expect(found?.place == place && found?.name == name, "\(text)")
  }

  @Test func routes() throws {
    let route = try LogRoute(parsing: "api ^/api/ \"GET")
    let matches = Array("/api/ \"GET".utf8).withUnsafeBytes { route.pattern.matches($0) }
    #expect(route.name == "api" && matches)
    for text in ["api", "", "api (", " "] { #expect(throws: ValueError.self) { try LogRoute(parsing: text) } }
  }

  static let encoders: [(String, [LogEncoder.Piece]?, Bool)] = [
    ("nl", [.line], false), ("prefix > ", [.text(Array("> ".utf8)), .line], false),
    ("suffix <\n", [.line, .text([0x3c])], false), ("json", LogEncoder.json.pieces, true),
    (
      "json ${unix}.${micros} ${level} ${message} ${iso}",
      [
        .text([]), .unix, .text([0x2e]), .micros, .text([0x20]), .level, .text([0x20]), .message,
        .text([0x20]), .iso, .text([]),
      ], true
    ),
    ("format ${strftime:%H:%M}${msgnl}", [.text([]), .date("%H:%M"), .text([]), .line, .text([])], false),
    ("zip", nil, false), ("", nil, false), ("json ${", nil, false), ("format ${nope}", nil, false),
  ]

  @Test(arguments: encoders.indices) func encoder(_ row: Int) {
    let (text, pieces, isJSON) = Self.encoders[row]
    let found = try? LogEncoder(parsing: text)
    #expect(found?.pieces == pieces && found?.isJSON ?? false == isJSON, "\(text)")
  }

  static let formats: [(String, [LogFormat.Piece]?)] = [
    ("", []), ("a%(uri)%%(", nil),
    ("a%(uri)b%", [.text([0x61]), .value(.plain(.uri)), .text([0x62, 0x25])]),
    ("%(var.HTTP_X)", [.value(.variable(Array("HTTP_X".utf8)))]), ("%(logvar.x)", [.value(.logvar([0x78]))]),
    ("%(metric.requests)", [.value(.metric(.requests))]), ("%(metric.x)", nil), ("%(var.)", nil),
    ("%()", nil),
    ("%(URI)", nil), ("%(uri", nil), ("a\nb", [.text([0x61, 0x62])]),
  ]

  @Test(arguments: formats.indices) func format(_ row: Int) {
    let (text, pieces) = Self.formats[row]
    #expect((try? LogFormat(text))?.pieces == pieces, "\(text)")
  }
}
