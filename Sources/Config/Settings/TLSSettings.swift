// What TLS sockets present, and what they require of clients.

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

  /// Reads `FILE`, or `!FILE` if clients must have one, as uWSGI writes it.
  init(parsing text: String) throws(ValueError) {
    isRequired = text.utf8.first == UInt8(ascii: "!")
    authorities = isRequired ? String(text.dropFirst()) : text
    if authorities.isEmpty { throw .empty(example: "/etc/ssl/clients.pem") }
  }
}

/// The TLS settings for all sockets together.
public struct TLSSettings: Sendable, Equatable {
  /// The lowest version that clients may speak.
  public enum Version: String, Sendable, Equatable, CaseIterable {
    case v12 = "1.2"
    case v13 = "1.3"
  }

  /// Certificates of every socket, after its own; chosen by the name that a client asks for.
  public var identities: [TLSIdentity] = []
  /// Clients are asked for certificates; nil: they are not.
  public var clients: TLSClients?
  /// The most authorities between a client's certificate and one of `clients`.
  public var clientDepth = Limits.tlsClientDepth
  /// A file with lists of revoked client certificates (RFC 5280 §5); nil: none is used.
  public var revocations: String?
  /// Files with OCSP responses in DER (RFC 6960), each for one of the certificates.
  public var responses: [String] = []
  /// The lowest version.
  public var minimum = Version.v12
  /// Ciphers in OpenSSL's notation; nil: the default.
  public var ciphers: String?
  /// Groups for the key exchange in OpenSSL's notation; nil: the default.
  public var curves: String?
  /// A file whose first line is the password of encrypted keys.
  public var passwordFile: String?
  /// Hours after which session tickets get another key; tickets of the two previous keys are accepted too.
  public var ticketHours = 12
  /// How many seconds browsers use only TLS for this host (RFC 6797); nil: they are not told to.
  public var strictSeconds: Int?
}

/// How clients of plain HTTP are redirected to https (`--http-redirect`).
public struct RedirectSettings: Sendable, Equatable {
  /// The port that they are sent to; nil: that of the first https socket, or 443.
  public var port: UInt16?
  /// The directory with answers to the challenges of a certificate authority (RFC 8555 §8.3); nil: none.
  public var webroot: String?

  /// The defaults.
  public init(port: UInt16? = nil, webroot: String? = nil) { (self.port, self.webroot) = (port, webroot) }
}

/// A TLS socket's own settings: `ADDR,CERT,KEY,CIPHERS,CLIENT_CA`.
public struct TLSListenerSettings: Sendable, Equatable {
  /// Its default certificate; nil: the first of all sockets'.
  public var identity: TLSIdentity?
  /// They replace those of all sockets.
  public var ciphers: String?
  /// They replace those of all sockets.
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

  /// A socket asks clients for certificates.
  public var asksTLSClients: Bool { tlsListeners.contains { $0.clients ?? tls.clients != nil } }

  /// Both have the same TLS settings, whatever the files contain.
  public func saysTheSameOfTLS(as other: Settings) -> Bool {
    tls == other.tls && tlsListeners == other.tlsListeners
  }

  /// The files that TLS sockets need, each once.
  public var tlsFiles: [String] {
    var names: [String] = []
    for listener in tlsListeners {
      for identity in tlsIdentities(of: listener) { names += [identity.certificate, identity.key] }
      if let clients = listener.clients ?? tls.clients { names.append(clients.authorities) }
    }
    if !names.isEmpty {
      if asksTLSClients, let file = tls.revocations { names.append(file) }
      names += tls.responses
      if let file = tls.passwordFile { names.append(file) }
    }
    return names.enumerated().filter { !names[..<$0.offset].contains($0.element) }.map(\.element)
  }
}
