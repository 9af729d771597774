// Memory of one call: given back at once when the call is over.
import Glibc

/// Allocates; frees everything at its end.
final class CallMemory {
  private var blocks: [UnsafeMutableRawPointer] = []
  private var current: UnsafeMutableRawPointer?
  private var used = 0
  private static let blockSize = 1024

  deinit {
    for block in blocks { block.deallocate() }
  }

  /// `size` bytes, zeroed, for any type.
  func allocate(_ size: Int) -> UnsafeMutableRawPointer {
    let rounded = (max(size, 1) + 15) & ~15
    if rounded > Self.blockSize / 4 { return fresh(rounded) }
    if current == nil || used + rounded > Self.blockSize {
      current = fresh(Self.blockSize)
      used = 0
    }
    defer { used += rounded }
    return (current ?? fresh(rounded)) + used
  }

  private func fresh(_ size: Int) -> UnsafeMutableRawPointer {
    let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    block.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    blocks.append(block)
    return block
  }

  /// A pointer that lies in memory, as libffi wants arguments.
  func pointer(to target: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer {
    let place = allocate(8)
    place.storeBytes(of: target, as: UnsafeMutableRawPointer?.self)
    return place
  }

  /// A copy of bytes, a zero behind them.
  func copy(_ bytes: [UInt8]) -> UnsafeMutableRawPointer {
    let place = allocate(bytes.count + 1)
    bytes.withUnsafeBytes {
      if let from = $0.baseAddress { place.copyMemory(from: from, byteCount: $0.count) }
    }
    return place
  }
}

/// A lock that is taken in one function and released in another.
final class Lock: @unchecked Sendable {
  // Behind a pointer, for a mutex must not move.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>

  init() {
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  func lock() { pthread_mutex_lock(mutex) }
  func unlock() { pthread_mutex_unlock(mutex) }
  /// False when somebody has it.
  func tryLock() -> Bool { pthread_mutex_trylock(mutex) == 0 }
}

/// Time that only grows.
enum Clock {
  /// Seconds since the machine was started.
  static func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
