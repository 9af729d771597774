import Testing

@testable import Config

@Suite struct TLSOptionTests {
  private func settings(_ words: String...) throws -> Settings {
    try served(try invoke(["--app", "a.so"] + words))
  }

  /// All options that the tests here give.
  static let names = [
    "https-socket", "https", "tls-cert", "tls-key", "tls-key-password-file", "tls-client-ca", "tls-min",
    "tls-ciphers", "tls-curves", "tls-ticket-hours", "suwsgi-socket", "ssl-socket", "http-redirect",
    "http-redirect-port", "acme-webroot", "hsts", "tls-verify-depth", "tls-crl", "tls-ocsp",
  ]

  @Test("what is said for all sockets")
  func common() throws {
    let tls = try settings(
      "--https-socket", ":443", "--tls-cert", "c", "--tls-key", "k", "--tls-client-ca", "!ca", "--tls-min",
      "1.3",
      "--tls-ciphers", "HIGH", "--tls-curves", "P-256", "--tls-ticket-hours", "3"
    ).tls
    #expect(tls.identities == [TLSIdentity(certificate: "c", key: "k")])
    #expect(tls.clients?.authorities == "ca" && tls.clients?.isRequired == true)
    #expect(tls.minimum == .v13 && tls.ciphers == "HIGH" && tls.curves == "P-256" && tls.ticketHours == 3)
  }

  @Test("uWSGI's form: address, certificate, key, ciphers, authorities")
  func uwsgiForm() throws {
    let settings = try settings("--https", ":443,c.pem,k.pem,HIGH,!ca.pem")
    let listener = settings.listeners[0]
    #expect(listener.gateway == .https && listener.address == .inet(host: "", port: 443))
    #expect(listener.tls?.identity == TLSIdentity(certificate: "c.pem", key: "k.pem"))
    #expect(listener.tls?.ciphers == "HIGH")
    #expect(listener.tls?.clients?.authorities == "ca.pem" && listener.tls?.clients?.isRequired == true)
    #expect(settings.tlsFiles == ["c.pem", "k.pem", "ca.pem"])
  }

  @Test("certificates of all sockets stand behind a socket's own; one file may hold both parts")
  func identities() throws {
    let settings = try settings(
      "--https-socket", ":443", "--https-socket", ":8443,c.pem,k.pem,,ca.pem", "--tls-cert", "a.pem",
      "--tls-cert", "b.pem", "--tls-key-password-file", "p")
    let all = settings.tlsListeners.map { settings.tlsIdentities(of: $0).map(\.certificate) }
    #expect(all == [["a.pem", "b.pem"], ["c.pem", "a.pem", "b.pem"]])
    #expect(settings.tls.identities.allSatisfy { $0.certificate == $0.key })
    #expect(settings.tlsListeners[1].ciphers == nil && settings.tlsListeners[1].clients?.isRequired == false)
    #expect(settings.tlsFiles == ["a.pem", "b.pem", "c.pem", "k.pem", "ca.pem", "p"])
  }

  @Test("uwsgi over TLS, and sockets that send on")
  func beside() throws {
    let settings = try settings(
      "--ssl-socket", ":8443,c.pem,k.pem", "--http-redirect", ":80", "--http-redirect-port", "444",
      "--acme-webroot", "/w", "--hsts", "60")
    #expect(settings.listeners.map(\.gateway) == [.suwsgi, .redirect])
    #expect(settings.redirect == RedirectSettings(port: 444, webroot: "/w"))
    #expect(settings.tls.strictSeconds == 60 && settings.tlsFiles == ["c.pem", "k.pem"])
  }

  @Test("what is said of clients and by authorities, in files that are read too")
  func trust() throws {
    let old = try settings(
      "--https-socket", ":443,c.pem,k.pem", "--tls-client-ca", "ca.pem", "--tls-verify-depth", "3",
      "--tls-crl",
      "crl.pem", "--tls-ocsp", "c.ocsp", "--tls-ocsp", "d.ocsp")
    #expect(old.tls.clientDepth == 3 && old.tls.revocations == "crl.pem")
    #expect(old.tls.responses == ["c.ocsp", "d.ocsp"] && old.asksTLSClients)
    #expect(old.tlsFiles == ["c.pem", "k.pem", "ca.pem", "crl.pem", "c.ocsp", "d.ocsp"])
    let other = try settings("--https-socket", ":443,c.pem,k.pem", "--tls-ocsp", "c.ocsp")
    #expect(other.tls.clientDepth == 1 && !other.asksTLSClients)
    #expect(!old.saysTheSameOfTLS(as: other) && other.saysTheSameOfTLS(as: other))
  }

  @Test("another certificate is no other socket; another address is")
  func changes() throws {
    let old = try settings("--https-socket", ":443,c.pem,k.pem")
    #expect(Settings.fixed(old, try settings("--https-socket", ":443,d.pem,k.pem")).isEmpty)
    #expect(Settings.fixed(old, try settings("--https-socket", ":444,c.pem,k.pem")) == ["the sockets"])
    #expect(Settings.fixed(old, try settings("--http-socket", ":443")) == ["the sockets"])
  }

  @Test("halves of the form are refused", arguments: [":443,c.pem", ":443,c.pem,,HIGH", ":443,a,b,c,d,e"])
  func halves(value: String) {
    #expect(throws: ConfigError.self) { try settings("--https-socket", value) }
  }
}
