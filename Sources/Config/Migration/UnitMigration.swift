// A configuration of NGINX Unit: listeners, routes and applications, as JSON -> an ini file of this server's.

/// The values of a JSON file by the paths that lead to them.
struct JSONPaths {
  /// Each path as names, where an element of a list has its number as a name, and the value as text.
  let values: [(path: [String], line: Int, value: String)]

  /// Reads what `config_reader unit` writes: the names of a path have line ends between them.
  init(converted text: String) {
    values = ConfigText(converted: text).sections.flatMap(\.lines).map { line in
      let path = line.key.utf8.split(
        separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      return (path.map { String(Substring($0)) }, line.number, line.value ?? "")
    }
  }

  /// The names right below a path, each once, in order.
  func names(below path: String...) -> [String] {
    var names: [String] = []
    for value in values where value.path.count > path.count && value.path.starts(with: path) {
      let name = value.path[path.count]
      if names.last != name, !names.contains(name) { names.append(name) }
    }
    return names
  }

  /// The application that a listener or a route passes requests to, else the first.
  func served(of applications: [String]) -> String? {
    let prefix = "applications/"
    let passed = values.filter { $0.path.last == "pass" && $0.value.hasPrefix(prefix) }.map { value in
      String(value.value.dropFirst(prefix.count).prefix { $0 != "/" })
    }
    return passed.first { applications.contains($0) } ?? applications.first
  }
}

extension Migration {
  /// Whether a JSON file, in the lines of `config_reader unit`, is Unit's.
  public static func isUnit(_ text: String) -> Bool {
    let names = JSONPaths(converted: text).values.compactMap(\.path.first)
    return names.contains("listeners") || names.contains("applications")
  }

  /// Reads a configuration of Unit, as its control socket prints it, in the lines of `config_reader unit`.
  public static func unit(_ path: String, converted text: String) -> Migration {
    var migration = Migration(of: path)
    let paths = JSONPaths(converted: text)
    let applications = paths.names(below: "applications")
    let served = paths.served(of: applications)
    for name in applications where name != served {
      migration.note(
        "TO DO the application \(name) needs a server of its own, or a mount here, as in mount = "
          + "/\(name)=MODULE:APP"
      )
    }
    for (names, line, value) in paths.values {
      let quoted = "\(path):\(line): `\(names.joined(separator: ".")) = \(value)`"
      switch names.first {
      case "listeners": migration.listen(Array(names.dropFirst()), value, quoted)
      case "applications" where names.dropFirst().first == served:
        migration.serve(Array(names.dropFirst(2)), value, quoted, paths, served ?? "")
      case "applications": continue
      case "routes": continue
      default: migration.set(names, value, quoted)
      }
    }
    migration.route(paths, path)
    if let served {
      migration.takeDefaults(of: served, paths)
    } else {
      migration.note("TO DO write the application's module below, as in module = shop.wsgi")
    }
    return migration
  }

  /// Unit's defaults, which are not this server's: one process, one thread, and no line for a request.
  private mutating func takeDefaults(of application: String, _ paths: JSONPaths) {
    let isCounted =
      paths.names(below: "applications", application, "processes").contains("max")
      || paths.values.contains { $0.path == ["applications", application, "processes"] }
    if !isCounted { add("processes", "1", from: "Unit's default") }
    if !paths.names(below: "applications", application).contains("threads") {
      add("threads", "1", from: "Unit's default")
    }
    if !paths.values.contains(where: { $0.path.first == "access_log" }) {
      add("disable-logging", nil, from: "Unit's default")
    }
  }

  /// What limits of Unit's `settings.http` are called here.
  private static let limits = [
    "header_read_timeout": "header-timeout", "body_read_timeout": "body-timeout",
    "send_timeout": "write-timeout", "idle_timeout": "keep-alive-timeout", "max_body_size": "limit-post",
  ]

  /// Settings of the server, and its log.
  private mutating func set(_ names: [String], _ value: String, _ quoted: String) {
    if names == ["access_log"] || names == ["access_log", "path"] {
      add("req-logger", "file:\(value)", from: "was \(quoted)")
    } else if names.count == 3, names.starts(with: ["settings", "http"]), let name = Self.limits[names[2]] {
      add(name, value, from: "was \(quoted)")
    } else {
      note("LOST \(quoted): nothing here does that")
    }
  }

  private mutating func listen(_ names: [String], _ value: String, _ quoted: String) {
    guard names.count > 1 else { return }
    if names[1] == "pass" {
      add(
        "http-socket", names[0].hasPrefix("*:") ? String(names[0].dropFirst()) : names[0],
        from: "was \(quoted)")
    } else if names[1] == "tls" {
      if names.last == names[min(2, names.count - 1)] {
        note(
          "TO DO \(quoted): listen with https-socket = ADDR,CERT,KEY in place of this socket")
      }
    } else if names[1] == "forwarded", names.count > 2, names[2] == "source" {
      add("trusted-proxy", value, from: "was \(quoted)")
    } else {
      note("LOST \(quoted): nothing here does that")
    }
  }

  private mutating func serve(
    _ names: [String], _ value: String, _ quoted: String, _ paths: JSONPaths, _ application: String
  ) {
    let was = "was \(quoted)"
    switch names.first {
    case "type":
      if !value.hasPrefix("python") {
        note("TO DO \(quoted): this server serves Python, and shared libraries with app = PATH")
      }
    case "module":
      let callable = paths.values.first { $0.path == ["applications", application, "callable"] }?
        .value
      add("module", callable.map { "\(value):\($0)" } ?? value, from: was)
    case "callable": break
    case "path": add("pythonpath", value, from: was)
    case "home": add("venv", value, from: was)
    case "threads": add("threads", value)
    case "user": add("uid", value, from: was)
    case "group": add("gid", value, from: was)
    case "working_directory": add("chdir", value, from: was)
    case "environment": add("env", "\(names.dropFirst().first ?? "")=\(value)", from: was)
    case "processes":
      if names.count == 1 || names[1] == "max" {
        add("processes", value, from: names.count == 1 ? nil : was)
      } else if names[1] == "spare" {
        let most = paths.values.first { $0.path == ["applications", application, "processes", "max"] }?.value
        let least = max(1, Int(value) ?? 1)
        // If all are kept there is nothing to decide.
        if least < Int(most ?? "") ?? 1 { add("cheaper", "\(least)", from: was) }
      } else {
        note("LOST \(quoted): a process that has too little to do ends after a minute")
      }
    case "limits" where names.dropFirst().first == "timeout": add("harakiri", value, from: was)
    case "limits" where names.dropFirst().first == "requests": add("max-requests", value, from: was)
    case "targets":
      note("TO DO \(quoted): each target is a mount here, as in mount = /PREFIX=MODULE:CALLABLE")
    case "protocol" where value == "wsgi" || value == "asgi": add("interface", value, from: was)
    case "protocol": note("TO DO \(quoted): this server serves WSGI and ASGI")
    default: note("LOST \(quoted): nothing here does that")
    }
  }

  /// A share below a prefix is a static-map2; a share of all paths, with an application as the fallback, a
  /// check-static.
  private mutating func route(_ paths: JSONPaths, _ path: String) {
    for step in paths.names(below: "routes") {
      let values = paths.values.filter { $0.path.starts(with: ["routes", step]) }
      let shares = values.filter { $0.path.dropFirst(2).starts(with: ["action", "share"]) }
      let uris = values.filter { $0.path.dropFirst(2).starts(with: ["match", "uri"]) }
      for share in shares {
        let directory =
          share.value.range(ofBytes: "$uri").map { String(share.value[..<$0.lowerBound]) }
          ?? share.value
        let quoted = "\(path):\(share.line): `\(share.path.joined(separator: ".")) = \(share.value)`"
        if uris.isEmpty { add("check-static", directory, from: "was \(quoted)") }
        for uri in uris {
          guard Self.isPrefix(uri.value) else {
            note("LOST \(quoted): no prefix stands for `\(uri.value)`; write it in the front end")
            continue
          }
          var prefix = uri.value
          while prefix.hasSuffix("*") || prefix.hasSuffix("/") { prefix.removeLast() }
          add("static-map2", "\(prefix.isEmpty ? "/" : prefix)=\(directory)", from: "was \(quoted)")
        }
      }
      for value in values where !shares.contains(where: { $0.path == value.path }) {
        let place = value.path.dropFirst(2)
        let isTaken = place.starts(with: ["match", "uri"]) || place == ["action", "fallback", "pass"]
        if !shares.isEmpty && isTaken { continue }
        if place == ["action", "pass"] { continue }
        note(
          "LOST \(path):\(value.line): `\(value.path.joined(separator: ".")) = \(value.value)`: write "
            + "it in the front end"
        )
      }
    }
  }

  /// Whether a pattern of Unit's stands for all paths below one: `/static/*`, and not `!/api/*` or `*.css`.
  private static func isPrefix(_ pattern: String) -> Bool {
    let bytes = pattern.utf8
    return bytes.first == Ascii.slash && !bytes.dropLast().contains(UInt8(ascii: "*"))
  }
}
