// What sockets that speak TLS present, and what they want of clients.

/// A certificate with its chain, and its key: files in PEM, which may be one and the same.
public struct TLSIdentity: Sendable, Equatable {
  /// The certificate, then those that lead to its authority.
  public var certificate: String
  /// Its private key.
  public var key: String

  /// The two files.
  public init(certificate: String, key: String) { (self.certificate, self.key) = (certificate, key) }
}

/// Authorities of client certificates: a file in PEM, and whether a client has to have one.
public struct TLSClients: Sendable, Equatable {
  /// The file.
  public var authorities: String
  /// A client without a certificate is refused.
  public var isRequired: Bool

  /// Reads `FILE`, or `!FILE` for clients that have to have one, as uWSGI writes it.
  init(parsing text: String) throws(ValueError) {
    isRequired = text.utf8.first == UInt8(ascii: "!")
    authorities = isRequired ? String(text.dropFirst()) : text
    if authorities.isEmpty { throw .empty(example: "/etc/ssl/clients.pem") }
  }
}

/// What is said of TLS for all sockets at once.
public struct TLSSettings: Sendable, Equatable {
  /// The lowest version that clients may speak.
  public enum Version: String, Sendable, Equatable, CaseIterable {
    case v12 = "1.2"
    case v13 = "1.3"
  }

  /// Certificates of every socket, behind its own; chosen by the name that a client asks for.
  public var identities: [TLSIdentity] = []
  /// Clients are asked for certificates; nil: they are not.
  public var clients: TLSClients?
  /// The lowest version.
  public var minimum = Version.v12
  /// Ciphers in OpenSSL's words; nil: the usual.
  public var ciphers: String?
  /// Groups for the key exchange in OpenSSL's words; nil: the usual.
  public var curves: String?
  /// A file whose first line opens encrypted keys.
  public var passwordFile: String?
  /// Hours after which session tickets get another key; those of two keys before are taken too.
  public var ticketHours = 12
  /// Seconds for which browsers ask this host over TLS alone (RFC 6797); nil: they are not told to.
  public var strictSeconds: Int?
}

/// How clients of plain HTTP are sent on to https (`--http-redirect`).
public struct RedirectSettings: Sendable, Equatable {
  /// The port that they are sent to; nil: that of the first https socket, or 443.
  public var port: UInt16?
  /// Below it lie answers to the challenges of a certificate authority (RFC 8555 §8.3); nil: nowhere.
  public var webroot: String?

  /// By itself it says nothing.
  public init(port: UInt16? = nil, webroot: String? = nil) { (self.port, self.webroot) = (port, webroot) }
}

/// What a socket with TLS has of its own: `ADDR,CERT,KEY,CIPHERS,CLIENT_CA`.
public struct TLSListenerSettings: Sendable, Equatable {
  /// Its default certificate; nil: the first of all sockets'.
  public var identity: TLSIdentity?
  /// In place of those of all sockets.
  public var ciphers: String?
  /// In place of those of all sockets.
  public var clients: TLSClients?
  /// HTTP is spoken over it.
  public var speaksHTTP = true
}

extension Settings {
  /// The sockets that speak TLS, in their order.
  public var tlsListeners: [TLSListenerSettings] { listeners.compactMap(\.tls) }

  /// The certificates of a socket, its default first.
  public func tlsIdentities(of listener: TLSListenerSettings) -> [TLSIdentity] {
    (listener.identity.map { [$0] } ?? []) + tls.identities
  }

  /// The files that sockets with TLS need, each once.
  public var tlsFiles: [String] {
    var names: [String] = []
    for listener in tlsListeners {
      for identity in tlsIdentities(of: listener) { names += [identity.certificate, identity.key] }
      if let clients = listener.clients ?? tls.clients { names.append(clients.authorities) }
    }
    if !names.isEmpty, let file = tls.passwordFile { names.append(file) }
    return names.enumerated().filter { !names[..<$0.offset].contains($0.element) }.map(\.element)
  }
}
