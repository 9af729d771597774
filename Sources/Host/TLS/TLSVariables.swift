import CNSGI
import CTLS
import Wire

/// What Apache and uWSGI tell applications about TLS, for code that asks for a request's variables.
enum TLSVariables {
  private static let names: [(StaticString, ctls_fact)] = [
    ("SSL_PROTOCOL", CTLS_PROTOCOL), ("SSL_CIPHER", CTLS_CIPHER), ("SSL_TLS_SNI", CTLS_SERVER_NAME),
    ("SSL_SESSION_RESUMED", CTLS_RESUMED), ("SSL_CLIENT_VERIFY", CTLS_CLIENT_VERIFY),
    ("SSL_CLIENT_S_DN", CTLS_CLIENT_SUBJECT), ("SSL_CLIENT_I_DN", CTLS_CLIENT_ISSUER),
    ("SSL_CLIENT_M_SERIAL", CTLS_CLIENT_SERIAL), ("SSL_CLIENT_V_START", CTLS_CLIENT_BEGINS),
    ("SSL_CLIENT_V_END", CTLS_CLIENT_ENDS), ("SSL_CLIENT_CERT", CTLS_CLIENT_CERTIFICATE),
    ("HTTPS_DN", CTLS_CLIENT_SUBJECT), ("HTTPS_CC", CTLS_CLIENT_CERTIFICATE),
    ("HTTPS_CLIENT_CERTIFICATE", CTLS_CLIENT_CERTIFICATE),
  ]

  /// The most there can be.
  static var count: Int { names.count }

  /// Calls `body` with each existing one. Their texts live as long as the connection.
  static func each(_ carrier: Carrier, _ body: (StaticString, Text) -> Void) {
    for (name, which) in names {
      guard let text = carrier.fact(which) else { continue }
      let bytes = UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self)
      var count = 0
      while bytes[count] != 0 { count += 1 }
      body(name, Text(bytes, count))
    }
  }
}
