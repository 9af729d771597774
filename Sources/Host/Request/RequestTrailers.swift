import CNSGI
import Wire

/// The fields behind a request's body (RFC 9110 §6.5) as an app gets them, in the exchange's arena.
struct RequestTrailers {
  /// Names in lower case; has room for `room` of them.
  private(set) var pairs: UnsafeMutablePointer<nsgi_pair>
  private(set) var count = 0
  private var room: Int

  /// A list of no fields, for requests that have none.
  nonisolated(unsafe) static let none: UnsafePointer<nsgi_pair> = {
    let pair = UnsafeMutablePointer<nsgi_pair>.allocate(capacity: 1)
    pair.initialize(to: nsgi_pair(Text.empty, Text.empty))
    return UnsafePointer(pair)
  }()

  fileprivate init(_ arena: inout Arena) {
    room = 8
    pairs = RequestTrailers.list(of: room, &arena)
  }

  private static func list(of room: Int, _ arena: inout Arena) -> UnsafeMutablePointer<nsgi_pair> {
    arena.allocate(room * MemoryLayout<nsgi_pair>.stride).bindMemory(to: nsgi_pair.self, capacity: room)
  }

  fileprivate mutating func add(
    _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ arena: inout Arena
  ) {
    if count == room {
      let larger = RequestTrailers.list(of: 2 * room, &arena)
      larger.initialize(from: pairs, count: count)
      (pairs, room) = (larger, 2 * room)
    }
    let text = arena.copy(name)
    for index in 0..<name.count { text[index] = Ascii.lower(text[index]) }
    let pair = nsgi_pair(Text(text, name.count), Text(arena.copy(value), value.count))
    (pairs + count).initialize(to: pair)
    count += 1
  }
}

/// Whoever reads the request's body adds to them; the owner of the exchange.
extension Exchange {
  /// Adds a field of which the line has come: `name ":" OWS value`.
  mutating func keepTrailer(line: UnsafeRawBufferPointer) {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return }
    let value = line[(colon + 1)...].drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    keep(UnsafeRawBufferPointer(rebasing: line[..<colon]), UnsafeRawBufferPointer(rebasing: value))
  }

  /// Adds fields of which each is a name and a value, both followed by a NUL.
  mutating func keepTrailers(_ text: UnsafeRawBufferPointer) {
    var rest = text[...]
    while let end = rest.firstIndex(of: 0), let last = rest[(end + 1)...].firstIndex(of: 0) {
      keep(
        UnsafeRawBufferPointer(rebasing: rest[..<end]),
        UnsafeRawBufferPointer(rebasing: rest[(end + 1)..<last]))
      rest = rest[(last + 1)...]
    }
  }

  private mutating func keep(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
    let list: UnsafeMutablePointer<RequestTrailers>
    if let trailers {
      list = trailers
    } else {
      let room = arena.allocate(MemoryLayout<RequestTrailers>.stride)
      list = room.initializeMemory(as: RequestTrailers.self, to: RequestTrailers(&arena))
      trailers = list
    }
    list.pointee.add(name, value, &arena)
  }
}
