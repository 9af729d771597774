// What a uWSGI option becomes here, if that takes more than a name in this server's table.

/// What becomes of a uWSGI option.
enum UWSGIMeaning {
  /// It exists here, under a name and in a form of this server's own.
  case options([(name: String, value: String?)])
  /// The same, and the operator is told how it differs.
  case changed([(name: String, value: String?)], String)
  /// It always applies here, or there is nothing that it could change.
  case accepted
  /// It is turned off: there is nothing to do.
  case off
  /// Something is lost, but the server starts: what, and what to do about it.
  case warned(String)
  /// Security or data would suffer.
  case refused(reason: String, fix: String)
  /// It is not in the table of uWSGI's options.
  case unknown

  init(of entry: Entry) {
    let value = entry.value ?? ""
    if let name = Self.renamed[entry.key] {
      self = .options([(name, entry.value)])
    } else if let reading = Self.readings[entry.key] {
      self = reading(value)
    } else if let meaning = Self.meaning(entry.key, value) {
      self = meaning
    } else if let (row, name) = UWSGITable.find(entry.key) {
      self = Self.meaning(row, name, entry)
    } else {
      self = .unknown
    }
  }

  /// Points of the server's life at which a command can run.
  private static let hooks = [
    "hook-asap": "exec-asap", "hook-pre-jail": "exec-asap", "hook-in-jail": "exec-asap",
    "hook-post-jail": "exec-asap", "hook-as-root": "exec-asap", "hook-as-user": "exec-as-user",
    "hook-pre-app": "exec-as-user", "hook-post-app": "exec-post-app", "hook-master-start": "exec-post-app",
    "hook-accepting1-once": "exec-post-app", "hook-as-user-atexit": "exec-as-user-atexit",
  ]

  /// Actions of uWSGI's rules that let some requests through and not others.
  private static let guards = [
    "basicauth", "basicauth-next", "ldapauth", "ldapauth-next", "radius", "radius-next", "access",
    "break:401",
    "break:403", "break:404", "return:401", "return:403", "return:404", "setuser", "spnego", "uidsec",
  ]

  /// What whole families of options become, by their values.
  private static func meaning(_ key: String, _ value: String) -> UWSGIMeaning? {
    if key.hasPrefix("hook-"), value == "unix_signal:15 gracefully_kill_them_all" { return .accepted }
    if let option = hooks[key], value.hasPrefix("exec:") {
      return .options([(option, String(value.dropFirst(5)))])
    }
    guard key.hasPrefix("route") || key.holds("-route"), OptionTable.index(named: key) == nil else {
      return nil
    }
    let actions = value.split(separator: " ")
    guard !key.hasPrefix("log"),
      actions.contains(where: { word in
        guards.contains { word == $0 || word.hasPrefix($0 + ":") || word.hasPrefix($0 + " ") }
      })
    else { return nil }
    return .refused(
      reason: "it decides who may see what, and nothing here does",
      fix:
        "write the rule in the front end (nginx: deny, auth_basic), or in the application, and take the "
        + "line out"
    )
  }

  private static func meaning(_ row: UWSGIRow, _ name: UWSGIName, _ entry: Entry) -> UWSGIMeaning {
    if name.value != .required, let value = entry.value, !value.isEmpty, isOff(value) {
      return row.category == .supported ? .options([(entry.key, entry.value)]) : .off
    }
    switch row.category {
    case .supported: return .options([(entry.key, entry.value)])
    case .accepted: return .accepted
    case .warned: return .warned(row.loss)
    case .refused:
      return .refused(
        reason: "uWSGI would \(row.meaning), and nothing here does", fix: String(row.instead))
    }
  }

  /// Whether uWSGI takes the text for no; anything else is yes.
  static func isOff(_ text: String) -> Bool {
    let word = text.utf8.prefix { !Ascii.isBlank($0) }
    return ["false", "off", "no", "0"].contains(Substring(word).lowercased())
  }

  /// Options with the same meaning under another name here.
  static let renamed = [
    "logto2": "logto", "socket-protocol": "protocol",
    "touch-workers-reload": "touch-reload", "touch-chain-reload": "touch-reload",
    "fs-reload": "touch-reload",
    "pidfile2": "pidfile", "safe-pidfile": "pidfile", "safe-pidfile2": "pidfile",
    "daemonize2": "daemonize",
    "immediate-uid": "uid", "immediate-gid": "gid", "chmod": "chmod-socket", "ienv": "env",
  ]

  /// Options whose value decides.
  static let readings: [String: @Sendable (String) -> UWSGIMeaning] = [
    "socket": { .options([("socket", address($0))]) },
    "uwsgi-socket": { .options([("uwsgi-socket", address($0))]) },
    "http-socket": { .options([("http-socket", address($0))]) },
    "http11-socket": { .options([("http-socket", address($0))]) },
    "http": { .options([("http-socket", address($0))]) },
    "http-to-https": { .options([("http-redirect", address($0))]) },
    "httprouter": { .options([("http-socket", address($0))]) },
    "fastcgi-socket": { .options([("fastcgi-socket", address($0))]) },
    "scgi-socket": { .options([("scgi-socket", address($0))]) },
    "http-headers-timeout": { value in isOff(value) ? .off : .options([("header-timeout", value)]) },
    "plugin": { plugins($0, as: "plugin") }, "plugins": { plugins($0, as: "plugin") },
    "need-plugin": { plugins($0, as: "need-plugin") }, "need-plugins": { plugins($0, as: "need-plugin") },
    "plugins-dir": pluginDirectory, "plugin-dir": pluginDirectory,
    "http-keepalive": keepAlive,
    "http-timeout": { value in
      isOff(value) ? .off : .options([("body-timeout", value), ("write-timeout", value)])
    },
    "master": { value in
      isOff(value) && !value.isEmpty
        ? .warned(
          "a master supervises the workers nonetheless; --no-master serves in one process without one"
        )
        : .options([("master", nil)])
    },
    "add-header": addedField, "collect-header": { _ in .accepted },
    "response-header-collect": { _ in .accepted },
    "pull-header": { value in
      .changed(
        [("del-header", String(value.prefix { $0 != " " }))],
        "the field is taken out of answers, and no line of the log has it")
    },
    "error-page-403": { .options([("error-page", "403=" + $0)]) },
    "error-page-404": { .options([("error-page", "404=" + $0)]) },
    "error-page-500": { .options([("error-page", "500=" + $0)]) },
    "gevent": greenThreads, "async": greenThreads, "asyncio": greenThreads,
    "logger": { logger($0, as: "logger") }, "req-logger": { logger($0, as: "req-logger") },
    "logger-req": { logger($0, as: "req-logger") },
    "log-syslog": { logger($0.isEmpty || !isOff($0) ? "syslog:\($0)" : "stdio", as: "logger") },
    "log-socket": { logger("socket:\($0)", as: "logger") },
  ]

  /// A name alone is a unix socket; digits alone are left for the error message.
  private static func address(_ text: String) -> String {
    let bytes = text.utf8
    let isName =
      !bytes.isEmpty && !bytes.contains(Ascii.colon) && !bytes.contains(Ascii.slash)
      && bytes.first != UInt8(ascii: "@") && !bytes.allSatisfy(Ascii.isDigit)
    return isName && !text.holds(".0.") && IPAddress(parsing: text) == nil ? "unix:" + text : text
  }

  /// uWSGI's own plugins, written as paths, become the names of those that replace them here: a path without
  /// `.so` is one of them, and so is any in a directory of uWSGI's.
  private static func plugins(_ value: String, as option: String) -> UWSGIMeaning {
    let words = value.split(separator: ",", omittingEmptySubsequences: false).map { word -> String in
      let path = word.trimmed
      guard let slash = path.utf8.lastIndex(of: Ascii.slash),
        !path.hasSuffix(".so") || isOfUWSGI(path[..<slash])
      else { return String(path) }
      var name = path[path.utf8.index(after: slash)...]
      for end in [".so", "_plugin"] where name.hasSuffix(end) { name = name.dropLast(end.count) }
      return String(name)
    }
    return .options([(option, words.joined(separator: ","))])
  }

  /// In uWSGI's directory are plugins with the same names that this server cannot load.
  @Sendable private static func pluginDirectory(_ value: String) -> UWSGIMeaning {
    isOfUWSGI(value[...]) ? .accepted : .options([("plugins-dir", value)])
  }

  /// Whether a directory is called uwsgi, or is below one.
  private static func isOfUWSGI(_ directory: Substring) -> Bool {
    directory.split(separator: "/").contains("uwsgi")
  }

  /// Seconds, or a word that turns on what is always on here.
  @Sendable private static func keepAlive(_ value: String) -> UWSGIMeaning {
    let digits = Substring(value.utf8.prefix(while: Ascii.isDigit))
    guard let seconds = Int(digits), seconds != 1 else { return isOff(value) ? .off : .accepted }
    return .options([("keep-alive-timeout", "\(seconds)")])
  }

  /// A field for answers; those that concern the connection belong to the server.
  @Sendable private static func addedField(_ value: String) -> UWSGIMeaning {
    let name = value.prefix { $0 != ":" }.trimmed
    guard AnswerField.isConnections(name) else { return .options([("add-header", value)]) }
    return .warned("the server itself says \(name), as it is")
  }

  /// This many concurrent requests: becomes threads.
  @Sendable private static func greenThreads(_ value: String) -> UWSGIMeaning {
    let digits = Substring(value.utf8.prefix(while: Ascii.isDigit))
    return .changed(
      [("threads", value)], "as many requests at once have a thread each; write threads = \(digits)")
  }

  /// A destination of lines; for an unsupported kind, where they go instead.
  private static func logger(_ text: String, as name: String) -> UWSGIMeaning {
    // Descriptor 2 is standard error.
    let value = text.hasSuffix("fd:2") ? String(text.dropLast(4)) + "stdio" : text
    if (try? LogDestination(parsing: value)) != nil { return .options([(name, value)]) }
    return .warned(
      "lines go to standard error, or to the file of logto; write logger = file:PATH, stdio, syslog:NAME, "
        + "rsyslog:HOST:PORT,NAME, socket:ADDR or systemd:NAME")
  }
}
