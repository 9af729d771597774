// Which applications are served, and what they are told.

let applicationOptions = OptionGroup(
  title: "Applications",
  options: [
    OptionSpec(
      "app", repeats: true,
      "serve this shared library, at the root or below /mount; :symbol names an entry of its own",
      .value(placeholder: "[/mount=]PATH[:symbol]") { (draft, text) throws(ValueError) in
        if FFITarget.isSignature(text[...]) { return try draft.addEntry(text) }
        draft.settings.apps.append(try AppSettings(parsing: text))
      }),
    OptionSpec(
      "mount", repeats: true,
      "serve below /mount: a shared library, or what a plugin makes of the rest (hello.wsgi, module:app)",
      .value(placeholder: "/mount=TARGET") { (draft, text) throws(ValueError) in try draft.mount(text) }),
    OptionSpec(
      "plugin", aliases: ["plugins", "need-plugin"], repeats: true,
      "load this language runtime, NAME_plugin.so or the file given",
      .value(placeholder: "NAME[:TARGET]") { (draft, text) throws(ValueError) in
        try draft.addPlugins(text)
      }),
    OptionSpec(
      "plugins-dir", aliases: ["plugin-dir"], repeats: true, "look for plugins here first",
      .value(placeholder: "DIR") { (draft, text) throws(ValueError) in
        draft.settings.pluginDirectories.append(
          try Value.text(text, example: "/usr/lib/nsgi-server"))
      }),
    OptionSpec(
      "app-option", repeats: true, "tell every app, or the one at /mount, that key is value",
      .value(placeholder: "[/mount:]KEY=VALUE") { (draft, text) throws(ValueError) in
        draft.appOptions.append(try AppOption.parse(text))
      }),
    OptionSpec(
      "cgi", "answer one request from the environment and standard input (CGI/1.1) and exit",
      .flag { $0.wantsCGI = $1 }),
    OptionSpec(
      "sendfile-root", "honour X-Sendfile over HTTP for files below this directory",
      .value(placeholder: "DIR") { (draft, text) throws(ValueError) in
        draft.settings.sendfileRoot = try Value.text(text, example: "/srv/files")
      }),
    OptionSpec(
      "trusted-proxy", repeats: true,
      "believe X-Forwarded-* and PROXY headers of these peers: a network, an address, or unix",
      .value(placeholder: "CIDR") { (draft, text) throws(ValueError) in
        draft.settings.trustedProxies.append(try TrustedProxy(parsing: text))
      }),
  ])

extension AppSettings {
  /// Reads `[/mount=]PATH[:symbol]`. A mount ends at the first `=`; a path that holds one is written after
  /// `/=`.
  init(parsing text: String) throws(ValueError) {
    var mount = ""
    var path = text[...]
    if text.hasPrefix("/"), let (front, back) = text.cut(at: Ascii.equals) {
      mount = try Self.mountPoint(front)
      path = back
    }
    var symbol: String?
    if let colon = path.utf8.lastIndex(of: Ascii.colon) {
      let tail = path[path.utf8.index(after: colon)...]
      if !tail.utf8.contains(Ascii.slash) {
        symbol = try Self.identifier(tail)
        path = path[..<colon]
      }
    }
    if path.isEmpty { throw .empty(example: "--app ./hello.so") }
    self.init(mount: mount, path: String(path), symbol: symbol)
  }

  /// A mount point in its one form: "" for `/`, otherwise `/name` without a slash at the end.
  static func mountPoint(_ text: Substring) throws(ValueError) -> String {
    let bare = text.hasSuffix("/") ? text.dropLast() : text
    if bare.isEmpty { return "" }
    let parts = bare.utf8.split(separator: Ascii.slash, omittingEmptySubsequences: false).dropFirst()
    for part in parts where part.isEmpty || Substring(part) == "." || Substring(part) == ".." {
      throw .badMount(String(text))
    }
    return String(bare)
  }

  private static func identifier(_ text: Substring) throws(ValueError) -> String {
    guard let first = text.utf8.first, !Ascii.isDigit(first) else { throw .badSymbol(String(text)) }
    guard text.utf8.allSatisfy({ Ascii.isLetter($0) || Ascii.isDigit($0) || $0 == Ascii.underscore }) else {
      throw .badSymbol(String(text))
    }
    return String(text)
  }
}

extension AppOption {
  /// Reads `[/mount:]key=value`; a key never begins with a slash.
  static func parse(_ text: String) throws(ValueError) -> (mount: String?, option: AppOption) {
    var mount: String?
    var pair = text[...]
    if text.hasPrefix("/") {
      guard let (front, back) = text.cut(at: Ascii.colon) else { throw .optionWithoutEquals(text) }
      mount = try AppSettings.mountPoint(front)
      pair = back
    }
    guard let (key, value) = pair.cut(at: Ascii.equals), !key.isEmpty else {
      throw .optionWithoutEquals(text)
    }
    return (mount, AppOption(key: String(key), value: String(value)))
  }
}
