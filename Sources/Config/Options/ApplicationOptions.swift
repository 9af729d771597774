// Which applications are served, and what they are told.

let applicationOptions = OptionGroup(
  title: "Applications",
  options: [
    OptionSpec(
      "app", repeats: true,
      "serve this shared library, at the root or below /mount; :symbol names an entry of its own",
      .value(placeholder: "[/mount=]PATH[:symbol]") { (draft, text) throws(ValueError) in
        if FFITarget.isSignature(text[...]), !draft.isFile(text) { return try draft.addEntry(text) }
        draft.settings.apps.append(try AppSettings(parsing: text, isFile: draft.isFile))
      }),
    OptionSpec(
      "mount", repeats: true,
      "serve below /mount: a shared library, or what a plugin makes of the rest (hello.wsgi, module:app)",
      .value(placeholder: "/mount=TARGET") { (draft, text) throws(ValueError) in try draft.mount(text) }),
    OptionSpec(
      "plugin", aliases: ["plugins"], repeats: true,
      "load this language runtime, NAME_plugin.so or the file given",
      .value(placeholder: "NAME[:TARGET]") { (draft, text) throws(ValueError) in
        try draft.addPlugins(text)
      }),
    OptionSpec(
      "need-plugin", aliases: ["need-plugins"], repeats: true,
      "the same, and do not start without it",
      .value(placeholder: "NAME[:TARGET]") { (draft, text) throws(ValueError) in
        try draft.addPlugins(text, isNeeded: true)
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
  /// Reads `[/mount=]PATH[:symbol]`. If a file exists under the written name, it is that file, whatever its
  /// name contains. Otherwise a mount ends at the first `=`, and a symbol begins after the last `:`; a path
  /// that contains an `=` is written after `/=`, one with a `:` in its last part with another `:` at the end.
  init(parsing text: String, isFile: (String) -> Bool = { _ in false }) throws(ValueError) {
    if let (path, symbol) = Self.file(text[...], isFile) {
      self.init(path: path, symbol: symbol)
      return
    }
    var mount = ""
    var path = text[...]
    if text.hasPrefix("/"), let (front, back) = text.cut(at: Ascii.equals) {
      mount = try Self.mountPoint(front)
      path = back
    }
    if let (path, symbol) = Self.file(path, isFile) {
      self.init(mount: mount, path: path, symbol: symbol)
      return
    }
    var symbol: String?
    if let (front, tail) = Self.cutSymbol(path) {
      let isEnded = tail.isEmpty && Self.cutSymbol(front) != nil
      symbol = isEnded ? nil : try Self.identifier(tail, of: path)
      path = front
    }
    if path.isEmpty { throw .empty(example: "--app ./hello.so") }
    self.init(mount: mount, path: String(path), symbol: symbol)
  }

  /// An existing file: the whole text, or everything before a symbol.
  private static func file(_ text: Substring, _ isFile: (String) -> Bool) -> (String, symbol: String?)? {
    if text.isEmpty { return nil }
    if isFile(String(text)) { return (String(text), nil) }
    guard let (path, tail) = cutSymbol(text), let symbol = try? identifier(tail, of: text),
      isFile(String(path))
    else { return nil }
    return (String(path), symbol)
  }

  /// The text before and after the last colon of the last part of a path.
  private static func cutSymbol(_ path: Substring) -> (Substring, Substring)? {
    guard let colon = path.utf8.lastIndex(of: Ascii.colon) else { return nil }
    let tail = path[path.utf8.index(after: colon)...]
    return tail.utf8.contains(Ascii.slash) ? nil : (path[..<colon], tail)
  }

  /// The option that `init(parsing:)` reads like this without looking at any file.
  var option: String {
    let end = symbol.map { ":" + $0 } ?? (Self.cutSymbol(path[...]) == nil ? "" : ":")
    return "--app=\(mount.isEmpty ? "/" : mount)=\(path)\(end)"
  }

  /// Another way to read a file that does not exist at `path`; nil if there is none.
  public var otherReading: String? {
    guard runtime == nil, !mount.isEmpty else { return nil }
    return "`\(mount)=\(path)` stands for \(path) at the mount point \(mount); a path that holds an `=` is "
      + "written /=\(mount)=\(path)"
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

  private static func identifier(_ text: Substring, of path: Substring) throws(ValueError) -> String {
    if text.utf8.contains(Ascii.dot) { throw .colonInPath(String(path)) }
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
