// The language runtimes that the server knows by name: plugins that make apps out of something other than a
// shared library of ours. A runtime is given pairs of key and value; only it knows what they mean.

/// One row: a runtime, and which values of `--mount` are meant for it.
struct RuntimeSpec: Sendable {
  /// Its own name: it is the one in `NAME_plugin.so`.
  let name: String
  /// Further names that `--plugin` takes.
  let aliases: [String]
  /// The option that shows what it can serve, for the sentence that asks for one.
  let example: String
  /// The key under which the text after `NAME:` in `--plugin` goes to the runtime.
  let target: String
  /// Keys of options that name a file. The server keeps a copy of it with each generation.
  var files: Set<String> = []
  /// It keeps copies of the modules that it makes an app from, as far as possible.
  var keepsModules = false
  /// The option that a value of `--mount` becomes, by its form alone; nil if it is not for this runtime.
  let claims: @Sendable (Substring) -> AppOption?
  /// The same if `--plugin` names the runtime; asked after the `claims` of all others.
  let accepts: @Sendable (Substring) -> AppOption?
}

/// All rows. A plugin that is not listed gets only `--app-option`.
enum RuntimeTable {
  static let all = [pythonRuntime, ffiRuntime]

  /// uWSGI plugins that are built into this server, or whose options report themselves what they become.
  private static let inside: Set<String> = [
    "http", "cgi", "corerouter", "ugreen", "fastrouter", "rawrouter", "sslrouter", "forkptyrouter",
    "ping",
    "logfile", "logsocket", "logcrypto", "logzmq", "logpipe", "syslog", "rsyslog", "redislog",
    "mongodblog",
    "graylog2", "systemd_logger", "cache", "carbon", "nagios", "rpc", "signal", "spooler",
    "symcall", "echo",
    "dummy", "zergpool", "mongrel2", "stats_pusher_file", "stats_pusher_socket",
    "stats_pusher_statsd",
    "stats_pusher_mongodb", "exception_log", "msgpack", "notfound", "airbrake", "webdav",
    "dumbloop",
    "gevent", "greenlet", "asyncio", "stackless", "tornado", "asyncore", "python_gevent", "sqlite3",
    "pty",
    "cplusplus", "curl_cron", "emperor_amqp", "emperor_mongodb", "emperor_pg", "emperor_zeromq",
    "tuntap",
    "xattr", "xslt", "geoip", "pam", "ldap", "rrdtool", "sharedarea", "legion_cache_fetch",
    "http_proxy",
    "0", "fiber", "coroae", "sentry", "zabbix", "example", "dirlisting", "base64", "alarm", "cron",
  ]
  private static let insideBeginnings = [
    "router_", "cheaper_", "transformation_", "alarm_", "clock_", "metric_", "stats_", "log_",
    "emperor_",
  ]

  /// The row of a name or alias; `python311` and the like are those of `python3`.
  static func row(named name: String) -> RuntimeSpec? {
    all.first { $0.name == name || $0.aliases.contains(name) }
      ?? (isPython(name) ? pythonRuntime : nil)
  }

  /// Whether a plugin's function is part of this server.
  static func isInside(_ name: String) -> Bool {
    inside.contains(name) || insideBeginnings.contains { name.hasPrefix($0) }
  }

  /// Whether there is a plugin of that name, for `if-plugin`.
  static func isKnown(plugin name: String) -> Bool { isInside(name) || row(named: name) != nil }

  private static func isPython(_ name: String) -> Bool {
    name.hasPrefix("python")
      && name.dropFirst(6).utf8.allSatisfy { Ascii.isDigit($0) || $0 == Ascii.dot }
  }
}

/// What the options have said about runtimes so far.
struct RuntimeDraft {
  /// A runtime that `--plugin` names.
  struct Plugin {
    var reference: RuntimeReference
    /// The text after `NAME:`.
    var target: String?
  }

  /// An app that a runtime makes.
  struct Made {
    var mount: String
    var runtime: String
    var option: AppOption
    /// More of the same kind, if a runtime makes one app from several things.
    var further: [AppOption] = []
  }

  var plugins: [Plugin] = []
  /// The options for all apps of a runtime, in the order given.
  var told: [(runtime: String, option: AppOption)] = []
  var made: [Made] = []
  /// Values of `--mount` that do not look like shared libraries: their runtime is known only at the end.
  var mounts: [(mount: String, target: Substring, text: String)] = []
}

extension Draft {
  /// Adds an option for all apps of a runtime; one that does not repeat replaces an earlier one.
  mutating func tell(_ runtime: String, _ key: String, _ value: String, repeats: Bool = false) {
    if !repeats { runtimes.told.removeAll { $0.runtime == runtime && $0.option.key == key } }
    runtimes.told.append((runtime, AppOption(key: key, value: value)))
  }

  /// Has a runtime make the app at the root; a later option with the same key replaces an earlier one.
  mutating func make(_ runtime: String, _ key: String, _ value: String) {
    runtimes.made.removeAll { $0.runtime == runtime && $0.option.key == key && $0.mount.isEmpty }
    runtimes.made.append(.init(mount: "", runtime: runtime, option: AppOption(key: key, value: value)))
  }

  /// `--plugin NAME[:TARGET]` or `--plugin FILE.so`; several are separated by commas, as in uWSGI. A bare
  /// name that is not one of the server's is not an application: the server reports that it is left out, or
  /// does not start without it (`--need-plugin`).
  mutating func addPlugins(_ text: String, isNeeded: Bool = false) throws(ValueError) {
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let word = part.trimmed
      guard !word.isEmpty else { throw .empty(example: "--plugin python3") }
      let (name, target) =
        Self.isPath(word) ? (word, nil) : word.cut(at: Ascii.colon) ?? (word, nil)
      if RuntimeTable.isInside(String(name)) { continue }
      let reference = RuntimeReference(parsing: name)
      if reference.path == nil, target == nil, RuntimeTable.row(named: reference.name) == nil {
        if isNeeded {
          throw .rule(
            String(word), problem: "is no plugin of this server",
            fix: "take it out, or name the file that holds it, as in --plugin ./\(word)_plugin.so")
        }
        missingPlugins.append(reference.name)
        continue
      }
      let same = runtimes.plugins.firstIndex { $0.reference.name == reference.name }
      if let same, target == nil {
        runtimes.plugins[same].reference = reference
      } else {
        runtimes.plugins.append(.init(reference: reference, target: target.map(String.init)))
      }
    }
  }

  /// `--mount /p=TARGET`: a shared library now, anything else once the plugins are known.
  mutating func mount(_ text: String) throws(ValueError) {
    guard text.hasPrefix("/"), let (front, target) = text.cut(at: Ascii.equals),
      !Self.isLibrary(target, isFile)
    else {
      settings.apps.append(try AppSettings(parsing: text, isFile: isFile))
      return
    }
    if target.isEmpty { throw .empty(example: "--mount /blog=blog.wsgi") }
    let isThere = PythonTarget.isModuleUnlessFile(target).map { isFile(String($0)) } ?? false
    runtimes.mounts.append(
      (try AppSettings.mountPoint(front), isThere ? "./" + target : target, text))
  }

  private static func isPath(_ text: Substring) -> Bool {
    text.hasSuffix(".so") || text.utf8.contains(Ascii.slash)
  }

  /// A library by its name, or because it is a file that no runtime claims.
  static func isLibrary(_ target: Substring, _ isFile: (String) -> Bool) -> Bool {
    if target.hasSuffix(".so") || target.holds(".so:") && !FFITarget.isSignature(target) { return true }
    return target.utf8.contains(Ascii.slash) && isFile(String(target))
      && !RuntimeTable.all.contains { $0.claims(target) != nil }
  }

  // MARK: Once all options are known

  /// Turns what runtimes should make into apps.
  mutating func makeRuntimeApps() throws(ConfigError) {
    for name in missingPlugins {
      settings.warnings.append(
        "the plugin \(name) is none of this server's, and is left out; a library that makes applications is "
          + "named by its file, as in --plugin ./\(name)_plugin.so")
    }
    for (mount, target, text) in runtimes.mounts { try resolve(mount, target, text) }
    preferModule()
    if settings.shared.offersModule { preferFirst() }
    for plugin in runtimes.plugins {
      let name = plugin.reference.name
      let row = RuntimeTable.row(named: name)
      if let target = plugin.target {
        runtimes.made.append(
          .init(
            mount: "", runtime: name, option: AppOption(key: row?.target ?? "target", value: target)))
      }
      if runtimes.made.contains(where: { $0.runtime == name }) { continue }
      if let row { throw .idlePlugin(name: name, example: row.example) }
      settings.apps.append(AppSettings(mount: "", path: name, runtime: plugin.reference))
    }
    for made in runtimes.made { settings.apps.append(app(made)) }
    for (runtime, option) in runtimes.told where !runtimes.made.contains(where: { $0.runtime == runtime }) {
      throw .optionOfIdleRuntime(
        runtime: runtime, key: option.key, example: RuntimeTable.row(named: runtime)?.example ?? "")
    }
  }

  private mutating func resolve(_ mount: String, _ target: Substring, _ text: String) throws(ConfigError) {
    let named = RuntimeTable.all.filter { row in
      runtimes.plugins.contains { $0.reference.name == row.name }
        || runtimes.made.contains { $0.runtime == row.name }
        || runtimes.told.contains { $0.runtime == row.name }
    }
    // `module:factory("prod")` looks like a C function: next to an option of its runtime it is not one.
    let isFactory = target.hasSuffix(")") && !target.holds(".so:") && !target.holds(".so.")
    for row in named where isFactory {
      guard let option = row.accepts(target) else { continue }
      return runtimes.made.append(.init(mount: mount, runtime: row.name, option: option))
    }
    for row in RuntimeTable.all {
      guard let option = row.claims(target) else { continue }
      return runtimes.made.append(.init(mount: mount, runtime: row.name, option: option))
    }
    for row in named {
      guard let option = row.accepts(target) else { continue }
      return runtimes.made.append(.init(mount: mount, runtime: row.name, option: option))
    }
    if let (module, _) = target.cut(at: Ascii.colon), !isFile(String(module)),
      !target.hasSuffix(")"),
      !module.hasSuffix(".so"), let option = pythonRuntime.accepts(target)
    {
      return runtimes.made.append(.init(mount: mount, runtime: pythonRuntime.name, option: option))
    }
    do { settings.apps.append(try AppSettings(parsing: text, isFile: isFile)) } catch {
      throw .badValue(place: "`--mount \(text)`", error)
    }
  }

  /// With `--module` and `--wsgi-file` the module answers at the root, as in uWSGI.
  private mutating func preferModule() {
    func isRoot(_ made: RuntimeDraft.Made, _ keys: [String]) -> Bool {
      made.mount.isEmpty && keys.contains(made.option.key)
    }
    guard let module = runtimes.made.first(where: { isRoot($0, ["module", "wsgi", "asgi"]) }),
      let file = runtimes.made.first(where: { isRoot($0, ["wsgi-file"]) })
    else { return }
    runtimes.made.removeAll { isRoot($0, ["wsgi-file"]) }
    settings.warnings.append(
      "the module \(module.option.value) answers at /, and \(file.option.value) is not loaded; take one of "
        + "module and wsgi-file out, or mount the file, as in --mount /other=\(file.option.value)")
  }

  /// In uWSGI's words, `module` or `wsgi-file` answers at the root, and not what `mount` has there too.
  private mutating func preferFirst() {
    let roots = runtimes.made.indices.filter { index in
      let made = runtimes.made[index]
      return made.mount.isEmpty && ["module", "wsgi", "asgi", "wsgi-file"].contains(made.option.key)
    }
    guard let kept = roots.first.map({ runtimes.made[$0].option.value }) else { return }
    for index in roots.dropFirst().reversed() {
      let lost = runtimes.made.remove(at: index).option.value
      settings.warnings.append(
        "\(kept) answers at /, and \(lost) is not loaded; take one of them out, or mount it elsewhere, as in "
          + "mount = /other=\(lost)")
    }
  }

  private func app(_ made: RuntimeDraft.Made) -> AppSettings {
    let plugin = runtimes.plugins.first { $0.reference.name == made.runtime }
    var app = AppSettings(
      mount: made.mount, path: made.option.value,
      runtime: plugin?.reference ?? RuntimeReference(parsing: made.runtime[...]))
    app.options =
      runtimes.told.filter { $0.runtime == made.runtime }.map(\.option) + [made.option]
      + made.further
    return app
  }

  /// Gives the apps of runtimes the facts about the server that their language has to state truthfully.
  mutating func tellServerFacts() {
    for index in settings.apps.indices where settings.apps[index].runtime != nil {
      settings.apps[index].options += [
        AppOption(key: "server.threads", value: settings.isCGI ? "1" : "\(settings.limits.threads)"),
        AppOption(key: "server.once", value: settings.isCGI ? "true" : "false"),
        AppOption(key: "server.watch", value: settings.supervision.watchesApps ? "true" : "false"),
        AppOption(key: "server.debug", value: settings.supervision.isDevelopment ? "true" : "false"),
        AppOption(key: "server.start", value: "\(settings.supervision.startSeconds)"),
        AppOption(key: "server.mercy", value: "\(settings.limits.gracefulSeconds)"),
      ]
    }
  }
}

extension AppSettings {
  /// The name of a private copy of a library: that of its file, so that a backtrace shows it.
  public static func copyName(of path: String) -> String {
    let slash = path.utf8.lastIndex(of: Ascii.slash)
    let name = slash.map { String(path[path.utf8.index(after: $0)...]) } ?? path
    return ["", ".", ".."].contains(name) ? "app.so" : name
  }

  /// The name of the private copy of the library for this app: for a runtime, its plugin.
  public var copyName: String {
    guard let runtime else { return AppSettings.copyName(of: path) }
    return runtime.path.map { AppSettings.copyName(of: $0) } ?? "\(runtime.name)_plugin.so"
  }

  /// The name of the signature that is kept with a private copy.
  public static let signatureName = "signature of the build"

  /// The name of the private copy of a kept file, by its place in `options`.
  public static func keptName(_ index: Int) -> String { "file-\(index)" }

  /// The name of the private copy of the app's modules that the runtime keeps.
  public static let modulesName = "modules"

  /// The runtime keeps copies of the modules that it makes the app from, if it can.
  public var keepsModules: Bool {
    runtime.flatMap { RuntimeTable.row(named: $0.name) }?.keepsModules ?? false
  }

  /// The names of all private copies: the library's, those of kept files, that of the modules.
  public var copyNames: [String] {
    [copyName] + keptFiles.map { AppSettings.keptName($0) } + (keepsModules ? [AppSettings.modulesName] : [])
  }

  /// Places in `options` of files that belong to the app and are kept with each generation of it.
  public var keptFiles: [Int] {
    guard let row = runtime.flatMap({ RuntimeTable.row(named: $0.name) }) else { return [] }
    return options.indices.filter { row.files.contains(options[$0].key) }
  }

  /// The copies contain everything that the app is made from, its library or the files of its runtime, so
  /// that two builds with the same copies are the same. This is not so for Python's modules: the app opens
  /// other files too.
  public var isKeptWhole: Bool {
    runtime == nil || runtime.flatMap { RuntimeTable.row(named: $0.name) }.map { !$0.files.isEmpty } ?? false
  }
}

extension RuntimeReference {
  /// Reads `python3`, `./python3_plugin.so` or `/lib/libpython3_plugin.so`.
  init(parsing text: Substring) {
    guard text.hasSuffix(".so") || text.utf8.contains(Ascii.slash) else {
      self.init(name: RuntimeTable.row(named: String(text))?.name ?? String(text))
      return
    }
    var name = text.utf8.lastIndex(of: Ascii.slash).map { text[text.utf8.index(after: $0)...] } ?? text
    if name.hasSuffix(".so") { name = name.dropLast(3) }
    if name.hasSuffix("_plugin") { name = name.dropLast(7) }
    if name.hasPrefix("lib") { name = name.dropFirst(3) }
    self.init(name: RuntimeTable.row(named: String(name))?.name ?? String(name), path: String(text))
  }
}
