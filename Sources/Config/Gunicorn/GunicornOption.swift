// gunicorn's options, and their meanings here: one row each, for its command line and its configuration file.

/// What becomes of a gunicorn option.
enum GunicornMeaning: Sendable {
  /// An option of this server, with the value in its form.
  case option(String, @Sendable (String) -> [String])
  /// A flag of this server.
  case flag(String)
  /// It affects several options at once, and is evaluated when all are known.
  case kept
  /// Always the case here, or without meaning.
  case accepted
  /// Something is lost: what, and what to use.
  case lost(String)
  /// The server does not start with it: why, and what to use.
  case refused(String)
}

/// One option of gunicorn.
struct GunicornOption: Sendable {
  /// Its name in a configuration file.
  let setting: String
  /// Its names on the command line, with their dashes.
  let names: [String]
  let takesValue: Bool
  let meaning: GunicornMeaning

  init(
    _ names: String, setting: String? = nil, flag isFlag: Bool = false, _ meaning: GunicornMeaning
  ) {
    self.names = names.split(separator: " ").map(String.init)
    let long = self.names.first { $0.hasPrefix("--") } ?? ""
    self.setting =
      setting ?? long.dropFirst(2).lowercased().exchanging(Ascii.dash, for: Ascii.underscore)
    takesValue = !isFlag
    self.meaning = meaning
  }

  /// Whether it has no effect here and needs none.
  var isAccepted: Bool {
    if case .accepted = meaning { true } else { false }
  }

  /// The row of a name with its dashes.
  static func find(_ written: String) -> GunicornOption? {
    all.first { $0.names.contains(written) }
  }

  /// The row of a name in a configuration file.
  static func find(setting: String) -> GunicornOption? { all.first { $0.setting == setting } }

  static let all: [GunicornOption] = sockets + workers + requests + process + logging + rest

  private static let sockets = [
    GunicornOption("-b --bind", .option("http-socket", addresses)),
    GunicornOption("--backlog", .option("listen", single)),
    GunicornOption("--forwarded-allow-ips", .option("trusted-proxy", peers)),
    GunicornOption(
      "--proxy-allow-from", setting: "proxy_allow_ips", .option("trusted-proxy", peers)),
    GunicornOption(
      "--proxy-protocol", flag: true,
      .lost("PROXY headers are believed from the peers of --trusted-proxy")),
    GunicornOption("--reuse-port", flag: true, .accepted),
    GunicornOption("--protocol", .option("protocol", single)),
    GunicornOption(
      "--uwsgi-allow-from", setting: "uwsgi_allow_ips",
      .lost("whoever reaches a socket may speak its protocol; use a unix socket, or a firewall")),
    GunicornOption(
      "--http-protocols", .lost("HTTP/1.1 and HTTP/2 are spoken; http2 = off leaves the second out")),
    GunicornOption("--http2-cleartext", .accepted),
    GunicornOption("--http2-max-concurrent-streams", .accepted),
    GunicornOption("--http2-initial-window-size", .accepted),
    GunicornOption("--http2-max-frame-size", .accepted),
    GunicornOption("--http2-max-header-list-size", .accepted),
    GunicornOption("--suppress-ragged-eofs", flag: true, .accepted),
    GunicornOption("--do-handshake-on-connect", flag: true, .accepted),
    GunicornOption("--certfile", .refused(tls)), GunicornOption("--keyfile", .refused(tls)),
    GunicornOption("--ca-certs", .refused(tls)), GunicornOption("--ssl-version", .refused(tls)),
    GunicornOption("--cert-reqs", .refused(tls)), GunicornOption("--ciphers", .refused(tls)),
  ]

  private static let workers = [
    GunicornOption("-w --workers", .option("processes", single)),
    GunicornOption("-k --worker-class", .kept),
    GunicornOption("--threads", .kept), GunicornOption("--worker-connections", .kept),
    GunicornOption("-t --timeout", .kept),
    GunicornOption("--graceful-timeout", .option("worker-reload-mercy", single)),
    GunicornOption("--keep-alive", setting: "keepalive", .option("keep-alive-timeout", single)),
    GunicornOption("--max-requests", .option("max-requests", single)),
    GunicornOption("--max-requests-jitter", .option("max-requests-delta", single)),
    GunicornOption("--preload", setting: "preload_app", flag: true, .flag("preload")),
    GunicornOption("--worker-tmp-dir", .accepted),
    GunicornOption("", setting: "tmp_upload_dir", .option("spool-dir", single)),
    GunicornOption("--asgi-loop", .option("asgi-loop", single)),
    GunicornOption("--asgi-lifespan", .lost("lifespan events are sent to whoever takes them")),
    GunicornOption("--asgi-disconnect-grace-period", .accepted),
    GunicornOption("--dirty-app", setting: "dirty_apps", .lost(dirty)),
    GunicornOption("--dirty-workers", .lost(dirty)), GunicornOption("--dirty-timeout", .lost(dirty)),
    GunicornOption("--dirty-threads", .lost(dirty)), GunicornOption("--dirty-graceful-timeout", .lost(dirty)),
    GunicornOption("--no-sendfile", setting: "sendfile", flag: true, .accepted),
  ]

  private static let requests = [
    GunicornOption(
      "--limit-request-line", .lost("the whole head is bounded by --buffer-size (64 KiB)")),
    GunicornOption("--limit-request-fields", .option("max-vars", single)),
    GunicornOption(
      "--limit-request-field_size", setting: "limit_request_field_size",
      .lost("the whole head is bounded by --buffer-size (64 KiB)")),
    GunicornOption(
      "--strip-header-spaces", flag: true, .lost("a field with such spaces is refused with 400")),
    GunicornOption(
      "--header-map",
      .lost("fields with underscores are refused or passed over, see docs/PROTOCOLS.md")),
    GunicornOption("--forwarder-headers", .accepted),
    GunicornOption("--http-parser", .accepted),
    GunicornOption("--permit-unconventional-http-method", flag: true, .accepted),
    GunicornOption(
      "--permit-unconventional-http-version", flag: true,
      .lost("another version of HTTP is refused with 505")),
    GunicornOption(
      "--casefold-http-method", flag: true, .lost("applications get methods as clients write them")),
    GunicornOption(
      "--root-path", .lost("write mount = /PREFIX=MODULE:APP, which makes it SCRIPT_NAME or root_path")),
    GunicornOption(
      "--permit-obsolete-folding", flag: true, .lost("such a field is refused with 400")),
    GunicornOption(
      "--secure-scheme-headers", .lost("X-Forwarded-Proto of a trusted proxy decides")),
  ]

  private static let process = [
    GunicornOption("--chdir", .option("chdir", single)),
    GunicornOption(
      "--pythonpath", .option("pythonpath") { $0.split(separator: ",").map(String.init) }),
    GunicornOption("-e --env", setting: "raw_env", .option("env", single)),
    GunicornOption("-p --pid", setting: "pidfile", .option("pidfile", single)),
    GunicornOption("-u --user", .option("uid", single)),
    GunicornOption("-g --group", .option("gid", single)),
    GunicornOption("-m --umask", .option("umask") { [octal($0)] }),
    GunicornOption(
      "-D --daemon", flag: true,
      .refused("add --daemonize FILE, the log of a server that leaves its terminal")),
    GunicornOption("-n --name", setting: "proc_name", .option("procname-prefix-spaced", single)),
    GunicornOption("--initgroups", flag: true, .accepted),
    GunicornOption("--reload", flag: true, .kept),
    GunicornOption("--reload-engine", .accepted),
    GunicornOption(
      "--reload-extra-file", setting: "reload_extra_files", .option("touch-reload", single)),
    GunicornOption("--spew", flag: true, .lost("use a debugger, or python -m trace")),
  ]

  private static let logging = [
    GunicornOption("--access-logfile", setting: "accesslog", .kept),
    GunicornOption("--error-logfile --log-file", setting: "errorlog", .kept),
    GunicornOption("--access-logformat", setting: "access_log_format", .kept),
    GunicornOption(
      "--log-level", setting: "loglevel",
      .lost("errors and refusals are always logged; -L leaves requests out")),
    GunicornOption("--logger-class", .lost("lines go to standard error, or --logto FILE")),
    GunicornOption(
      "--log-config", setting: "logconfig", .lost("lines go to standard error, or --logto FILE")),
    GunicornOption(
      "--log-config-dict", setting: "logconfig_dict",
      .lost("lines go to standard error, or --logto FILE")),
    GunicornOption(
      "--log-config-json", setting: "logconfig_json",
      .lost("lines go to standard error, or --logto FILE")),
    GunicornOption(
      "--log-syslog", setting: "syslog", flag: true,
      .lost("lines go to standard error, which systemd's journal takes")),
    GunicornOption("--log-syslog-to", setting: "syslog_addr", .accepted),
    GunicornOption("--log-syslog-prefix", setting: "syslog_prefix", .accepted),
    GunicornOption("--log-syslog-facility", setting: "syslog_facility", .accepted),
    GunicornOption("-R --enable-stdio-inheritance", flag: true, .accepted),
    GunicornOption("--capture-output", flag: true, .accepted),
    GunicornOption("--disable-redirect-access-to-syslog", flag: true, .accepted),
    GunicornOption(
      "--statsd-host", .lost("read `server ctl --json status` from the service's agent")),
    GunicornOption("--statsd-prefix", .accepted), GunicornOption("--dogstatsd-tags", .accepted),
    GunicornOption("--enable-backlog-metric", flag: true, .lost("write metrics = ADDR, which shows it")),
  ]

  private static let rest = [
    GunicornOption(
      "-c --config",
      .refused("its file is a program; `server migrate FILE` prints what it comes to, for --ini")),
    GunicornOption(
      "--paste --paster",
      .refused(
        "write a module with `application = paste.deploy.loadapp(\"config:/path/site.ini\")`")),
    GunicornOption("--paste-global", setting: "raw_paste_global_conf", .accepted),
    GunicornOption("", setting: "default_proc_name", .accepted),
    GunicornOption("--control-socket", .option("control-socket", single)),
    GunicornOption("--control-socket-mode", .accepted),
    GunicornOption("--no-control-socket", setting: "control_socket_disable", flag: true, .accepted),
    GunicornOption("--check-config", flag: true, .flag("check-config")),
    GunicornOption("--print-config", flag: true, .flag("show-config")),
    GunicornOption("-v --version", flag: true, .flag("version")),
  ]

  private static let dirty = "make it a program beside the server (attach-daemon), or a queue of tasks"

  private static let tls =
    "write https-socket = ADDR,CERT,KEY (docs/TLS.md), and take these options and bind out"

  @Sendable private static func single(_ value: String) -> [String] { [value] }

  /// Addresses separated by commas; the default port is 8000.
  @Sendable private static func addresses(_ value: String) -> [String] {
    value.split(separator: ",").map { text in
      var text = text.trimmed
      if text.hasPrefix("unix://") { return "unix:\(text.dropFirst(7))" }
      if text.hasPrefix("tcp://") { text = text.dropFirst(6) }
      let isWhole = text.utf8.contains(Ascii.colon) || text.utf8.contains(Ascii.slash)
      return isWhole && !text.hasSuffix("]") ? String(text) : "\(text):8000"
    }
  }

  /// Networks separated by commas; `*` is everybody.
  @Sendable static func peers(_ value: String) -> [String] {
    value.split(separator: ",").flatMap { text -> [String] in
      text.trimmed == "*" ? ["0.0.0.0/0", "::/0", "unix"] : [String(text.trimmed)]
    }
  }

  /// A number in Python's notation: 0o22, 18 or 0.
  private static func octal(_ text: String) -> String {
    if text.hasPrefix("0o") { return String(text.dropFirst(2)) }
    guard !text.hasPrefix("0"), let number = UInt32(text) else { return text }
    return String(number, radix: 8)
  }
}
