// Where the server listens, and in which protocol.

let socketOptions = OptionGroup(
  title: "Sockets (ADDR: host:port, :port, [v6]:port, /path.sock, @abstract, fd://N; port 0: any free one)",
  options: [
    OptionSpec(
      "http-socket", aliases: ["http", "http11-socket"], repeats: true, "listen for HTTP/1.1",
      .value(placeholder: "ADDR") { (draft, text) throws(ValueError) in try draft.listen(text, .http1) }),
    OptionSpec(
      "scgi-socket", repeats: true, "listen for SCGI",
      .value(placeholder: "ADDR") { (draft, text) throws(ValueError) in try draft.listen(text, .scgi) }),
    OptionSpec(
      "uwsgi-socket", repeats: true, "listen for the uwsgi protocol",
      .value(placeholder: "ADDR") { (draft, text) throws(ValueError) in try draft.listen(text, .uwsgi) }),
    OptionSpec(
      "fastcgi-socket", repeats: true, "listen for FastCGI",
      .value(placeholder: "ADDR") { (draft, text) throws(ValueError) in try draft.listen(text, .fastcgi) }),
    OptionSpec(
      "socket", short: "s", repeats: true, "listen for the protocol of --protocol, or recognise it",
      .value(placeholder: "ADDR") { (draft, text) throws(ValueError) in
        try draft.listen(text, .auto)
        draft.plainSockets.append(draft.settings.listeners.count - 1)
      }),
    OptionSpec(
      "protocol", "protocol of --socket and of inherited sockets: http, scgi, uwsgi or fastcgi",
      .value(placeholder: "NAME") { (draft, text) throws(ValueError) in
        draft.socketProtocol = try ListenerProtocol(optionValue: text)
      }),
    OptionSpec(
      "fix-root-scriptname", "take SCRIPT_NAME and PATH_INFO together as the path (lighttpd's prefix \"/\")",
      .flag { $0.settings.fixesRootScriptName = $1 }),
    OptionSpec(
      "server-header", default: "on", "whether HTTP responses name the server (Server:): on or off",
      .value(placeholder: "WORD") { (draft, text) throws(ValueError) in
        draft.settings.namesServer = try Value.boolean(text)
      }),
    OptionSpec(
      "http2", default: "on",
      "whether HTTP/2 is spoken: over TLS to who asks for it (ALPN), else to who begins so",
      .value(placeholder: "WORD") { (draft, text) throws(ValueError) in
        draft.settings.http2 = try Value.boolean(text)
      }),
    OptionSpec(
      "fastcgi-stderr", "send an app's error lines to the FastCGI front end too (STDERR records)",
      .flag { $0.settings.log.fastCGIStderr = $1 }),
    OptionSpec(
      "listen", short: "l", default: "\(Limits().backlog)", "connections waiting to be accepted, per socket",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        draft.settings.limits.backlog = Int32(try Value.number(text, 1...65_535))
      }),
    OptionSpec(
      "chmod-socket", "permission bits of unix sockets; 666 when no mode is given",
      .optionalValue(placeholder: "MODE", bare: "666") { (draft, text) throws(ValueError) in
        draft.settings.socketFiles.mode = try Value.octal(text)
      }),
    OptionSpec(
      "chown-socket", "owner of unix sockets",
      .value(placeholder: "USER[:GROUP]") { (draft, text) throws(ValueError) in
        draft.settings.socketFiles.owner = try Owner(parsing: text)
      }),
  ])

extension ListenerProtocol {
  /// Reads the value of `--protocol`.
  init(optionValue text: String) throws(ValueError) {
    switch text {
    case "http", "http11", "http1": self = .http1
    case "scgi": self = .scgi
    case "uwsgi": self = .uwsgi
    case "fastcgi": self = .fastcgi
    default: throw .unknownWord(text, known: ["http", "scgi", "uwsgi", "fastcgi"])
    }
  }
}

extension Owner {
  /// Reads `user`, `user:group` or `:group`.
  init(parsing text: String) throws(ValueError) {
    let (user, group) = text.cut(at: Ascii.colon) ?? (text[...], "")
    if user.isEmpty, group.isEmpty { throw .empty(example: "www-data:www-data") }
    self.init(user: user.isEmpty ? nil : String(user), group: group.isEmpty ? nil : String(group))
  }
}
