import Config
import Glibc
import Wire

/// What may come before the first request of a connection: a PROXY header of a trusted peer, and bytes that
/// show the protocol on a socket that recognises it.
extension Worker {
  /// Looks at the first bytes; true when the codec may read on.
  func readPreface(_ connection: ConnectionPointer) -> Bool {
    if connection.preface.contains(.proxy), !readProxyHeader(connection) { return false }
    if connection.preface.contains(.tls), !readSealed(connection) { return false }
    if connection.preface.contains(.sniff), !recognise(connection) { return false }
    if connection.preface.contains(.http2), !recogniseHTTP2(connection) { return false }
    return true
  }

  private func recognise(_ connection: ConnectionPointer) -> Bool {
    switch Sniffer.recognise(connection.input.bytes) {
    case .needMore:
      awaitPreface(connection)
      return false
    case .gateway(.http2) where settings.http2: beginHTTP2(connection)
    case .gateway(let told):
      let gateway = told == .http2 ? .http1 : told
      connection.gateway = gateway
      connection.codec = Codec(gateway, limits: HeadLimits(limits))
      guard !gateway.limitsWebServers || isWebServer(connection.peer) else {
        close(connection)
        return false
      }
    case .unknown:
      _ = begin(connection)
      refuse(
        connection, 400, "this socket speaks HTTP, SCGI, uwsgi and FastCGI; these bytes are none of them")
      return false
    }
    connection.preface.remove(.sniff)
    return true
  }

  /// A socket of HTTP: the first bytes tell HTTP/2 from the others.
  private func recogniseHTTP2(_ connection: ConnectionPointer) -> Bool {
    switch Sniffer.speaksHTTP2(connection.input.bytes) {
    case nil:
      awaitPreface(connection)
      return false
    case true?: beginHTTP2(connection)
    case false?: connection.preface.remove(.http2)
    }
    return true
  }

  private func awaitPreface(_ connection: ConnectionPointer) {
    setTimeout(connection, .head)
    watchInput(connection)
  }

  // MARK: PROXY protocol

  private func readProxyHeader(_ connection: ConnectionPointer) -> Bool {
    do {
      switch try ProxyHeader.read(connection.input.bytes) {
      case .needMore:
        awaitPreface(connection)
        return false
      case .absent: break
      case .header(let header, let count):
        connection.input.consume(count)
        connection.peer.replace(by: header)
      }
    } catch {
      tellOfClose(connection, "\(error)")
      close(connection)
      return false
    }
    connection.preface.remove(.proxy)
    return true
  }

  // MARK: X-Forwarded-For and X-Forwarded-Proto

  /// Whether a peer's word about the client counts: `--trusted-proxy`.
  func isTrusted(_ text: UnsafeRawBufferPointer) -> Bool {
    guard !text.isEmpty else { return settings.trustedProxies.contains(.unixPeers) }
    guard let address = IPAddress(parsing: String(decoding: text, as: UTF8.self)) else { return false }
    return settings.trustedProxies.contains { $0.contains(address) }
  }

  /// Lets a trusted front end say who the client is: the last address that is not a trusted proxy itself, and
  /// the scheme. From anybody else, and where a front end says it in variables, the fields are only fields.
  func applyForwarded(_ exchange: ExchangePointer) {
    guard exchange.connection.gateway.isHTTP, isTrusted(exchange.meta.remoteAddr.bytes) else { return }
    exchange.meta.isFromTrusted = true
    let base = exchange.base
    var (isSchemeKnown, isSecure, isWalking) = (false, true, true)
    // The trusted front end's own entry comes last, after whatever the client sent.
    for index in (0..<exchange.head.count).reversed() {
      let field = exchange.head[index]
      switch field.known {
      case .forwardedProto:
        // Several fields are one list (RFC 9110 §5.3): it is https only if every proxy was reached over
        // https.
        isSchemeKnown = true
        isSecure = isSecure && ForwardedList.isSecure(field.value.bytes(in: base))
      case .forwardedFor where isWalking: isWalking = believe(field.value.bytes(in: base), exchange)
      default: break
      }
    }
    if isSchemeKnown { exchange.meta.scheme = isSecure ? Text("https") : Text("http") }
  }

  /// Walks a list of addresses from its end, as far as they are trusted proxies; false if it ends the walk.
  private func believe(_ list: UnsafeRawBufferPointer, _ exchange: ExchangePointer) -> Bool {
    var end = list.count
    var believed: ForwardedNode?
    var goesOn = true
    while goesOn, let member = ForwardedList.last(list, before: &end) {
      if member.isEmpty { continue }
      guard let node = ForwardedNode(member) else {
        goesOn = false
        break
      }
      believed = node
      goesOn = isTrusted(node.address)
    }
    guard let believed else { return goesOn }
    let (address, port) = (believed.address, believed.port)
    exchange.meta.remoteAddr = Text(exchange.arena.copy(address), address.count)
    exchange.meta.remotePort =
      port.isEmpty ? .absent : Text(exchange.arena.copy(port), port.count)
    exchange.meta.isForwarded = true
    return goesOn
  }
}

/// What has to be read before the first request.
struct Preface: OptionSet {
  let rawValue: UInt8
  /// A PROXY header may come: the peer is trusted.
  static let proxy = Preface(rawValue: 1)
  /// The protocol is not known yet.
  static let sniff = Preface(rawValue: 2)
  /// The socket speaks TLS, and no byte of a request has come.
  static let tls = Preface(rawValue: 4)
  /// The client may speak HTTP/2.
  static let http2 = Preface(rawValue: 8)
  /// A step of the TLS handshake is taken beside the loop.
  static let handshake = Preface(rawValue: 16)
}
