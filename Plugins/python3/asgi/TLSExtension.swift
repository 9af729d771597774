// The extension `tls` of ASGI (https://asgi.readthedocs.io/en/latest/specs/tls.html): what an application may
// know of the connection's encryption and of its client's certificate.
import CNSGI
import CPython
import Glibc

/// Makes its dict; the interpreter is locked.
enum TLSExtension {
  /// Adds it to a scope's extensions if the server has spoken TLS with the client, or its front end says that
  /// it did; false with an exception set.
  static func add(to extensions: Object, _ host: UnsafePointer<nsgi_host>, _ id: nsgi_id) -> Bool {
    func value(_ name: StaticString) -> String? {
      let found = ASGIScope.variable(host, id, name)
      guard let start = found.p, found.n > 0 else { return nil }
      return String(decoding: UnsafeRawBufferPointer(start: start, count: found.n), as: UTF8.self)
    }
    guard let version = value("SSL_PROTOCOL") else { return true }
    guard let tls = PyDict_New() else { return false }
    defer { py_release(tls) }
    let verified = value("SSL_CLIENT_VERIFY")
    return put(tls, "server_cert", none())
      && put(tls, "tls_version", number(versions.first { $0.name == version }?.number))
      && put(tls, "cipher_suite", number(value("SSL_CIPHER").flatMap(suite)))
      && put(tls, "client_cert_chain", chain(value("SSL_CLIENT_CERT")))
      && put(tls, "client_cert_name", text(value("SSL_CLIENT_S_DN")))
      && put(tls, "client_cert_error", text(verified?.hasPrefix("FAILED") == true ? verified : nil))
      && PyDict_SetItemString(extensions, "tls", tls) == 0
  }

  /// Sets a member to an object whose reference it takes.
  private static func put(_ dict: Object, _ name: String, _ value: Object?) -> Bool {
    guard let value else { return false }
    defer { py_release(value) }
    return PyDict_SetItemString(dict, name, value) == 0
  }

  private static func text(_ value: String?) -> Object? {
    guard var value else { return none() }
    return value.withUTF8 { bytes in
      let start = UnsafeRawPointer(bytes.baseAddress!).assumingMemoryBound(to: CChar.self)
      return PyUnicode_DecodeUTF8(start, bytes.count, "replace")
    }
  }

  private static func number(_ value: Int?) -> Object? { value.map { PyLong_FromLong($0) } ?? none() }

  /// A list with the certificate that the client has presented, or an empty one: the authorities'
  /// certificates that it sent along are not kept.
  private static func chain(_ certificate: String?) -> Object? {
    guard let certificate else { return PyList_New(0) }
    guard let list = PyList_New(1), let text = text(certificate) else { return nil }
    PyList_SetItem(list, 0, text)
    return list
  }

  /// Numbers of protocols (RFC 8446 §4.1.2, RFC 5246 appendix E).
  private static let versions: [(name: String, number: Int)] = [
    ("TLSv1.3", 0x0304), ("TLSv1.2", 0x0303), ("TLSv1.1", 0x0302), ("TLSv1", 0x0301),
  ]

  /// The number of a cipher suite by its name in OpenSSL; nil for one that is not in the list.
  private static func suite(_ name: String) -> Int? { suites.first { $0.name == name }?.number }

  /// Numbers of the suites that are negotiated today (IANA, "TLS Cipher Suites").
  private static let suites: [(name: String, number: Int)] = [
    ("TLS_AES_256_GCM_SHA384", 0x1302), ("TLS_AES_128_GCM_SHA256", 0x1301),
    ("TLS_CHACHA20_POLY1305_SHA256", 0x1303), ("TLS_AES_128_CCM_SHA256", 0x1304),
    ("TLS_AES_128_CCM_8_SHA256", 0x1305), ("ECDHE-ECDSA-AES128-GCM-SHA256", 0xc02b),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", 0xc02c), ("ECDHE-RSA-AES128-GCM-SHA256", 0xc02f),
    ("ECDHE-RSA-AES256-GCM-SHA384", 0xc030), ("ECDHE-RSA-CHACHA20-POLY1305", 0xcca8),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", 0xcca9), ("DHE-RSA-CHACHA20-POLY1305", 0xccaa),
    ("DHE-RSA-AES128-GCM-SHA256", 0x009e), ("DHE-RSA-AES256-GCM-SHA384", 0x009f),
    ("AES128-GCM-SHA256", 0x009c), ("AES256-GCM-SHA384", 0x009d),
  ]
}
