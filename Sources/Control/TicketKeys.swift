/// Keys of the tickets with which clients resume their TLS sessions: made here, the same in all workers, and
/// passed on across swaps and upgrades, so that none of these costs a client a handshake.
public struct TicketKeys: Sendable {
  /// Newest first, in hexadecimal digits: the newest makes tickets, and all of them open some.
  public private(set) var keys: [String]
  /// How many are kept.
  public static let kept = 3
  /// Bytes of a key: its name, and the keys of cipher and authentication.
  public static let bytes = 80

  /// The keys that a previous master has left, or a new one.
  public init(_ inherited: [String]) {
    keys = Array(inherited.filter { $0.utf8.count == 2 * TicketKeys.bytes }.prefix(TicketKeys.kept))
    if keys.isEmpty { renew() }
  }

  /// Makes another key; the oldest is forgotten.
  public mutating func renew() {
    // The kernel's own, by getrandom(2).
    var source = SystemRandomNumberGenerator()
    let digits = Array("0123456789abcdef".utf8)
    var key: [UInt8] = []
    for _ in 0..<(TicketKeys.bytes / 8) {
      var word = source.next()
      for _ in 0..<16 {
        key.append(digits[Int(word & 15)])
        word >>= 4
      }
    }
    keys = [String(decoding: key, as: UTF8.self)] + keys.prefix(TicketKeys.kept - 1)
  }

  /// The message for a worker.
  public var message: Message { Message(.tickets, keys.map { .init("ticket", $0) }) }
}
