// Changes to a configuration while the server runs: what can change, and how.

extension Settings {
  /// The same arguments with another file for the application at a mount; `arguments` are those in effect.
  public static func arguments(
    _ arguments: [String], servingAt mount: String, path: String
  ) -> [String] {
    arguments.map { argument in
      guard let (name, value) = argument[...].cut(at: Ascii.equals), name == "--app" || name == "--mount",
        let app = try? AppSettings(parsing: String(value)), app.mount == mount
      else { return argument }
      return AppSettings(mount: mount, path: path, symbol: app.symbol).option
    }
  }

  /// The arguments with the user, the group and the privileges of others; both are those in effect.
  public static func arguments(_ arguments: [String], asIdentifiedBy others: [String]) -> [String] {
    func isIdentity(_ argument: String) -> Bool {
      let name = argument[...].cut(at: Ascii.equals)?.0 ?? argument[...]
      return name == "--uid" || name == "--gid" || name == "--no-new-privs"
    }
    return arguments.filter { !isIdentity($0) } + others.filter(isIdentity)
  }

  /// Names of options that differ between the two and take effect only at a start.
  public static func fixed(_ old: Settings, _ new: Settings) -> [String] {
    var names: [String] = []
    // The certificates of a socket may change; its address and protocol may not.
    let isBoundAlike = old.listeners.elementsEqual(new.listeners) {
      $0.address == $1.address && $0.gateway == $1.gateway
    }
    if !isBoundAlike || old.socketFiles != new.socketFiles { names.append("the sockets") }
    if old.process.user != new.process.user { names.append("uid") }
    if old.process.group != new.process.group { names.append("gid") }
    if old.process.forbidsPrivileges != new.process.forbidsPrivileges { names.append("no-new-privs") }
    if old.process.pidFile != new.process.pidFile { names.append("pidfile") }
    if old.process.runtimeDirectory != new.process.runtimeDirectory { names.append("runtime-dir") }
    if old.process.hasMaster != new.process.hasMaster { names.append("master") }
    if old.process.daemonLog != new.process.daemonLog { names.append("daemonize") }
    if old.supervision.controlSocket != new.supervision.controlSocket { names.append("control-socket") }
    if old.log.file != new.log.file { names.append("logto") }
    if old.log.routing != new.log.routing { names.append("loggers") }
    if old.programs != new.programs { names.append("programs beside the server") }
    if old.watch.listeners != new.watch.listeners { names.append("the sockets for watchers") }
    if old.limits.backlog != new.limits.backlog { names.append("listen") }
    return names
  }
}
