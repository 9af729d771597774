import CNSGI

/// One request, as long as `respond` runs. It cannot be copied, so it cannot outlive the call; what its
/// properties return are copies, which can.
public struct Request: ~Copyable {
  private let view: UnsafePointer<nsgi_request>
  let host: HostTable

  init(_ view: UnsafePointer<nsgi_request>, _ host: HostTable) {
    self.view = view
    self.host = host
  }

  var id: nsgi_id { view.pointee.id }

  /// The method as sent: "GET".
  public var method: String { String(view.pointee.method) }
  /// The path below the application's mount point, percent-decoded: "/cart/7".
  public var path: String { String(view.pointee.path_info) }
  /// Where the application is mounted: "" or "/shop".
  public var mountPath: String { String(view.pointee.script_name) }
  /// The query without the question mark, as sent; empty if there is none.
  public var query: String { String(view.pointee.query) }
  /// "http" or "https".
  public var scheme: String { String(view.pointee.scheme) }
  /// "HTTP/1.1".
  public var version: String { String(view.pointee.protocol) }
  /// The client's address; empty if it has none.
  public var remoteAddress: String { String(view.pointee.remote_addr) }
  /// The type of the body; nil if not given.
  public var contentType: String? {
    view.pointee.content_type.n == 0 ? nil : String(view.pointee.content_type)
  }
  /// Bytes of the body; nil if the client did not say.
  public var contentLength: Int? {
    view.pointee.content_length < 0 ? nil : Int(view.pointee.content_length)
  }
  /// What `interim` sends reaches the client.
  public var takesInterim: Bool { view.pointee.flags & NSGI_TAKES_INTERIM.rawValue != 0 }
  /// What `ResponseStream.end(trailers:)` is given reaches the client, behind a body.
  public var takesTrailers: Bool { view.pointee.flags & NSGI_TAKES_TRAILERS.rawValue != 0 }
  /// Lines for the server's log, marked with this request.
  public var log: Log { Log(host, id) }

  // MARK: Head

  /// A header field whatever its case, repeated ones joined with a comma; nil if absent.
  public func header(_ name: String) -> String? { host.header(id, name) }

  /// All header fields in the order received, names in lower case.
  public var headers: Headers { host.headers(id) }

  /// A parameter of the query, decoded: the first one of that name; nil if absent.
  public func parameter(_ name: String) -> String? { Query.first(name, in: view.pointee.query.bytes) }

  /// One CGI meta-variable (RFC 3875), such as "SERVER_PORT" or "HTTP_COOKIE"; nil if absent.
  public func variable(_ name: String) -> String? { host.variable(id, name) }

  /// All CGI meta-variables, HTTP_* included.
  public var environ: [String: String] { host.all(id) }

  // MARK: Body

  /// The whole body.
  public var body: [UInt8] {
    get throws(HostError) { try wholeBody().bytes.map { $0 } }
  }

  /// The whole body as text; what is not UTF-8 becomes U+FFFD.
  public var text: String {
    get throws(HostError) { String(try wholeBody()) }
  }

  /// The whole body without a copy; the bytes are valid inside the closure only.
  public func withBody<Result>(_ work: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
    try work(try wholeBody().bytes)
  }

  /// The next bytes of the body, at most as many as the buffer holds; 0 at the end.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(HostError) -> Int {
    Int(try HostError.check(host.pointee.read(id, buffer.baseAddress, buffer.count)))
  }

  /// Fields behind the body, names in lower case; none before the end of the body has come, which `body`
  /// waits for, and `read` with its 0.
  public var trailers: Headers { host.trailers(id) }

  private func wholeBody() throws(HostError) -> nsgi_str {
    var result = nsgi_str()
    try HostError.check(host.pointee.body(id, &result))
    return result
  }

  // MARK: Interim responses

  /// Sends an interim response, status 102 to 199, before the final one: 103 (Early Hints) with Link fields.
  /// Does nothing for a client that takes none.
  public func interim(_ status: Int = 103, headers: Headers) throws(HostError) {
    try HostError.check(host.interim(id, status, headers))
  }

  // MARK: Streaming

  /// Begins a response whose body follows piece by piece; end it with `return .streamed(stream)`.
  public func start(
    _ status: Int = 200, type: String? = nil, headers: Headers = [:]
  ) throws(HostError) -> ResponseStream {
    let result = headers.withPairs(type: type) { pairs in
      host.pointee.start(id, Int32(clamping: status), pairs.baseAddress, pairs.count)
    }
    try HostError.check(result)
    return ResponseStream(host, id)
  }
}

/// The body of a response under way. Late use is an error, never undefined behaviour.
public struct ResponseStream {
  private let host: HostTable
  private let id: nsgi_id

  init(_ host: HostTable, _ id: nsgi_id) {
    self.host = host
    self.id = id
  }

  /// Sends text; waits while the client is slower than the application.
  public func write(_ text: String) throws(HostError) {
    var text = text
    try HostError.check(text.withUTF8 { host.pointee.write(id, $0.baseAddress, $0.count) })
  }

  /// Sends bytes; waits while the client is slower than the application.
  public func write(_ bytes: [UInt8]) throws(HostError) {
    try HostError.check(bytes.withUnsafeBytes { host.pointee.write(id, $0.baseAddress, $0.count) })
  }

  /// Sends bytes without a copy; waits while the client is slower than the application. They stay where and
  /// as they are for as long as `owner` lives, which the server keeps until it is done with them.
  public func lend(
    _ bytes: UnsafeRawBufferPointer, keeping owner: AnyObject & Sendable
  ) throws(HostError) {
    try HostError.check(Lending.lend(bytes, keeping: owner, to: host, id))
  }

  /// Sends bytes that are kept already, without another copy.
  public func lend(_ kept: LentBytes) throws(HostError) { try lend(kept.bytes, keeping: kept) }

  /// Sends `count` bytes of an open file from `offset` on, to its end without a count. The descriptor stays
  /// the caller's, who may close it at once.
  public func sendFile(_ descriptor: Int32, offset: Int64 = 0, count: Int64? = nil) throws(HostError) {
    try HostError.check(host.pointee.sendfile(id, descriptor, offset, count ?? -1))
  }

  /// Pushes what was written on towards the client now; the server gathers small pieces otherwise.
  public func flush() throws(HostError) { try HostError.check(host.pointee.flush(id)) }

  /// Ends the response with fields behind its body, which are dropped where there is no place for them; a
  /// `Trailer` among the headers of `start` announces them. Nothing can be sent afterwards.
  public func end(trailers: Headers) throws(HostError) { try HostError.check(host.end(id, trailers)) }
}
