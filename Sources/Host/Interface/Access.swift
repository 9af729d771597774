import CLinux
import CNSGI
import Glibc
import Synchronization

/// How a host function gets hold of an exchange: from the call's own thread at the cost of one
/// compare-and-swap, from any other thread by number, under the exchange's lock if it is beside the loop.
enum Access {
  /// Works on the exchange that `id` names; nil for one that is over.
  @inline(__always)
  static func with<Answer>(_ id: nsgi_id, _ body: (ExchangePointer) -> Answer) -> Answer? {
    guard let exchange = find(id) else { return nil }
    switch exchange.race(.entered, likely: .app) {
    case .goOn:
      // The record may have been reused between the look at its number and the entry.
      let found = exchange.id
      let answer = found == id ? body(exchange) : nil
      leave(exchange, found)
      return answer
    case .takeLock: return locked(exchange, id, body)
    default: return nil
    }
  }

  /// A host function that has begun in the leader's place is done. If it has left the loop it holds the lock;
  /// the exchange may even be over by now, and its record reused.
  @inline(__always)
  private static func leave(_ exchange: ExchangePointer, _ id: nsgi_id) {
    if exchange.id != id || exchange.next(.left) == .refuse { exchange.lock.unlock() }
  }

  /// The record of an exchange that may be alive.
  @inline(__always)
  private static func find(_ id: nsgi_id) -> ExchangePointer? {
    if ForkedCopy.isThis { return nil }
    if let current = clinux_get_current() {
      let exchange = current.assumingMemoryBound(to: Exchange.self)
      if exchange.id == id { return exchange }
    }
    return WorkerRegistry.exchange(id)
  }

  private static func locked<Answer>(
    _ exchange: ExchangePointer, _ id: nsgi_id, _ body: (ExchangePointer) -> Answer
  ) -> Answer? {
    exchange.lock.lock()
    defer { exchange.lock.unlock() }
    guard exchange.id == id, !exchange.isOver else { return nil }
    return body(exchange)
  }

  /// Takes a call off the loop from inside a host function, which goes on under the lock.
  static func leaveLoop(_ exchange: ExchangePointer) {
    guard !exchange.isDetached else { return }
    exchange.lock.lock()
    exchange.next(.leftLoop)
    exchange.worker.vacate(exchange)
  }
}

/// The workers of this process by number, so that an id alone leads to its exchange. Usually there is one.
enum WorkerRegistry {
  /// The most workers; the number takes 8 of the 32 bits of an id's lower half.
  static let capacity = 256
  private static let slotBits: UInt64 = 24
  /// Addresses of workers; 0 for none. Read by any thread.
  nonisolated(unsafe) private static let workers: UnsafeMutablePointer<Atomic<UInt>> = {
    let table = UnsafeMutablePointer<Atomic<UInt>>.allocate(capacity: capacity)
    for number in 0..<capacity { (table + number).initialize(to: Atomic(0)) }
    return table
  }()
  private static let mutex = Monitor()
  nonisolated(unsafe) private static var reserved: Set<UInt32> = []

  /// Reserves a number for a new worker.
  static func reserve() throws(SystemError) -> UInt32 {
    mutex.lock()
    defer { mutex.unlock() }
    for number in 0..<UInt32(capacity) where reserved.insert(number).inserted { return number }
    throw SystemError("worker", EAGAIN)
  }

  /// Registers the worker of a number.
  static func set(_ worker: Worker, _ number: UInt32) {
    let address = UInt(bitPattern: Unmanaged.passUnretained(worker).toOpaque())
    workers[Int(number)].store(address, ordering: .releasing)
  }

  /// Makes all ids of a worker invalid, and frees its number unless it was free already.
  static func remove(_ worker: Worker, _ number: UInt32) {
    mutex.lock()
    defer { mutex.unlock() }
    let address = UInt(bitPattern: Unmanaged.passUnretained(worker).toOpaque())
    guard workers[Int(number)].load(ordering: .relaxed) == address else { return }
    workers[Int(number)].store(0, ordering: .releasing)
    reserved.remove(number)
  }

  /// The lower half of an id: which worker, which record.
  static func key(worker: UInt32, slot: UInt32) -> UInt32 { worker << UInt32(slotBits) | slot }

  /// The WebSocket that an id names, if its number is still the same.
  static func socket(_ id: nsgi_ws_id) -> WebSocketPointer? {
    let number = Int(id >> slotBits & 0xff)
    guard let address = UnsafeRawPointer(bitPattern: workers[number].load(ordering: .acquiring)) else {
      return nil
    }
    let slot = UInt32(id & (1 << slotBits - 1)) ^ WebSocket.mark
    return Unmanaged<Worker>.fromOpaque(address)._withUnsafeGuaranteedRef { worker in
      guard slot < worker.webSockets.slab.capacity else { return nil }
      let socket = worker.webSockets.slab.record(slot)
      return socket.id == id ? socket : nil
    }
  }

  /// Every worker of this process.
  static func each(_ body: (Worker) -> Void) {
    for number in 0..<capacity {
      guard let address = UnsafeRawPointer(bitPattern: workers[number].load(ordering: .acquiring)) else {
        continue
      }
      Unmanaged<Worker>.fromOpaque(address)._withUnsafeGuaranteedRef(body)
    }
  }

  /// The record that an id names, if its number is still the same.
  static func exchange(_ id: nsgi_id) -> ExchangePointer? {
    let number = Int(id >> slotBits & 0xff)
    guard let address = UnsafeRawPointer(bitPattern: workers[number].load(ordering: .acquiring)) else {
      return nil
    }
    let slot = UInt32(id & (1 << slotBits - 1))
    return Unmanaged<Worker>.fromOpaque(address)._withUnsafeGuaranteedRef { worker in
      guard slot < worker.exchanges.capacity else { return nil }
      let exchange = worker.exchanges.record(slot)
      return exchange.id == id ? exchange : nil
    }
  }
}
