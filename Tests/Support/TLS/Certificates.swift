// Certificates for one test, made by openssl(1) at its time: an authority, and what it signs.
import Foundation

/// A folder with an authority of its own.
public final class Certificates: Sendable {
  /// Everything lies in it.
  public let folder: TemporaryFolder
  /// The authority's certificate.
  public var authority: String { folder.file("ca.pem") }

  /// The library that the server under test loads; older than its sources, it is not the one to be tested.
  public static let library: Result<String, SupportError> = {
    let folder = URL(fileURLWithPath: Repository.server).deletingLastPathComponent().path
    let path = "\(folder)/libnsgi_tls.so"
    guard let reason = Staleness.reason(of: path, sources: ["\(Repository.root)/Plugins/tls"]) else {
      return .success(path)
    }
    let fix = "use: swift build -c release --product nsgi_tls"
    return .failure(.malformedReply("\(path) \(reason); \(fix)"))
  }()

  /// Makes the authority.
  public init() throws {
    _ = try Self.library.get()
    folder = try TemporaryFolder()
    try run(
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
      "-subj", "/CN=Authority of the tests", "-keyout", folder.file("ca.key"), "-out", authority)
  }

  /// Runs openssl(1); its failure is the test's.
  @discardableResult
  public func run(_ words: String...) throws -> String { try run(words) }

  func run(_ words: [String]) throws -> String {
    let (exit, output) = try ChildProcess.run(
      "/usr/bin/openssl", words, environment: ["OPENSSL_CONF": "/dev/null"])
    guard exit == .status(0) else {
      throw SupportError.ended(program: "openssl \(words[0])", exit: exit, output: output)
    }
    return output
  }

  /// Makes NAME.pem and NAME.key, signed by an authority.
  ///
  /// - Parameters:
  ///   - hosts: subjectAltName, as `DNS:a.test,DNS:*.b.test`; empty for none.
  ///   - key: "ec", "rsa" or "rsa:BITS".
  ///   - days: how long it is valid from now on; 0: it has expired.
  ///   - authority: the name of its files; that of all tests, or one that was made here.
  ///   - signs: it is one itself.
  public func make(
    _ name: String, hosts: String, subject: String = "/CN=test", key: String = "ec", days: Int = 2,
    authority: String = "ca", signs: Bool = false
  ) throws {
    let (pem, file, asked) = (
      folder.file("\(name).pem"), folder.file("\(name).key"), folder.file("\(name).csr")
    )
    let kind =
      key == "ec"
      ? ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] : [key == "rsa" ? "rsa:2048" : key]
    _ = try run(
      ["req", "-new", "-newkey"] + kind + ["-nodes", "-subj", subject, "-keyout", file, "-out", asked])
    let extensions = folder.file("\(name).ext")
    let own = hosts.isEmpty ? "basicConstraints=CA:FALSE\n" : "subjectAltName=\(hosts)\n"
    let text = signs ? "basicConstraints=critical,CA:TRUE\n" : own
    try text.write(toFile: extensions, atomically: true, encoding: .utf8)
    _ = try run([
      "x509", "-req", "-in", asked, "-CA", folder.file("\(authority).pem"), "-CAkey",
      folder.file("\(authority).key"), "-CAcreateserial", "-days", "\(days)", "-extfile", extensions, "-out",
      pem,
    ])
  }

  /// The value of --https-socket for a certificate of the folder, on any port.
  public func socket(_ name: String, _ rest: String = "") -> String {
    "127.0.0.1:0,\(folder.file("\(name).pem")),\(folder.file("\(name).key"))\(rest)"
  }

  /// Options by which curl believes the authority, and takes a name of its certificates for the address.
  public func curl(_ name: String, _ address: Address) -> (url: String, options: [String]) {
    (
      "https://\(name):\(address.port)",
      ["--cacert", authority, "--resolve", "\(name):\(address.port):127.0.0.1"]
    )
  }
}

/// The client of Tests/Fixtures/clients/tls_client.py.
public enum TLSClient {
  /// Runs one of its commands; what it has said.
  public static func run(
    _ command: String, _ address: Address, _ certificates: Certificates, _ words: String...,
    deadline: Deadline = .usual
  ) throws -> String {
    let (exit, output) = try ChildProcess.run(
      "/usr/bin/python3", self.words(command, address, certificates) + words, deadline: deadline)
    guard exit == .status(0) else {
      throw SupportError.ended(program: "tls_client.py \(command)", exit: exit, output: output)
    }
    return output
  }

  /// The words of a command, for one that goes on beside the test.
  public static func words(_ command: String, _ address: Address, _ certificates: Certificates) -> [String] {
    [
      "\(Repository.root)/Tests/Fixtures/clients/tls_client.py", command, "\(address)",
      certificates.authority,
      "a.test",
    ]
  }
}
