// Queries that CGI front ends make arguments of, before the programs that an operator may write.
import Foundation
import Support
import Testing

/// A web server whose cgi-bin holds the server in every form of a program.
private final class CGIFrontEnd {
  enum Kind: String, CaseIterable {
    case apacheCGI = "Apache mod_cgi"
    case apacheCGID = "Apache mod_cgid"
    case lighttpd = "lighttpd mod_cgi"
  }

  let folder: TemporaryFolder
  let process: ChildProcess
  let url: String
  private let address: Address

  init(_ kind: Kind, options: [(String, String)] = []) throws {
    folder = try TemporaryFolder()
    let port = try FreePort.any()
    try folder.folder("cgi-bin")
    let server = try Reachable.path(Repository.server, in: folder)
    let plugin =
      URL(fileURLWithPath: Repository.server).deletingLastPathComponent().path + "/libpython3_plugin.so"
    _ = try Reachable.path(plugin, in: folder)
    symlink(server, folder.file("server"))
    let app = try Reachable.path(Repository.app("environ"), in: folder)
    let words = "--cgi --app \(app) --limit-post 10"
    for (name, text) in [
      ("line", "#!\(server) \(words)"),
      ("env", "#!/usr/bin/env -S server \(words)"),
      ("python", "#!/usr/bin/env -S server --plugin python3 --limit-post 10 --wsgi-file\n" + Self.wsgi),
      ("wrapper", "#!/bin/sh\nexec \(server) \(words)"),
      ("passing", "#!/bin/sh\nexec \(server) \(words) \"$@\""),
      ("sourcing", "#!/bin/sh\n. \(folder.file("common.sh"))"),
      (
        "loop",
        "#!/bin/sh\nwords='\(words)'\nfor word; do words=\"$words $word\"; done\nexec \(server) $words"
      ),
      (
        "perl",
        "#!/usr/bin/perl\nexec '\(server)', qw(\(words)), map { pack 'A*', $_ } @{'AR' . 'GV'};"
      ),
      ("counting", "#!/bin/sh\nNSGI_ARGUMENTS=5 exec \(server) \(words) \"$@\""),
    ] {
      _ = try folder.program(text + "\n", "cgi-bin/\(name)")
    }
    try folder.write("exec \(server) \(words) \"$@\"\n", to: "common.sh")
    symlink(server, folder.file("cgi-bin/program"))
    try Self.compile(folder, "execv(\"\(server)\", arguments)", words.split(separator: " ").map(String.init))
    let variables =
      [("PATH", "\(folder.path):/usr/bin:/bin")] + options.map { $0.0 == "NSGI_APP" ? ($0.0, app) : $0 }
    let configuration =
      kind == .lighttpd
      ? Self.lighttpd(folder, port, variables) : Self.apache(kind, folder, port, variables)
    let main = try folder.write(configuration, to: "main.conf")
    process =
      kind == .lighttpd
      ? try ChildProcess(try Program.lighttpd.path(), ["-D", "-f", main])
      : try ChildProcess(try Program.apache2.path(), ["-DFOREGROUND", "-d", folder.path, "-f", main])
    url = "http://127.0.0.1:\(port)/bin"
    let address = Address.tcp(host: "127.0.0.1", port: port)
    self.address = address
    _ = try process.waitForOutput("port \(port)") { _ in try? RawSocket(address) }
  }

  func get(_ target: String) throws -> Reply {
    try RawSocket(address).ask("/bin/\(target)")
  }

  private static let wsgi = """
    def application(environ, start_response):
        environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"QUERY_STRING={environ['QUERY_STRING']}\\n".encode()]
    """

  /// A compiled program that runs the server with words of its own and what it was given.
  private static func compile(_ folder: TemporaryFolder, _ call: String, _ words: [String]) throws {
    let list = words.map { "\"\($0)\"" }.joined(separator: ", ")
    let text = """
      #include <unistd.h>
      int main(int count, char **given) {
        char *arguments[count + \(words.count + 1)], *own[] = {\(list)};
        arguments[0] = "server";
        for (int i = 0; i < \(words.count); i++) arguments[1 + i] = own[i];
        for (int i = 1; i <= count; i++) arguments[\(words.count) + i] = given[i];
        return \(call);
      }

      """
    let source = try folder.write(text, to: "compiled.c")
    let program = folder.file("cgi-bin/compiled")
    let (exit, output) = try ChildProcess.run("/usr/bin/cc", ["-o", program, source])
    guard exit == .status(0) else { throw SupportError.ended(program: program, exit: exit, output: output) }
  }

  /// Options for the program that has no words of its own.
  static let variables = [("NSGI_APP", Repository.app("environ")), ("NSGI_LIMIT_POST", "10")]

  private static func apache(
    _ kind: Kind, _ folder: TemporaryFolder, _ port: UInt16, _ variables: [(String, String)]
  ) -> String {
    let isEvent = kind == .apacheCGID
    let modules =
      ["authz_core", "env", "alias"] + (isEvent ? ["mpm_event", "cgid"] : ["mpm_prefork", "cgi"])
    let loads = modules.map { "LoadModule \($0)_module /usr/lib/apache2/modules/mod_\($0).so" }
    return """
      Listen 127.0.0.1:\(port)
      ServerName localhost
      DefaultRuntimeDir \(folder.path)
      PidFile \(folder.path)/pid
      ErrorLog /dev/stderr
      \(loads.joined(separator: "\n"))
      \(getuid() == 0 ? "User www-data\nGroup www-data" : "")
      \(isEvent ? "ScriptSock \(folder.path)/cgisock" : "")
      \(variables.map { "SetEnv \($0) \($1)" }.joined(separator: "\n"))
      ScriptAlias "/bin" "\(folder.path)/cgi-bin"
      <Directory "\(folder.path)/cgi-bin">
        Require all granted
      </Directory>

      """
  }

  private static func lighttpd(
    _ folder: TemporaryFolder, _ port: UInt16, _ variables: [(String, String)]
  ) -> String {
    """
    server.modules = ( "mod_alias", "mod_setenv", "mod_cgi" )
    server.bind = "127.0.0.1"
    server.port = \(port)
    server.document-root = "\(folder.path)"
    server.upload-dirs = ( "\(folder.path)" )
    server.http-parseopts = ( "url-ctrls-reject" => "disable", "url-normalize" => "disable" )
    alias.url = ( "/bin" => "\(folder.path)/cgi-bin" )
    cgi.assign = ( "" => "" )
    setenv.add-environment = (
      \(variables.map { "\"\($0)\" => \"\($1)\"" }.joined(separator: ", ")) )

    """
  }
}

@Suite struct CGIArgumentTests {
  /// What a client would like the server to do: load a library of its choice, or a configuration that it
  /// sends itself, listen, run another command, forget its limits.
  private static let queries = [
    "--ini%00+/dev/stdin", "--ini+/dev/stdin", "--limit-post+1000", "--limit-post%001000",
    "--limit-post=1000", "-L", "--app+/tmp/evil.so", "%2d%2dapp%20/tmp/evil.so", "--app%0a+/tmp/evil.so",
    "--help", "--version",
    "--http-socket+:0", "\\--ini+/dev/stdin", "check+/tmp/evil.so", "supervised-child", "+", "a+b", "10",
    "--+--ini+/dev/stdin", "/dev/stdin.ini", "%ff%fe+--ini+/dev/stdin", "--show-config", "--cgi+--cgi",
  ]

  /// An app of the client's choice, which would run its field X as a command.
  private static func configuration(_ name: String) -> [UInt8] {
    Array("[server]\napp = /bin/\(name)=libc.so.6:system(http_x: cstr) -> i32\n".utf8)
  }

  @Test(
    "no query is an option of a CGI program, whatever its form",
    arguments: CGIFrontEnd.Kind.allCases, ["line", "env", "python", "wrapper", "program", "counting"])
  fileprivate func hostileQueries(_ kind: CGIFrontEnd.Kind, _ form: String) throws {
    let frontEnd = try CGIFrontEnd(kind, options: form == "program" ? CGIFrontEnd.variables : [])
    let marker = frontEnd.folder.file("marker")
    for query in Self.queries {
      let reply = try frontEnd.get("\(form)/x?\(query)")
      #expect(reply.status == 200, "\(query): \(reply.text) \(frontEnd.process.output)")
      let report = reply.text.split(separator: "\n")
      #expect(report.contains { $0.hasPrefix("QUERY_STRING=") }, "\(query): \(reply.text)")
    }
    for query in Self.queries.prefix(5) {
      let body = Self.configuration(form)
      let options = ["-H", "X: touch \(marker)"]
      let sent = try Curl.post("\(frontEnd.url)/\(form)/x?\(query)", body, options)
      #expect(sent.status == 413, "\(query): \(sent.text) \(frontEnd.process.output)")
      // In chunks; some front ends take it amiss when the program refuses those.
      let chunked = options + ["-H", "Transfer-Encoding: chunked"]
      _ = try? Curl.post("\(frontEnd.url)/\(form)/x?\(query)", body, chunked)
    }
    #expect(access(marker, F_OK) != 0)
    _ = try frontEnd.process.stop()
  }

  @Test(
    "whoever may pass its arguments on is refused where the query may be among them",
    arguments: CGIFrontEnd.Kind.allCases, ["passing", "sourcing", "loop", "perl", "compiled"])
  fileprivate func passedOn(_ kind: CGIFrontEnd.Kind, _ form: String) throws {
    let frontEnd = try CGIFrontEnd(kind)
    let marker = frontEnd.folder.file("marker")
    #expect(try frontEnd.get("\(form)?a=b").status == 200)
    // Decoded, a byte that is no UTF-8 is another text than in the query.
    for query in ["--ini+/dev/stdin", "--ini%00+/dev/stdin", "a+b", "--ini%3d/dev/stdin:%fe", "%fe"] {
      // lighttpd passes nothing: words that are none of the arguments, as they stand, harm nobody.
      let status = kind == .lighttpd && query == "a+b" ? 200 : 500
      #expect(try frontEnd.get("\(form)?\(query)").status == status, "\(query)")
      let section = query.hasSuffix("%fe") ? "[\u{fffd}]" : "[server]"
      let body = Array("\(section)\napp = /bin/\(form)=libc.so.6:system(http_x: cstr) -> i32\n".utf8)
      let options = ["-H", "X: touch \(marker)", "-H", "Transfer-Encoding: chunked"]
      _ = try? Curl.post("\(frontEnd.url)/\(form)?\(query)", body, options)
    }
    #expect(access(marker, F_OK) != 0)
    #expect(frontEnd.process.output.contains("set NSGI_ARGUMENTS"), "\(frontEnd.process.output)")
    _ = try frontEnd.process.stop()
  }

  @Test("a body in chunks reaches a CGI program whole", arguments: CGIFrontEnd.Kind.allCases)
  fileprivate func chunks(_ kind: CGIFrontEnd.Kind) throws {
    let frontEnd = try CGIFrontEnd(kind)
    for body in ["hello", "0123456789", "x"] {
      let reply = try Curl.post(
        "\(frontEnd.url)/line", Array(body.utf8), ["-H", "Transfer-Encoding: chunked"])
      let report = try EnvironReport(reply)
      #expect(report.bodyLength == body.utf8.count, "\(frontEnd.process.output)")
      #expect(report["CONTENT_LENGTH"] == "\(body.utf8.count)")
    }
    _ = try frontEnd.process.stop()
  }

  @Test("a client's Proxy field does not reach the environment of a CGI program")
  func proxyField() throws {
    let (exit, output) = try ChildProcess.run(
      Repository.server, ["--cgi", "-L", "--app", try FixtureApp.path("getenv")],
      environment: [
        "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "QUERY_STRING": "",
        "HTTP_PROXY": "http://evil.example", "HTTP_X": "kept",
      ])
    #expect(exit == .status(0))
    #expect(output.hasSuffix("HTTP_PROXY absent, HTTP_X kept"), "\(output)")
  }

  @Test("a CGI program takes no role of a child, whatever its descriptors are")
  func noRole() throws {
    let (exit, output) = try ChildProcess.run(
      Repository.server, ["supervised-child"],
      environment: ["GATEWAY_INTERFACE": "CGI/1.1", "QUERY_STRING": "supervised-child"])
    #expect(exit == .status(1))
    #expect(output.contains("no application"), "\(output)")
  }
}
