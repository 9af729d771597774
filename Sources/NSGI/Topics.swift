import CNSGI

/// Publishes messages to the WebSockets that applications of this server have subscribed to a topic
/// (nsgi.websocket/1); may be kept, and used from any thread.
public struct Topics: @unchecked Sendable {
  // Unchecked: the table is constant, and its functions are for any thread (nsgi.h).
  private let table: UnsafePointer<nsgi_websocket>

  /// Nil on a server without WebSockets, or without publish_all.
  init?(_ host: HostTable) {
    guard let found = host.pointee.extension("nsgi.websocket/1") else { return nil }
    table = found.assumingMemoryBound(to: nsgi_websocket.self)
    // Whatever came behind publish_all.
    let least = MemoryLayout<nsgi_websocket>.offset(of: \.lend) ?? MemoryLayout<nsgi_websocket>.size
    guard Int(table.pointee.size) >= least else { return nil }
  }

  /// Sends a text to the sockets of this worker; how many took it.
  @discardableResult
  public func publish(_ text: String, to topic: String) throws(HostError) -> Int {
    try HostError.check(tell(table.pointee.publish, NSGI_WS_TEXT, Array(text.utf8), topic))
  }

  /// Sends bytes to the sockets of this worker; how many took them.
  @discardableResult
  public func publish(_ bytes: [UInt8], to topic: String) throws(HostError) -> Int {
    try HostError.check(tell(table.pointee.publish, NSGI_WS_BINARY, bytes, topic))
  }

  /// Sends a text of at most 1 MiB to the sockets of all workers; how many of this one took it.
  @discardableResult
  public func publishToAll(_ text: String, to topic: String) throws(HostError) -> Int {
    try HostError.check(tell(table.pointee.publish_all, NSGI_WS_TEXT, Array(text.utf8), topic))
  }

  /// Sends bytes, at most 1 MiB, to the sockets of all workers; how many of this one took them.
  @discardableResult
  public func publishToAll(_ bytes: [UInt8], to topic: String) throws(HostError) -> Int {
    try HostError.check(tell(table.pointee.publish_all, NSGI_WS_BINARY, bytes, topic))
  }

  private typealias Publish =
    @convention(c) (nsgi_str, Int32, UnsafeRawPointer?, Int, nsgi_ws_id) -> Int64

  private func tell(_ publish: Publish, _ kind: nsgi_ws_kind, _ bytes: [UInt8], _ topic: String) -> Int {
    var topic = topic
    return topic.withUTF8 { text in
      text.withMemoryRebound(to: CChar.self) { chars -> Int in
        let name = nsgi_str(p: chars.baseAddress, n: chars.count)
        return bytes.withUnsafeBytes {
          Int(publish(name, Int32(kind.rawValue), $0.baseAddress, $0.count, 0))
        }
      }
    }
  }
}
