// Memory that ends where nothing can be read: a codec that reads one byte too far crashes the test.
import Foundation

/// A block of pages with an inaccessible page behind it.
public final class GuardedMemory {
  private let block: UnsafeMutableRawPointer
  private let size: Int
  private let page: Int

  /// Room for at least `capacity` bytes.
  public init(capacity: Int) {
    page = Int(sysconf(Int32(_SC_PAGESIZE)))
    size = (max(capacity, 1) + page - 1) / page * page
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    let mapped = mmap(nil, size + page, PROT_READ | PROT_WRITE, flags, -1, 0)
    guard let mapped, mapped != MAP_FAILED else { fatalError("mmap: \(String(cString: strerror(errno)))") }
    guard mprotect(mapped + size, page, PROT_NONE) == 0 else {
      fatalError("mprotect: \(String(cString: strerror(errno)))")
    }
    block = mapped
  }

  deinit { munmap(block, size + page) }

  /// A copy of `bytes` that ends on the last byte before the inaccessible page; valid until the next call.
  public func place(_ bytes: ArraySlice<UInt8>) -> UnsafeMutableRawBufferPointer {
    precondition(bytes.count <= size, "more bytes than the block has")
    let target = UnsafeMutableRawBufferPointer(start: block + size - bytes.count, count: bytes.count)
    bytes.withUnsafeBytes { target.copyMemory(from: $0) }
    return target
  }
}
