/// Names that the server itself reads. A reader classifies each name once; later look-ups are an index.
///
/// One value stands for both spellings of a thing: `Content-Length` as an HTTP field and
/// `CONTENT_LENGTH` as a CGI meta-variable (RFC 3875 §4.1) are both `.contentLength`.
@frozen public enum KnownName: UInt8, CaseIterable, Sendable {
  case other = 0
  // Meta-variables without a field of their own.
  case requestMethod, scriptName, pathInfo, queryString, requestURI, documentURI, serverProtocol
  case remoteAddr, remotePort, serverName, serverPort, serverAddr, serverSoftware, https, requestScheme, scgi
  /// The scheme in uWSGI's own words.
  case uwsgiScheme
  // Both a field and a meta-variable.
  case contentLength, contentType
  // HTTP fields; as meta-variables they carry HTTP_.
  case host, connection, transferEncoding, expect, upgrade, te, trailer, keepAlive, proxy, cookie
  case forwardedFor, forwardedProto, forwardedHost
  /// HTTP_CONTENT_LENGTH and HTTP_CONTENT_TYPE: duplicates that some front ends add; never shown to an app.
  case httpContentDouble
  /// `wsgi.…` and `nsgi.…`: what the server itself tells an app; never shown to one if they come from a peer.
  case reserved

  /// The known name of an HTTP field, whatever its case (RFC 9110 §5.1).
  public static func field(_ name: UnsafeRawBufferPointer) -> KnownName {
    switch name.count {
    case 2: Ascii.matches(name, "te") ? .te : .other
    case 4: Ascii.matches(name, "host") ? .host : .other
    case 5: Ascii.matches(name, "proxy") ? .proxy : .other
    case 6: Ascii.matches(name, "cookie") ? .cookie : Ascii.matches(name, "expect") ? .expect : .other
    case 7: Ascii.matches(name, "upgrade") ? .upgrade : Ascii.matches(name, "trailer") ? .trailer : .other
    case 10:
      Ascii.matches(name, "connection")
        ? .connection : Ascii.matches(name, "keep-alive") ? .keepAlive : .other
    case 12: Ascii.matches(name, "content-type") ? .contentType : .other
    case 14: Ascii.matches(name, "content-length") ? .contentLength : .other
    case 15: Ascii.matches(name, "x-forwarded-for") ? .forwardedFor : .other
    case 16: Ascii.matches(name, "x-forwarded-host") ? .forwardedHost : .other
    case 17:
      Ascii.matches(name, "transfer-encoding")
        ? .transferEncoding : Ascii.matches(name, "x-forwarded-proto") ? .forwardedProto : .other
    default: .other
    }
  }

  /// The known name of a CGI meta-variable; these are upper case already.
  @inline(__always)
  public static func variable(_ name: UnsafeRawBufferPointer) -> KnownName {
    if name.count > 5, let base = name.baseAddress {
      let fifth = name[4]
      if fifth == 0x5f, Ascii.begins(base, "HTTP") {
        return httpVariable(UnsafeRawBufferPointer(start: base + 5, count: name.count &- 5))
      }
      if fifth == 0x2e, Ascii.begins(base, "wsgi") || Ascii.begins(base, "nsgi") { return .reserved }
    }
    return switch name.count {
    case 4: Ascii.equals(name, "SCGI") ? .scgi : .other
    case 5: Ascii.equals(name, "HTTPS") ? .https : .other
    case 9: Ascii.equals(name, "PATH_INFO") ? .pathInfo : .other
    case 11: variableOf11(name)
    case 12:
      Ascii.equals(name, "QUERY_STRING")
        ? .queryString
        : Ascii.equals(name, "CONTENT_TYPE")
          ? .contentType
          : Ascii.equals(name, "DOCUMENT_URI")
            ? .documentURI : Ascii.equals(name, "UWSGI_SCHEME") ? .uwsgiScheme : .other
    case 14:
      Ascii.equals(name, "REQUEST_METHOD")
        ? .requestMethod
        : Ascii.equals(name, "CONTENT_LENGTH")
          ? .contentLength : Ascii.equals(name, "REQUEST_SCHEME") ? .requestScheme : .other
    case 15:
      Ascii.equals(name, "SERVER_PROTOCOL")
        ? .serverProtocol : Ascii.equals(name, "SERVER_SOFTWARE") ? .serverSoftware : .other
    default: .other
    }
  }

  /// The same for names of eleven bytes. There are seven, and the eighth byte leaves two at most.
  @inline(always)
  private static func variableOf11(_ name: UnsafeRawBufferPointer) -> KnownName {
    switch name[7] {
    case UInt8(ascii: "A"):
      Ascii.equals(name, "REMOTE_ADDR")
        ? .remoteAddr : Ascii.equals(name, "SERVER_ADDR") ? .serverAddr : .other
    case UInt8(ascii: "P"):
      Ascii.equals(name, "REMOTE_PORT")
        ? .remotePort : Ascii.equals(name, "SERVER_PORT") ? .serverPort : .other
    case UInt8(ascii: "N"):
      Ascii.equals(name, "SCRIPT_NAME")
        ? .scriptName : Ascii.equals(name, "SERVER_NAME") ? .serverName : .other
    default: Ascii.equals(name, "REQUEST_URI") ? .requestURI : .other
    }
  }

  private static func httpVariable(_ rest: UnsafeRawBufferPointer) -> KnownName {
    switch rest.count {
    case 2: Ascii.equals(rest, "TE") ? .te : .other
    case 4: Ascii.equals(rest, "HOST") ? .host : .other
    case 5: Ascii.equals(rest, "PROXY") ? .proxy : .other
    case 6: Ascii.equals(rest, "COOKIE") ? .cookie : Ascii.equals(rest, "EXPECT") ? .expect : .other
    case 7: Ascii.equals(rest, "UPGRADE") ? .upgrade : Ascii.equals(rest, "TRAILER") ? .trailer : .other
    case 10:
      Ascii.equals(rest, "CONNECTION") ? .connection : Ascii.equals(rest, "KEEP_ALIVE") ? .keepAlive : .other
    case 12: Ascii.equals(rest, "CONTENT_TYPE") ? .httpContentDouble : .other
    case 14: Ascii.equals(rest, "CONTENT_LENGTH") ? .httpContentDouble : .other
    case 15: Ascii.equals(rest, "X_FORWARDED_FOR") ? .forwardedFor : .other
    case 16: Ascii.equals(rest, "X_FORWARDED_HOST") ? .forwardedHost : .other
    case 17:
      Ascii.equals(rest, "TRANSFER_ENCODING")
        ? .transferEncoding : Ascii.equals(rest, "X_FORWARDED_PROTO") ? .forwardedProto : .other
    default: .other
    }
  }
}
