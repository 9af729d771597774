import Control

/// Descriptors that a child gets beside those at fixed places: ours, and their numbers there, in a row.
struct HandedMap {
  private(set) var map: [(Int32, Int32)] = []
  private let first: Int32

  /// - Parameter first: the number of the first one.
  init(first: Int32 = HandedDescriptor.first) { self.first = first }

  /// Adds one more; returns its number in the child.
  mutating func add(_ descriptor: Int32) -> Int32 {
    let place = first + Int32(map.count)
    map.append((descriptor, place))
    return place
  }

  /// Adds a socket, which the orders name.
  mutating func add(_ descriptor: Int32, _ gateway: String, _ address: String, to orders: inout Orders) {
    orders.sockets.append(.init(descriptor: add(descriptor), gateway: gateway, address: address))
  }

  mutating func add(_ socket: MasterSocket, to orders: inout Orders) {
    add(socket.descriptor, socket.gateway.rawValue, socket.address, to: &orders)
  }

  mutating func add(_ socket: WatchSocket, to orders: inout Orders) {
    add(socket.descriptor, socket.kind.rawValue, socket.address, to: &orders)
  }

  /// Adds one of the server's own files, which the orders name.
  mutating func add(_ file: HeldFile, to orders: inout Orders) {
    orders.held.append(HeldFile(kind: file.kind, descriptor: add(file.descriptor), path: file.path))
  }
}
