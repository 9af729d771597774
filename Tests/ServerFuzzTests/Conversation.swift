// One client's conversation with the server, made by chance from its seed: where it connects, what it sends,
// in which pieces, and how it ends.
import Support

/// What one client does.
struct Conversation: Sendable, CustomStringConvertible {
  /// How the client ends its side.
  enum Ending: CaseIterable {
    /// FIN, and reads all that comes: only this one tells what a client gets.
    case halfClose
    case close, reset
    /// Reads for a moment and goes.
    case leaves
  }

  /// The socket: a protocol, or `any` for the one that recognises it.
  let door: String
  let bytes: [UInt8]
  /// Sizes of the pieces in which the bytes go.
  let pieces: [Int]
  let ending: Ending

  /// A HEAD is among its requests.
  var isHead: Bool { String(decoding: bytes, as: UTF8.self).contains("HEAD") }

  var description: String {
    let text = Escapes.text(bytes.prefix(2000))
    return "\(ending) at \(door), \(bytes.count) bytes in pieces of \(pieces): \"\(text)\""
  }

  /// Messages of the fixtures by protocol.
  static let fixtures: [String: [[UInt8]]] = {
    var all: [String: [[UInt8]]] = [:]
    for (gateway, folder) in [
      ("http", "http1"), ("scgi", "scgi"), ("uwsgi", "uwsgi"), ("fastcgi", "fastcgi"),
    ] {
      let inputs = ((try? Fixture.all(folder)) ?? []).map(\.input)
      all[gateway] = inputs.filter { $0.count < 20_000 }
    }
    return all
  }()

  /// Paths of the apps that answer by what was sent alone.
  static let targets = [
    "/", "/a/b?c=d%20e", "/echo/x?y", "/echo", "/streams/pieces", "/streams/whole", "/%41%2f",
  ]

  init(seed: UInt64) {
    var random = SeededRandom(seed)
    let gateway = GatewayRequest.gateways.randomElement(using: &random) ?? "http"
    door = Int.random(in: 0..<6, using: &random) == 0 ? "any" : gateway
    let spoils = Int.random(in: 0..<3, using: &random) > 0
    var bytes: [UInt8] = []
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let message = Self.message(gateway, &random)
      bytes += spoils ? Self.spoilt(message, gateway, &random) : message
    }
    self.bytes = bytes
    pieces = Self.pieces(of: bytes.count, &random)
    let endings: [Ending] = [.halfClose, .halfClose, .halfClose, .halfClose, .close, .reset, .leaves]
    ending = endings.randomElement(using: &random) ?? .halfClose
  }

  private static func spoilt(_ message: [UInt8], _ gateway: String, _ random: inout SeededRandom) -> [UInt8] {
    let other = fixtures[gateway]?.randomElement(using: &random) ?? message
    var mutator = Mutator(random: random)
    defer { random = mutator.random }
    return mutator.spoil(message, with: other)
  }

  /// A fixture, or a request with a body of some length.
  private static func message(_ gateway: String, _ random: inout SeededRandom) -> [UInt8] {
    if Bool.random(using: &random), let input = fixtures[gateway]?.randomElement(using: &random) {
      return input
    }
    let target = targets.randomElement(using: &random) ?? "/"
    let size = [0, 0, 1, 7, 300, 5000, 70_000].randomElement(using: &random) ?? 0
    let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    if gateway == "http", Bool.random(using: &random) {
      var request = HTTP1Request()
      (request.target, request.body) = (target, body)
      request.method = size > 0 ? "POST" : ["GET", "HEAD", "DELETE"].randomElement(using: &random) ?? "GET"
      if Bool.random(using: &random) { request.chunks = [1, 20, 4000] }
      return request.bytes
    }
    let keeps = Bool.random(using: &random)
    return GatewayRequest.bytes(gateway, target, body: body, keepsConnection: keeps)
  }

  /// A few pieces, or small ones at the beginning and the rest at once.
  private static func pieces(of count: Int, _ random: inout SeededRandom) -> [Int] {
    var (pieces, left) = ([Int](), count)
    let longest = Bool.random(using: &random) ? 3 : max(1, count / 3)
    while left > 0, pieces.count < 12 {
      pieces.append(min(left, Int.random(in: 1...longest, using: &random)))
      left -= pieces[pieces.count - 1]
    }
    return left > 0 ? pieces + [left] : pieces
  }
}
