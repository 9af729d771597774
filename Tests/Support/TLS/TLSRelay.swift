// TLS between a test's plain sockets and a server: what a test says to the relay, the server hears sealed.
import Foundation

/// A process that takes connections on 127.0.0.1 and has one with TLS for each. An end without close_notify
/// is a reset for the test; the end of the test's own side goes past TLS.
public final class TLSRelay: Sendable {
  /// Where a test connects to.
  public let address: Address
  private let process: ChildProcess

  /// - Parameters:
  ///   - server: the server's socket, which has a certificate for `a.test`.
  ///   - name: what is asked for by ALPN: "h2" or "http/1.1".
  public init(_ server: Address, _ certificates: Certificates, speaking name: String) throws {
    let process = try ChildProcess(
      "/usr/bin/python3", TLSClient.words("relay", server, certificates) + [name])
    self.process = process
    let port: UInt16 = try process.waitForOutput("the relay's port") { output in
      guard output.hasSuffix("\n"), let line = output.split(separator: "\n").last else { return nil }
      return UInt16(line.dropFirst("port ".count))
    }
    address = .tcp(host: "127.0.0.1", port: port)
  }
}
