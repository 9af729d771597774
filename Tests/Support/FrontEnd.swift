// Real web servers in front of the server under test, each with the very file that docs/deploy offers.
//
// The files name fixed places; a test replaces only those: port 8000 where the front end listens, 8080 to
// 8083 where the server does, /run/nsgi/NAME.sock, and /usr/local/… where programs are installed.
import Foundation

/// One running lighttpd, nginx, Apache or HAProxy.
public final class FrontEnd: Sendable {
  /// `http://127.0.0.1:PORT`.
  public let url: String
  /// Its port on 127.0.0.1.
  public let port: UInt16
  /// The web server's process.
  public let process: ChildProcess
  /// Its folder, with its configuration and the sockets of what it starts.
  public let folder: TemporaryFolder

  /// Starts the web server that `file` below docs/deploy is for: the first part of its path names it.
  /// `app` is what a web server that starts the server by itself lets it serve; `extra` stands at the end of
  /// the configuration; `places` are further ones of the file, and what stands there in the test.
  public init(
    _ file: String, before server: ServerProcess? = nil, app: String = Repository.app("environ"),
    extra: String = "", places: [String: String] = [:]
  ) throws {
    // The port is free when it is chosen, and may be taken before the web server has it: then once more.
    var attempts = 5
    while true {
      let folder = try TemporaryFolder()
      let port = try FreePort.any()
      let site = try Self.site(
        file, port: port, server: server, app: app, folder: folder, extra: extra, places)
      let process = try Self.start(file, site: site, port: port, folder: folder)
      do {
        try Self.waitUntilReady(process, port: port)
      } catch SupportError.ended(_, _, let output) where attempts > 1 && output.contains("in use") {
        attempts -= 1
        continue
      }
      (self.port, self.process, self.folder) = (port, process, folder)
      url = "http://127.0.0.1:\(port)"
      return
    }
  }

  /// Stops it by its process id and waits for the end.
  @discardableResult
  public func stop() throws -> ChildProcess.Exit {
    process.send(SIGTERM)
    // An nginx without a master looks whether it shall end, and then waits for events: a signal in between is
    // seen with the next event only.
    _ = try? RawSocket(.tcp(host: "127.0.0.1", port: port))
    return try process.wait()
  }

  /// The text of the configuration with the test's places in it, written to the folder.
  private static func site(
    _ file: String, port: UInt16, server: ServerProcess?, app: String, folder: TemporaryFolder, extra: String,
    _ places: [String: String]
  ) throws -> String {
    var text = try Repository.text("docs/deploy/\(file)") + extra
    for (place, actual) in places { text = text.replacingOccurrences(of: place, with: actual) }
    // In two steps, because a chosen port may hold the digits of a fixed one.
    var ports = ["<web>": port]
    text = text.replacingOccurrences(of: "8000", with: "<web>")
    for (fixed, gateway) in [("8080", "http"), ("8081", "scgi"), ("8082", "uwsgi"), ("8083", "fastcgi")] {
      guard let address = try? server?.address(gateway) else { continue }
      if case .unix(let path) = address {
        text = text.replacingOccurrences(of: "/run/nsgi/\(gateway).sock", with: path)
      } else {
        text = text.replacingOccurrences(of: fixed, with: "<\(gateway)>")
        ports["<\(gateway)>"] = address.port
      }
    }
    for (mark, port) in ports { text = text.replacingOccurrences(of: mark, with: "\(port)") }
    try folder.folder("cgi-bin")
    let cgi = folder.file("cgi-bin")
    // Apache runs CGI programs as a user of its own.
    let program = try Reachable.path(Repository.server, in: folder)
    let app = try Reachable.path(app, in: folder)
    for (fixed, actual) in [
      ("/run/nsgi", folder.path), ("/usr/lib/cgi-bin", cgi), ("/usr/local/bin/server", program),
      ("/usr/local/lib/nsgi/hello_world_app.so", app), ("/var/empty", folder.path),
    ] {
      text = text.replacingOccurrences(of: fixed, with: actual)
    }
    let script = try Repository.text("docs/deploy/cgi/hello.cgi")
      .replacingOccurrences(of: "/usr/local/bin/server", with: program)
      .replacingOccurrences(of: "/usr/local/lib/nsgi/hello_world_app.so", with: app)
    _ = try folder.program(script, "cgi-bin/hello.cgi")
    return try folder.write(text, to: "site.conf")
  }

  private static func start(
    _ file: String, site: String, port: UInt16, folder: TemporaryFolder
  ) throws -> ChildProcess {
    switch file.split(separator: "/")[0] {
    case "lighttpd":
      let isWhole = file.hasSuffix("quick-start.conf")
      let main = isWhole ? site : try folder.write(lighttpd(site: site, port: port, folder), to: "main.conf")
      return try ChildProcess(try Program.lighttpd.path(), ["-D", "-f", main])
    case "nginx":
      let main = try folder.write(nginx(site: site, folder), to: "main.conf")
      for name in ["scgi_params", "uwsgi_params", "fastcgi_params"] {
        symlink("/etc/nginx/\(name)", folder.file(name))
      }
      return try ChildProcess(try Program.nginx.path(), ["-p", folder.path, "-c", main, "-e", "stderr"])
    case "apache":
      let main = try folder.write(apache(site: site, folder), to: "main.conf")
      return try ChildProcess(try Program.apache2.path(), ["-DFOREGROUND", "-d", folder.path, "-f", main])
    default:
      return try ChildProcess(try Program.haproxy.path(), ["-db", "-f", site])
    }
  }

  private static func waitUntilReady(_ process: ChildProcess, port: UInt16) throws {
    let address = Address.tcp(host: "127.0.0.1", port: port)
    _ = try process.waitForOutput("port \(port) open") { _ in try? RawSocket(address) }
  }

  /// What stands around a file of /etc/lighttpd/conf-enabled.
  private static func lighttpd(site: String, port: UInt16, _ folder: TemporaryFolder) -> String {
    """
    server.bind = "127.0.0.1"
    server.port = \(port)
    server.document-root = "\(folder.path)"
    server.upload-dirs = ( "\(folder.path)" )
    server.modules = ()
    include "\(site)"

    """
  }

  /// What stands around a file of /etc/nginx/sites-enabled.
  private static func nginx(site: String, _ folder: TemporaryFolder) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map { "  \($0)_temp_path \(folder.path)/\($0);" }.joined(separator: "\n")
    return """
      daemon off;
      master_process off;
      pid \(folder.path)/pid;
      error_log stderr;
      events {}
      http {
        access_log off;
        client_max_body_size 0;
      \(temporary)
        include \(site);
      }

      """
  }

  /// What stands around a file of /etc/apache2/sites-enabled.
  private static func apache(site: String, _ folder: TemporaryFolder) -> String {
    let modules = [
      "mpm_event", "authz_core", "env", "setenvif", "alias", "cgid", "proxy", "proxy_http", "proxy_fcgi",
      "proxy_scgi", "proxy_uwsgi",
    ]
    let loads = modules.map { "LoadModule \($0)_module /usr/lib/apache2/modules/mod_\($0).so" }
    return """
      ServerName localhost
      ServerRoot \(folder.path)
      DefaultRuntimeDir \(folder.path)
      PidFile \(folder.path)/pid
      ErrorLog /dev/stderr
      \(loads.joined(separator: "\n"))
      \(getuid() == 0 ? "User www-data\nGroup www-data" : "")
      ScriptSock \(folder.path)/cgisock
      StartServers 1
      ServerLimit 1
      ThreadsPerChild 25
      MaxRequestWorkers 25
      Include \(site)

      """
  }
}
