// TLS for sockets that speak HTTP: certificates, clients, and what is negotiated.

let tlsOptions = OptionGroup(
  title: "TLS (files in PEM, read before the user changes, and again by a reload)",
  options: [
    OptionSpec(
      "https-socket", aliases: ["https"], repeats: true, "listen for HTTP/1.1 over TLS",
      .value(placeholder: "ADDR[,CERT,KEY[,CIPHERS[,[!]CA]]]") { (draft, text) throws(ValueError) in
        try draft.listenSecurely(text, .https)
      }),
    OptionSpec(
      "suwsgi-socket", aliases: ["ssl-socket"], repeats: true,
      "listen for the uwsgi protocol over TLS (nginx: uwsgi_pass suwsgi://ADDR)",
      .value(placeholder: "ADDR[,CERT,KEY[,CIPHERS[,[!]CA]]]") { (draft, text) throws(ValueError) in
        try draft.listenSecurely(text, .suwsgi)
      }),
    OptionSpec(
      "http-redirect", repeats: true, "listen for HTTP/1.1 and send every request on to https",
      .value(placeholder: "ADDR") { (draft, text) throws(ValueError) in try draft.listen(text, .redirect) }),
    OptionSpec(
      "http-redirect-port", "the port that it sends to; without: that of the first https socket, or 443",
      .value(placeholder: "PORT") { (draft, text) throws(ValueError) in
        draft.settings.redirect.port = UInt16(try Value.number(text, 1...65_535))
      }),
    OptionSpec(
      "acme-webroot", "answer /.well-known/acme-challenge/ there from files below DIR (certbot --webroot)",
      .value(placeholder: "DIR") { (draft, text) throws(ValueError) in
        draft.settings.redirect.webroot = try Value.text(text, example: "/var/www/acme")
      }),
    OptionSpec(
      "hsts", "tell browsers to ask this host over TLS alone for so long (Strict-Transport-Security)",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.tls.strictSeconds = Int(try Value.number(text, 0...63_072_000))
      }),
    OptionSpec(
      "tls-cert", repeats: true,
      "a certificate with its chain, for all sockets with TLS; several are chosen from by name",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.tlsCertificates.append(try Value.text(text, example: "/etc/ssl/example.pem"))
      }),
    OptionSpec(
      "tls-key", repeats: true,
      "its key, the first for the first certificate; without any: in the same files",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.tlsKeys.append(try Value.text(text, example: "/etc/ssl/example.key"))
      }),
    OptionSpec(
      "tls-key-password-file", "a file whose first line opens encrypted keys",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.settings.tls.passwordFile = try Value.text(text, example: "/etc/ssl/example.password")
      }),
    OptionSpec(
      "tls-client-ca", "ask clients for certificates of these authorities; with ! those without are refused",
      .value(placeholder: "[!]FILE") { (draft, text) throws(ValueError) in
        draft.settings.tls.clients = try TLSClients(parsing: text)
      }),
    OptionSpec(
      "tls-verify-depth", default: "\(Limits.tlsClientDepth)",
      "authorities between a client's certificate and one of --tls-client-ca, at most",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        draft.settings.tls.clientDepth = Int(try Value.number(text, 0...100))
      }),
    OptionSpec(
      "tls-crl", "refuse clients whose certificates a list in FILE revokes; one for each authority (CRL)",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.settings.tls.revocations = try Value.text(text, example: "/etc/ssl/clients.crl")
      }),
    OptionSpec(
      "tls-ocsp", repeats: true,
      "present this answer of an authority beside the certificate that it is about (DER; OCSP stapling)",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.settings.tls.responses.append(try Value.text(text, example: "/etc/ssl/example.ocsp"))
      }),
    OptionSpec(
      "tls-min", default: "1.2", "the lowest version of TLS: 1.2 or 1.3",
      .value(placeholder: "VERSION") { (draft, text) throws(ValueError) in
        guard let version = TLSSettings.Version(rawValue: text) else {
          throw .unknownWord(text, known: TLSSettings.Version.allCases.map(\.rawValue))
        }
        draft.settings.tls.minimum = version
      }),
    OptionSpec(
      "tls-ciphers", "ciphers in the words of openssl-ciphers(1); those of TLS 1.3 begin with TLS_",
      .value(placeholder: "LIST") { (draft, text) throws(ValueError) in
        draft.settings.tls.ciphers = try Value.text(text, example: "ECDHE+AESGCM:ECDHE+CHACHA20")
      }),
    OptionSpec(
      "tls-curves", default: "X25519:P-256:P-384", "groups for the key exchange",
      .value(placeholder: "LIST") { (draft, text) throws(ValueError) in
        draft.settings.tls.curves = try Value.text(text, example: "X25519:P-256")
      }),
    OptionSpec(
      "tls-ticket-hours", default: "\(TLSSettings().ticketHours)",
      "hours after which session tickets get another key",
      .value(placeholder: "N") { (draft, text) throws(ValueError) in
        draft.settings.tls.ticketHours = try Value.number(text, 1...56)
      }),
  ])

extension Draft {
  /// `ADDR[,CERT,KEY[,CIPHERS[,[!]CA]]]`, uWSGI's form; parts in the middle may be empty.
  mutating func listenSecurely(_ text: String, _ gateway: ListenerProtocol) throws(ValueError) {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard parts.count <= 5, parts.count != 2, !(parts.count > 2 && parts[1].isEmpty != parts[2].isEmpty)
    else {
      throw .programWithout(text, "127.0.0.1:8443,/etc/ssl/example.pem,/etc/ssl/example.key")
    }
    var tls = TLSListenerSettings()
    tls.speaksHTTP = gateway == .https
    if parts.count > 2, !parts[1].isEmpty { tls.identity = TLSIdentity(certificate: parts[1], key: parts[2]) }
    if parts.count > 3, !parts[3].isEmpty { tls.ciphers = parts[3] }
    if parts.count > 4, !parts[4].isEmpty { tls.clients = try TLSClients(parsing: parts[4]) }
    try listen(parts[0], gateway)
    settings.listeners[settings.listeners.count - 1].tls = tls
  }

  /// Gives each certificate its key, and checks that every TLS socket has one.
  mutating func finishTLS() throws(ConfigError) {
    guard tlsKeys.isEmpty || tlsKeys.count == tlsCertificates.count else {
      throw .tlsKeys(certificates: tlsCertificates.count, keys: tlsKeys.count)
    }
    for (index, certificate) in tlsCertificates.enumerated() {
      let key = tlsKeys.isEmpty ? certificate : tlsKeys[index]
      settings.tls.identities.append(TLSIdentity(certificate: certificate, key: key))
    }
    for listener in settings.listeners {
      guard let tls = listener.tls, settings.tlsIdentities(of: tls).isEmpty else { continue }
      throw .tlsWithoutCertificate(listener.address)
    }
    if let directory = settings.redirect.webroot,
      !settings.listeners.contains(where: { $0.gateway == .redirect })
    {
      throw .challengesWithoutSocket(directory: directory)
    }
    if let seconds = settings.tls.strictSeconds, settings.tlsListeners.isEmpty {
      throw .strictWithoutSocket(seconds: seconds)
    }
    if let file = settings.tls.revocations, !settings.asksTLSClients {
      throw .revocationsWithoutClients(file: file)
    }
    if let file = settings.tls.responses.first, settings.tlsListeners.isEmpty {
      throw .tlsWithoutSocket(certificate: file)
    }
    if let certificate = tlsCertificates.first, settings.tlsListeners.isEmpty {
      throw .tlsWithoutSocket(certificate: certificate)
    }
  }
}
