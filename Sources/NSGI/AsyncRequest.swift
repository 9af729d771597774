import CNSGI

/// One request of an `AsyncApp`. May be kept and passed on: after the answer its functions throw
/// `HostError.gone`, and its head, a copy, stays.
public struct AsyncRequest: Sendable {
  /// The method as sent: "GET".
  public let method: String
  /// The path below the application's mount point, percent-decoded: "/cart/7".
  public let path: String
  /// Where the application is mounted: "" or "/shop".
  public let mountPath: String
  /// The query without the question mark, as sent; empty if there is none.
  public let query: String
  /// "http" or "https".
  public let scheme: String
  /// "HTTP/1.1".
  public let version: String
  /// The client's address; empty if it has none.
  public let remoteAddress: String
  /// The type of the body; nil if not given.
  public let contentType: String?
  /// Bytes of the body; nil if the client did not say.
  public let contentLength: Int?
  /// What `interim` sends reaches the client.
  public let takesInterim: Bool
  /// What `AsyncResponseStream.end(trailers:)` is given reaches the client, behind a body.
  public let takesTrailers: Bool

  let exchange: AsyncExchange

  init(_ view: UnsafePointer<nsgi_request>, _ exchange: AsyncExchange) {
    let view = view.pointee
    self.exchange = exchange
    method = String(view.method)
    path = String(view.path_info)
    mountPath = String(view.script_name)
    query = String(view.query)
    scheme = String(view.scheme)
    version = String(view.protocol)
    remoteAddress = String(view.remote_addr)
    contentType = view.content_type.n == 0 ? nil : String(view.content_type)
    contentLength = view.content_length < 0 ? nil : Int(view.content_length)
    takesInterim = view.flags & NSGI_TAKES_INTERIM.rawValue != 0
    takesTrailers = view.flags & NSGI_TAKES_TRAILERS.rawValue != 0
  }

  /// Lines for the server's log, marked with this request.
  public var log: Log { Log(exchange.host, exchange.id) }

  // MARK: Head

  /// A header field whatever its case, repeated ones joined with a comma; nil if absent.
  public func header(_ name: String) -> String? {
    exchange.whileAlive { exchange.host.header(exchange.id, name) } ?? nil
  }

  /// All header fields in the order received, names in lower case.
  public var headers: Headers {
    exchange.whileAlive { exchange.host.headers(exchange.id) } ?? Headers()
  }

  /// A parameter of the query, decoded: the first one of that name; nil if absent.
  public func parameter(_ name: String) -> String? {
    var query = query
    return query.withUTF8 { Query.first(name, in: UnsafeRawBufferPointer($0)) }
  }

  /// One CGI meta-variable (RFC 3875), such as "SERVER_PORT" or "HTTP_COOKIE"; nil if absent.
  public func variable(_ name: String) -> String? {
    exchange.whileAlive { exchange.host.variable(exchange.id, name) } ?? nil
  }

  /// All CGI meta-variables, HTTP_* included.
  public var environ: [String: String] {
    exchange.whileAlive { exchange.host.all(exchange.id) } ?? [:]
  }

  // MARK: Body

  /// The body in pieces, as it comes in; the client is read as fast as this is.
  public var body: Body { Body(exchange: exchange) }

  /// The whole body; throws `HostError.tooLarge`, a 413 for the client, above `limit` bytes.
  public func collect(upTo limit: Int = 1 << 20) async throws -> [UInt8] {
    guard contentLength ?? 0 <= limit else { throw HostError.tooLarge }
    var all: [UInt8] = []
    for try await piece in body {
      guard all.count + piece.count <= limit else { throw HostError.tooLarge }
      all += piece
    }
    return all
  }

  /// A request's body: pieces of up to 64 KiB.
  public struct Body: AsyncSequence, Sendable {
    let exchange: AsyncExchange

    /// Takes what has come, or waits for it.
    public struct AsyncIterator: AsyncIteratorProtocol {
      let exchange: AsyncExchange

      /// The next piece; nil at the end.
      public mutating func next() async throws -> [UInt8]? {
        var piece: [UInt8] = []
        let count = try await exchange.retrying(.body) {
          var result: Int64 = 0
          piece = [UInt8](unsafeUninitializedCapacity: 64 * 1024) { buffer, count in
            result = exchange.host.pointee.read(exchange.id, buffer.baseAddress, buffer.count)
            count = result > 0 ? Int(result) : 0
          }
          return result
        }
        return count == 0 ? nil : piece
      }
    }

    /// Begins where the last reader ended.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(exchange: exchange) }
  }

  /// Fields behind the body, names in lower case; none before the body has been read to its end.
  public var trailers: Headers {
    exchange.whileAlive { exchange.host.trailers(exchange.id) } ?? Headers()
  }

  // MARK: Interim responses

  /// Sends an interim response, status 102 to 199, before the final one: 103 (Early Hints) with Link fields.
  /// Does nothing for a client that takes none; waits, without a thread, for one that is slow.
  public func interim(_ status: Int = 103, headers: Headers) async throws {
    _ = try await exchange.retrying(.space) { exchange.host.interim(exchange.id, status, headers) }
  }

  // MARK: Streaming

  /// Begins a response whose body follows piece by piece; end it with `return .streamed(stream)`.
  public func start(
    _ status: Int = 200, type: String? = nil, headers: Headers = [:]
  ) throws(HostError) -> AsyncResponseStream {
    let result = exchange.whileAlive {
      headers.withPairs(type: type) { pairs in
        exchange.host.pointee.start(exchange.id, Int32(clamping: status), pairs.baseAddress, pairs.count)
      }
    }
    try HostError.check(result ?? NSGI_GONE.rawValue)
    return AsyncResponseStream(exchange: exchange)
  }
}

/// The body of a response under way; late use is an error.
public struct AsyncResponseStream: Sendable {
  let exchange: AsyncExchange

  /// Bytes that are handed to the host at once: it takes all of them or none.
  private static let piece = 64 * 1024

  /// Sends text; waits, without a thread, while the client is slower than the application.
  public func write(_ text: String) async throws { try await write(Array(text.utf8)) }

  /// Sends bytes; waits, without a thread, while the client is slower than the application.
  public func write(_ bytes: [UInt8]) async throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = rest.prefix(Self.piece)
      _ = try await exchange.retrying(.space) {
        piece.withUnsafeBytes { exchange.host.pointee.write(exchange.id, $0.baseAddress, $0.count) }
      }
      rest = rest.dropFirst(piece.count)
    }
  }

  /// Sends bytes without a copy; waits, without a thread, while the client is slower than the application.
  /// They stay where and as they are for as long as `owner` lives, which the server keeps until it is done
  /// with them.
  public func lend(_ bytes: UnsafeRawBufferPointer, keeping owner: AnyObject & Sendable) async throws {
    _ = try await exchange.retrying(.space) {
      Lending.lend(bytes, keeping: owner, to: exchange.host, exchange.id)
    }
  }

  /// Sends bytes that are kept already, without another copy.
  public func lend(_ kept: LentBytes) async throws { try await lend(kept.bytes, keeping: kept) }

  /// Sends `count` bytes of an open file from `offset` on; waits, without a thread, while the client is slow.
  /// The descriptor stays the caller's, and open until this returns.
  public func sendFile(_ descriptor: Int32, offset: Int64 = 0, count: Int64) async throws {
    var (place, left) = (offset, count)
    while left > 0 {
      let piece = min(left, Int64(4 * Self.piece))
      _ = try await exchange.retrying(.space) {
        exchange.host.pointee.sendfile(exchange.id, descriptor, place, piece)
      }
      place += piece
      left -= piece
    }
  }

  /// Pushes what was written on towards the client now; the server gathers small pieces otherwise.
  public func flush() async throws {
    let result = exchange.whileAlive { exchange.host.pointee.flush(exchange.id) } ?? NSGI_GONE.rawValue
    // The rest is on its way as fast as the client takes it.
    if result != NSGI_AGAIN.rawValue { try HostError.check(result) }
  }

  /// Ends the response with fields behind its body, which are dropped where there is no place for them; a
  /// `Trailer` among the headers of `start` announces them. Nothing can be sent afterwards.
  public func end(trailers: Headers) async throws {
    let result = exchange.whileAlive { exchange.host.end(exchange.id, trailers) } ?? NSGI_GONE.rawValue
    try HostError.check(result)
  }
}
