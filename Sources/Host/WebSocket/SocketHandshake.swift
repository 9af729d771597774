import CNSGI
import Wire

/// From a request to a WebSocket: accept(), by whichever thread the request's call runs on.
extension Worker {
  /// asked(): whether the request asks for one, correctly or not.
  func asksForSocket(_ exchange: ExchangePointer) -> Bool {
    guard exchange.pointee.isNormalized else { return false }
    if exchange.head.asksForWebSocket { return true }
    guard let upgrade = field(exchange, .upgrade) else { return false }
    return WebSocketHandshake.isAsked(upgrade: upgrade)
  }

  /// accept(): writes the answer and makes the socket; the leader gives it its connection after the call.
  func acceptSocket(
    _ exchange: ExchangePointer, _ wish: SocketWish, _ id: UnsafeMutablePointer<nsgi_ws_id>
  ) -> Int32 {
    guard exchange.allows(.start) else { return outOfOrder(exchange, .start) }
    guard asksForSocket(exchange) else {
      log.error("\(app(exchange).name) accepted a WebSocket that was not asked for: \(exchange.requestLine)")
      return NSGI_MISUSE.rawValue
    }
    let handshake = self.handshake(exchange)
    if let refusal = refusal(exchange, handshake) { return refuseSocket(exchange, refusal) }
    if wish.subprotocol.count > 0, !handshake.offers(wish.subprotocol) {
      log.error(
        "\(app(exchange).name) accepted a WebSocket with a subprotocol that the client does not offer: "
          + exchange.requestLine)
      return NSGI_MISUSE.rawValue
    }
    guard let socket = webSockets.take() else { return refuseSocket(exchange, Self.noRoom) }
    let deflate = agreement(exchange)
    do throws(ResponseError) { try begin(exchange, handshake, wish, deflate) } catch {
      webSockets.give(socket)
      return refused(exchange, error)
    }
    showSockets()
    encodeUpgrade(exchange)
    fill(socket, exchange, wish, deflate)
    exchange.socket = socket
    id.pointee = socket.id
    return NSGI_OK.rawValue
  }

  /// Whether accept() would take the request's handshake, were there room.
  func wouldAcceptSocket(_ exchange: ExchangePointer) -> Bool {
    exchange.allows(.start) && asksForSocket(exchange) && refusal(exchange, handshake(exchange)) == nil
  }

  /// Answers a request for a WebSocket in its application's place; returns an nsgi_result.
  func refuseSocket(_ exchange: ExchangePointer) -> Int32 {
    guard exchange.allows(.start), asksForSocket(exchange) else { return NSGI_MISUSE.rawValue }
    return refuseSocket(exchange, refusal(exchange, handshake(exchange)) ?? Self.noRoom)
  }

  /// A status, and the reason; whether the answer names the version that there is.
  private typealias Refusal = (status: Int, sentence: String, namesVersion: Bool)

  private static var noRoom: Refusal {
    (503, "there are as many WebSockets as may be (--websocket-max)", false)
  }

  /// Why a request for a WebSocket gets none, whatever its application does.
  private func refusal(_ exchange: ExchangePointer, _ handshake: WebSocketHandshake) -> Refusal? {
    guard exchange.connection.gateway.carriesSockets else {
      let sentence =
        "a WebSocket cannot come by this protocol; proxy it by HTTP, SCGI or uwsgi (docs/WEBSOCKET.md)"
      return (501, sentence, false)
    }
    do throws(WebSocketHandshake.Failure) { try handshake.check() } catch {
      return (handshake.status(of: error), error.description, error == .version)
    }
    guard exchange.head.endsRequest else { return (400, "a request for a WebSocket has no body", false) }
    guard isFromGoodPage(exchange) else {
      return (403, "a page of this origin may open no WebSocket here (--websocket-origin)", false)
    }
    return nil
  }

  /// Browsers say where the page comes from, and nothing else keeps a page of another site from opening a
  /// socket with the user's cookies (RFC 6455 §10.2). A client without Origin is not a browser.
  private func isFromGoodPage(_ exchange: ExchangePointer) -> Bool {
    guard !webSockets.origins.isEmpty, let origin = field(exchange, "HTTP_ORIGIN") else { return true }
    let (host, port) = (field(exchange, "HTTP_HOST"), exchange.meta.serverPort.bytes)
    return webSockets.origins.contains { $0.holds(origin, host: host, port: port) }
  }

  /// Shows the master how many there are.
  func showSockets() { board?[.webSockets].value = UInt64(webSockets.count) }

  private func fill(
    _ socket: WebSocketPointer, _ exchange: ExchangePointer, _ wish: SocketWish, _ deflate: WebSocketDeflate?
  ) {
    socket.locked {
      let bounds = WebSocketLimits(
        messageBytes: Int64(limits.webSocketMessageBytes), fragments: limits.webSocketFragments)
      socket.pointee.reader = WebSocketReader(limits: bounds, inflates: deflate != nil)
      socket.state = .opening
      socket.pointee.deflate = deflate
      socket.pointee.calls = exchange.calls
      socket.pointee.handlers = wish.handlers
      socket.pointee.argument = wish.argument
      socket.pointee.target = Array(exchange.meta.requestURI.bytes.prefix(WebSocket.targetBytes))
    }
  }

  // MARK: The client's request

  /// A field of the connection, which is not in the environ; several with the same name form one list (RFC
  /// 9110 §5.3).
  private func field(_ exchange: ExchangePointer, _ name: KnownName) -> UnsafeRawBufferPointer? {
    guard let first = exchange.head.first(name) else { return nil }
    var all: [UInt8] = []
    for index in 0..<exchange.head.count where exchange.head[index].known == name {
      if !all.isEmpty { all.append(0x2c) }
      all += exchange.head[index].value.bytes(in: exchange.base)
    }
    guard all.count > first.bytes(in: exchange.base).count else { return first.bytes(in: exchange.base) }
    return all.withUnsafeBytes {
      UnsafeRawBufferPointer(start: exchange.arena.copy($0), count: $0.count)
    }
  }

  private func field(_ exchange: ExchangePointer, _ name: StaticString) -> UnsafeRawBufferPointer? {
    let text = exchange.pointee.variable(named: Text(name).bytes)
    return text.p == nil ? nil : text.bytes
  }

  private func handshake(_ exchange: ExchangePointer) -> WebSocketHandshake {
    var handshake = WebSocketHandshake()
    handshake.method = exchange.meta.method.bytes
    let showsConnection = exchange.connection.gateway.showsConnection
    handshake.isHTTP11 = !showsConnection || exchange.head.minorVersion >= 1
    handshake.isExtended = exchange.head.asksForWebSocket
    handshake.connection = field(exchange, .connection)
    if handshake.connection == nil, showsConnection { handshake.connection = UnsafeRawBufferPointer.none }
    handshake.key = field(exchange, "HTTP_SEC_WEBSOCKET_KEY")
    handshake.version = field(exchange, "HTTP_SEC_WEBSOCKET_VERSION")
    handshake.protocols = field(exchange, "HTTP_SEC_WEBSOCKET_PROTOCOL")
    handshake.extensions = field(exchange, "HTTP_SEC_WEBSOCKET_EXTENSIONS")
    return handshake
  }

  private func agreement(_ exchange: ExchangePointer) -> WebSocketDeflate? {
    guard limits.webSocketDeflate != .off, let offers = field(exchange, "HTTP_SEC_WEBSOCKET_EXTENSIONS")
    else {
      return nil
    }
    let keeps = limits.webSocketDeflate == .dedicated
    guard let agreed = WebSocketDeflate.agree(offers, keepsContext: keeps), Deflater.isAvailable else {
      return nil
    }
    return agreed
  }

  // MARK: The answer

  private func begin(
    _ exchange: ExchangePointer, _ handshake: WebSocketHandshake, _ wish: SocketWish,
    _ deflate: WebSocketDeflate?
  ) throws(ResponseError) {
    try exchange.response.begin(status: handshake.isExtended ? 200 : 101)
    for field in wish.fields { try exchange.response.add(name: field.name.bytes, value: field.value.bytes) }
    var lines = ByteBuffer()
    if !handshake.isExtended, let key = handshake.key {
      lines.append("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
      WebSocketHandshake.accept(key).withUnsafeBytes { lines.append($0) }
      lines.append("\r\n")
    }
    if wish.subprotocol.count > 0 {
      lines.append("Sec-WebSocket-Protocol: ")
      lines.append(wish.subprotocol)
      lines.append("\r\n")
    }
    if let deflate {
      lines.append("Sec-WebSocket-Extensions: ")
      lines.append(string: deflate.text)
      lines.append("\r\n")
    }
    exchange.response.add(lines: lines.bytes)
  }

  /// The handshake is refused, and the application no longer has anything to answer.
  private func refuseSocket(_ exchange: ExchangePointer, _ refusal: Refusal) -> Int32 {
    let (status, sentence, namesVersion) = refusal
    log.warning("request refused with \(status): \(sentence): \(exchange.requestLine)")
    var lines = namesVersion ? "Sec-WebSocket-Version: \(WebSocketGrammar.version)\r\n" : ""
    if status == 426 { lines += "Upgrade: websocket\r\nConnection: Upgrade\r\n" }
    exchange.response.reset()
    answer(exchange, status, sentence, lines: lines)
    return NSGI_GONE.rawValue
  }
}

extension WebSocket {
  /// Bytes of its target that are kept for logs.
  static let targetBytes = 200
}

/// The choices with which an application accepts.
struct SocketWish {
  var subprotocol: UnsafeRawBufferPointer
  var fields: UnsafeBufferPointer<nsgi_pair>
  var handlers: nsgi_ws_handlers
  var argument: UnsafeMutableRawPointer?
}
