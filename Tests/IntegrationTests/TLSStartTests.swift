// Certificates and keys that cannot be used: one sentence each, before anything is served.
import Foundation
import Support
import Testing

@Suite struct TLSStartTests {
  private let certificates: Certificates
  init() throws {
    certificates = try Certificates()
    try certificates.make("a", hosts: "DNS:a.test")
    try certificates.make("b", hosts: "DNS:b.test")
  }

  /// What the start says, which has to fail with one sentence.
  private func sentence(_ options: [String], _ mode: [String]) throws -> String {
    let (exit, output) = try ServerProcess.run(["--app", Repository.app("environ")] + options + mode)
    #expect(exit == .status(1), "\(output)")
    let lines = output.split(separator: "\n").filter { !$0.contains("applications are loaded") }
    #expect(lines.count == 1, "\(output)")
    return output
  }

  private func file(_ name: String) -> String { certificates.folder.file(name) }

  private func socket(_ certificate: String, _ key: String) -> [String] {
    ["--https-socket", "127.0.0.1:0,\(file(certificate)),\(file(key))"]
  }

  @Test("each is named with what is wrong", arguments: [["--no-master"], ["-p", "1"]])
  func faults(mode: [String]) throws {
    #expect(try sentence(socket("none.pem", "a.key"), mode).contains("none.pem cannot be read (No such file"))
    #expect(
      try sentence(socket("a.pem", "none.key"), mode).contains("the key \(file("none.key")) cannot be read"))
    #expect(try sentence(socket("a.key", "a.key"), mode).contains("a.key holds no certificate"))
    #expect(try sentence(socket("a.pem", "a.pem"), mode).contains("a.pem holds no private key"))
    #expect(try sentence(socket("a.pem", "b.key"), mode).contains("b.key does not belong to the certificate"))
    try certificates.make("old", hosts: "DNS:a.test", days: 0)
    #expect(try sentence(socket("old.pem", "old.key"), mode).contains("old.pem has expired on"))
    #expect(try sentence(socket("", "a.key"), mode).contains("cannot be read (Is a directory)"))
    let ciphers = socket("a.pem", "a.key") + ["--tls-ciphers", "NONSENSE"]
    #expect(try sentence(ciphers, mode).contains("--tls-ciphers: OpenSSL cannot use \"NONSENSE\""))
    let clients = socket("a.pem", "a.key") + ["--tls-client-ca", file("a.key")]
    #expect(try sentence(clients, mode).contains("a.key hold no certificate"))
  }

  @Test("so is what is not valid yet, what is empty, and what names nobody")
  func furtherFaults() throws {
    let mode = ["--no-master"]
    try certificates.makeLater("later", of: "a")
    #expect(try sentence(socket("later.pem", "a.key"), mode).contains("later.pem is not valid before"))
    try "".write(toFile: file("empty"), atomically: true, encoding: .utf8)
    #expect(try sentence(socket("empty", "a.key"), mode).contains("empty holds no certificate"))
    #expect(try sentence(socket("a.pem", "empty"), mode).contains("empty holds no private key"))
    try certificates.make("nobody", hosts: "", subject: "/O=Nobody")
    let nobody = socket("nobody.pem", "nobody.key")
    #expect(try sentence(nobody, mode).contains("nobody.pem names no host (subjectAltName)"))
    let curves = socket("a.pem", "a.key") + ["--tls-curves", "P-257"]
    #expect(try sentence(curves, mode).contains("--tls-curves: OpenSSL cannot use \"P-257\""))
    let none = file("none.pem")
    let clients = socket("a.pem", "a.key") + ["--tls-client-ca", none]
    #expect(try sentence(clients, mode).contains("the file of client authorities \(none) cannot be read"))
  }

  @Test("an encrypted key is opened by a password in a file, and by no other")
  func passwords() throws {
    try certificates.run(
      "pkcs8", "-topk8", "-in", file("a.key"), "-out", file("locked.key"), "-passout", "pass:secret")
    for (name, text) in [("right", "secret\n"), ("wrong", "guess\n")] {
      try text.write(toFile: file(name), atomically: true, encoding: .utf8)
    }
    let locked = socket("a.pem", "locked.key")
    #expect(try sentence(locked, []).contains("locked.key is encrypted"))
    let wrong = locked + ["--tls-key-password-file", file("wrong")]
    #expect(try sentence(wrong, []).contains("the password does not open the key"))
    let server = try ServerProcess(locked + ["--tls-key-password-file", file("right"), "-p", "1"])
    let (url, trust) = certificates.curl("a.test", try server.address("https"))
    #expect(try Curl.get(url, trust).status == 200)
    #expect(try server.stop() == .status(0))
  }

  @Test("a key that the server's user may not read is named", arguments: [["--no-master"], ["-p", "1"]])
  func unreadable(mode: [String]) throws {
    try Root.require()
    // Where that user finds them; the library has to be beside the server.
    _ = try Reachable.path(try Certificates.library.get(), in: certificates.folder)
    let program = try Reachable.path(Repository.server, in: certificates.folder)
    let app = try Reachable.path(Repository.app("environ"), in: certificates.folder)
    chmod(file("a.pem"), 0o644)
    chmod(file("a.key"), 0o600)
    let (exit, output) = try ChildProcess.run(
      "/usr/bin/setpriv",
      ["--reuid", "54321", "--regid", "54321", "--clear-groups", "--", program, "--app", app]
        + socket("a.pem", "a.key") + mode)
    #expect(exit == .status(1), "\(output)")
    #expect(output.split(separator: "\n").count == 1, "\(output)")
    let reason = "the key \(file("a.key")) cannot be read (Permission denied)"
    #expect(output.contains(reason), "\(output)")
  }

  @Test("keys that only root reads are served by workers of another user")
  func users() throws {
    try Root.require()
    let library = try Reachable.path(try Certificates.library.get(), in: certificates.folder)
    let server = try ServerProcess(
      app: try Reachable.path(Repository.app("environ"), in: certificates.folder),
      socket("a.pem", "a.key")
        + ["-p", "2", "--uid", "54321", "--gid", "54321", "--plugins-dir"]
        + [URL(fileURLWithPath: library).deletingLastPathComponent().path])
    let (url, trust) = certificates.curl("a.test", try server.address("https"))
    #expect(try Curl.get(url, trust).status == 200)
    #expect(try server.stop() == .status(0))
  }
}
