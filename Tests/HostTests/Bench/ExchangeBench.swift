// One request, read and normalised as the worker does it, without sockets and without an app.
import CLinux
import CNSGI
import Config
import Support
import Testing
import Wire

@testable import Host

/// A request in the state in which an app gets it.
final class ExchangeBench {
  let worker: Worker
  let connection: ConnectionPointer
  let exchange: ExchangePointer

  /// - Parameters:
  ///   - bytes: a whole request in the gateway's own form.
  ///   - peer: the client, as accept(2) gives it.
  init(
    _ bytes: [UInt8], gateway: Gateway = .http1, peer: Config.Address = .inet(host: "192.0.2.9", port: 40000),
    port: UInt16 = 8080, settings: Settings = Settings()
  ) throws {
    let listener = try Listener.bind(
      ListenerSettings(address: .inet(host: "127.0.0.1", port: 0), gateway: ExchangeBench.spoken(gateway)),
      files: settings.socketFiles, limits: settings.limits)
    System.close(listener.fd)
    worker = try Worker(settings: settings, listeners: [listener], mounts: MountTable([]), log: .shared)
    connection = worker.connections.take()
    connection.pointee.next(.opened)
    connection.pointee.gateway = gateway
    connection.pointee.codec = Codec(gateway, limits: HeadLimits(settings.limits))
    connection.pointee.peer = try ExchangeBench.peer(peer)
    connection.pointee.input.append(bytes)
    exchange = worker.begin(connection)
    try read()
  }

  private static func spoken(_ gateway: Gateway) -> ListenerProtocol {
    switch gateway {
    case .http1, .http2, .cgi: .http1
    case .scgi: .scgi
    case .uwsgi: .uwsgi
    case .fastcgi: .fastcgi
    }
  }

  private static func peer(_ address: Config.Address) throws -> PeerAddress {
    var storage = sockaddr_storage()
    try SocketAddress(address).withPointer { pointer, length throws(SystemError) in
      withUnsafeMutableBytes(of: &storage) {
        $0.baseAddress!.copyMemory(from: pointer, byteCount: Int(length))
      }
    }
    return PeerAddress(storage)
  }

  /// Decodes up to the head and normalises it.
  private func read() throws {
    var offset = 0
    let bytes = connection.pointee.input.bytes
    let event = try connection.pointee.codec.next(bytes.bytes, &offset, &exchange.pointee.head)
    guard event == .head else { throw SupportError.malformedReply("\(event) instead of a head") }
    exchange.pointee.base = exchange.pointee.head.base(connection.pointee.input.base!)
    connection.pointee.input.consume(offset)
    let text = exchange.pointee.arena.allocate(PeerAddress.textBytes).assumingMemoryBound(to: UInt8.self)
    let count = connection.pointee.peer.write(to: text)
    let facts = ConnectionFacts(
      gateway: connection.pointee.gateway, remoteAddr: Text(text, count), localName: worker.listeners[0].name,
      fixesRootScriptName: worker.settings.fixesRootScriptName)
    try Normalizer.normalize(
      &exchange.pointee.head, exchange.pointee.base, facts, into: &exchange.pointee.meta,
      &exchange.pointee.arena)
  }

  /// The environ in its order; every text must end with NUL.
  var environ: [(name: String, value: String)] {
    let list = exchange.pointee.environList()
    return pairs(list, exchange.pointee.lists.environCount)
  }

  /// The header fields in their order.
  var fields: [(name: String, value: String)] {
    let list = exchange.pointee.fieldList()
    return pairs(list, exchange.pointee.lists.fieldCount)
  }

  /// The only value of a variable; nil without, and a recorded issue for two.
  subscript(name: String) -> String? {
    let values = environ.filter { $0.name == name }.map(\.value)
    #expect(values.count <= 1, "\(name) occurs \(values.count) times")
    return values.first
  }

  private func pairs(_ list: UnsafeMutablePointer<nsgi_pair>, _ count: Int) -> [(name: String, value: String)]
  {
    (0..<count).map { (text(list[$0].name), text(list[$0].value)) }
  }

  private func text(_ text: nsgi_str) -> String {
    #expect(text.p != nil && text.p[text.n] == 0, "no NUL behind a text")
    return String(decoding: text.bytes, as: UTF8.self)
  }
}

extension ByteBuffer {
  fileprivate mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }
}
