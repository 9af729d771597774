// The scope of an HTTP request (ASGI 3, "HTTP Connection Scope").
import CNSGI
import CPython
import Glibc

/// Makes scopes; the interpreter is locked.
enum ASGIScope {
  /// The members that every scope has: copied for each.
  private nonisolated(unsafe) static var template: Object!
  private nonisolated(unsafe) static var versions: Object!
  /// Names of the extensions that every request has, and of those that depend on its client.
  private nonisolated(unsafe) static var extensions: [Object] = []
  private nonisolated(unsafe) static var hints: Object!
  private nonisolated(unsafe) static var trailers: Object!
  private nonisolated(unsafe) static var keys: Keys!

  /// Names of members.
  private struct Keys {
    let asgi, version, method, scheme, path, rawPath, query, root, headers, client, server, extensions: Object
    let http10, http11, http2, https, get, post: Object

    init?() {
      func text(_ literal: StaticString) -> Object? { PyUnicode_InternFromString(Types.name(literal)) }
      guard let asgi = text("asgi"), let version = text("http_version"), let method = text("method"),
        let scheme = text("scheme"), let path = text("path"), let rawPath = text("raw_path"),
        let query = text("query_string"), let root = text("root_path"), let headers = text("headers"),
        let client = text("client"), let server = text("server"), let extensions = text("extensions"),
        let http10 = text("1.0"), let http11 = text("1.1"), let http2 = text("2"), let https = text("https"),
        let get = text("GET"), let post = text("POST")
      else { return nil }
      (self.asgi, self.version, self.method, self.scheme) = (asgi, version, method, scheme)
      (self.path, self.rawPath, self.query, self.root) = (path, rawPath, query, root)
      (self.headers, self.client, self.server, self.extensions) = (headers, client, server, extensions)
      (self.http10, self.http11, self.http2, self.https) = (http10, http11, http2, https)
      (self.get, self.post) = (get, post)
    }
  }

  /// Makes the shared objects; false with an exception set.
  ///
  /// - Parameter isDevelopment: with `--debug`, to which `http.response.debug` belongs: the specification
  ///   intends it for tests.
  static func prepare(isDevelopment: Bool) -> Bool {
    if template != nil { return true }
    guard let keys = Keys(), let template = dict(["type": "http", "scheme": "http", "http_version": "1.1"]),
      let versions = dict(["version": "3.0", "spec_version": "2.5"]),
      let sendsPaths = PyUnicode_InternFromString("http.response.pathsend"),
      let debugs = PyUnicode_InternFromString("http.response.debug"),
      let hints = PyUnicode_InternFromString("http.response.early_hint"),
      let trailers = PyUnicode_InternFromString("http.response.trailers")
    else { return false }
    (self.keys, self.template, self.versions) = (keys, template, versions)
    (self.hints, self.trailers) = (hints, trailers)
    extensions = isDevelopment ? [sendsPaths, debugs] : [sendsPaths]
    return true
  }

  /// Makes a dict of texts; nil with an exception set.
  static func dict(_ pairs: KeyValuePairs<String, String>) -> Object? {
    guard let dict = PyDict_New() else { return nil }
    for (key, value) in pairs {
      guard let text = PyUnicode_InternFromString(value), PyDict_SetItemString(dict, key, text) == 0 else {
        return nil
      }
      py_release(text)
    }
    return dict
  }

  /// The scope of a request, except for its state; nil with an exception set.
  static func make(_ host: UnsafePointer<nsgi_host>, _ request: UnsafePointer<nsgi_request>) -> Object? {
    guard let scope = PyDict_Copy(template) else { return nil }
    let view = request.pointee
    let isFilled =
      put(scope, keys.asgi, PyDict_Copy(versions)) && putVersion(scope, view.protocol)
      && put(scope, keys.method, method(view.method)) && putPaths(scope, host, view)
      && put(scope, keys.query, bytes(view.query)) && put(scope, keys.headers, headers(host, view.id))
      && put(scope, keys.client, client(host, view)) && put(scope, keys.server, server(host, view.id))
      && put(scope, keys.extensions, ownExtensions(host, view))
      && (view.flags & NSGI_TLS.rawValue == 0 || PyDict_SetItem(scope, keys.scheme, keys.https) == 0)
    if isFilled { return scope }
    py_release(scope)
    return nil
  }

  /// Sets a member to an object whose reference it takes.
  private static func put(_ scope: Object, _ key: Object, _ value: Object?) -> Bool {
    guard let value else { return false }
    defer { py_release(value) }
    return PyDict_SetItem(scope, key, value) == 0
  }

  private static func bytes(_ text: nsgi_str) -> Object? { PyBytes_FromStringAndSize(text.p, text.n) }

  /// The extensions that the server offers for this request: the application may put things into any of these
  /// dicts that no other request should see.
  private static func ownExtensions(_ host: UnsafePointer<nsgi_host>, _ view: nsgi_request) -> Object? {
    guard let own = PyDict_New() else { return nil }
    let isFilled =
      extensions.allSatisfy { put(own, $0, PyDict_New()) }
      && (view.flags & NSGI_TAKES_INTERIM.rawValue == 0 || put(own, hints, PyDict_New()))
      && (view.flags & NSGI_TAKES_TRAILERS.rawValue == 0 || put(own, trailers, PyDict_New()))
      && (view.flags & NSGI_TLS.rawValue == 0 || TLSExtension.add(to: own, host, view.id))
    if isFilled { return own }
    py_release(own)
    return nil
  }

  // MARK: Members

  /// "1.0", "1.1" or "2"; the template has the version of almost all requests.
  private static func putVersion(_ scope: Object, _ text: nsgi_str) -> Bool {
    guard text.n >= 6, text.p[5] != 0x31 || text.n < 8 || text.p[7] != 0x31 else { return true }
    return PyDict_SetItem(scope, keys.version, text.p[5] == 0x31 ? keys.http10 : keys.http2) == 0
  }

  /// In capital letters.
  private static func method(_ text: nsgi_str) -> Object? {
    for known in [(keys.get, "GET"), (keys.post, "POST")] as [(Object, StaticString)]
    where text.n == known.1.utf8CodeUnitCount && memcmp(text.p, known.1.utf8Start, text.n) == 0 {
      py_retain(known.0)
      return known.0
    }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: text.n + 1) { room in
      for index in 0..<text.n {
        let byte = text.p[index]
        room[index] = (0x61...0x7a).contains(byte) ? byte - 0x20 : byte
      }
      return py_text(room.baseAddress!, text.n)
    }
  }

  /// path, raw_path and root_path. The path is the whole one, with the mount in front; bytes that are not
  /// UTF-8 become U+FFFD in it, and stay unchanged in raw_path.
  private static func putPaths(
    _ scope: Object, _ host: UnsafePointer<nsgi_host>, _ view: nsgi_request
  ) -> Bool {
    let (root, rest) = (view.script_name, view.path_info)
    let path: Object? =
      root.n == 0
      ? text(rest)
      : withUnsafeTemporaryAllocation(of: CChar.self, capacity: root.n + rest.n) { room in
        memcpy(room.baseAddress!, root.p, root.n)
        memcpy(room.baseAddress! + root.n, rest.p, rest.n)
        return PyUnicode_DecodeUTF8(room.baseAddress!, root.n + rest.n, "replace")
      }
    return put(scope, keys.path, path) && put(scope, keys.root, text(root))
      && put(scope, keys.rawPath, rawPath(host, view.id))
  }

  private static func text(_ text: nsgi_str) -> Object? { PyUnicode_DecodeUTF8(text.p, text.n, "replace") }

  /// The path as sent: without scheme and authority, which a request to a proxy has, and without the query.
  /// None if a front end does not pass it on.
  private static func rawPath(_ host: UnsafePointer<nsgi_host>, _ id: nsgi_id) -> Object? {
    let target = variable(host, id, "REQUEST_URI")
    guard let start = target.p, target.n > 0 else { return none() }
    let all = UnsafeRawBufferPointer(start: start, count: target.n)
    var path = all.prefix { $0 != UInt8(ascii: "?") }
    if path.first != UInt8(ascii: "/"), let colon = path.firstIndex(of: UInt8(ascii: ":")),
      path[colon...].starts(with: "://".utf8)
    {
      path = path[(colon + 3)...].drop { $0 != UInt8(ascii: "/") }
    }
    let found = UnsafeRawBufferPointer(rebasing: path)
    return PyBytes_FromStringAndSize(found.baseAddress?.assumingMemoryBound(to: CChar.self), found.count)
  }

  /// Pairs of bytes in the order received.
  private static func headers(_ host: UnsafePointer<nsgi_host>, _ id: nsgi_id) -> Object? {
    var count = 0
    let fields = host.pointee.fields(id, &count)
    guard let list = PyList_New(count) else { return nil }
    for index in 0..<count {
      guard let pair = pair(bytes(fields![index].name), bytes(fields![index].value)) else {
        py_release(list)
        return nil
      }
      PyList_SetItem(list, index, pair)
    }
    return list
  }

  /// A tuple that takes the references of its two members.
  private static func pair(_ first: Object?, _ second: Object?) -> Object? {
    guard let first, let second, let pair = PyTuple_New(2) else {
      py_release_if(first)
      py_release_if(second)
      return nil
    }
    PyTuple_SetItem(pair, 0, first)
    PyTuple_SetItem(pair, 1, second)
    return pair
  }

  /// None for a client without an address, as on a unix socket.
  private static func client(_ host: UnsafePointer<nsgi_host>, _ view: nsgi_request) -> Object? {
    guard view.remote_addr.n > 0 else { return none() }
    return pair(text(view.remote_addr), PyLong_FromLong(number(variable(host, view.id, "REMOTE_PORT"))))
  }

  /// The address and port of the socket, or the path of a unix socket and None; behind a front end, what that
  /// one says of itself.
  private static func server(_ host: UnsafePointer<nsgi_host>, _ id: nsgi_id) -> Object? {
    var place = nsgi_str()
    let port = Functions.request.map { $0.pointee.local(id, &place) } ?? NSGI_MISUSE.rawValue
    if port >= 0 { return pair(text(place), port > 0 ? PyLong_FromLong(Int(port)) : none()) }
    let name = variable(host, id, "SERVER_NAME")
    guard name.p != nil, name.n > 0 else { return none() }
    return pair(text(name), PyLong_FromLong(number(variable(host, id, "SERVER_PORT"))))
  }

  /// A variable of the request, empty if there is none.
  static func variable(
    _ host: UnsafePointer<nsgi_host>, _ id: nsgi_id, _ name: StaticString
  ) -> nsgi_str {
    host.pointee.env(id, nsgi_str(p: Types.name(name), n: name.utf8CodeUnitCount))
  }

  /// 0 if it is not one.
  private static func number(_ text: nsgi_str) -> Int {
    guard let start = text.p, text.n < 10 else { return 0 }
    return (0..<text.n).reduce(0) { result, index in
      let digit = Int(start[index]) - 0x30
      return (0...9).contains(digit) ? result * 10 + digit : result
    }
  }
}
