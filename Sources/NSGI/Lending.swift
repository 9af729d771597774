import CNSGI

/// A copy of bytes that stays at one place for as long as it lives: made once, lent to many responses.
public final class LentBytes: Sendable {
  /// The bytes; valid while the object is.
  public nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

  public init(_ source: some Collection<UInt8>) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 16)
    copy.copyBytes(from: source)
    bytes = UnsafeRawBufferPointer(copy)
  }

  deinit { bytes.deallocate() }
}

/// Bytes that the server sends from where they are.
enum Lending {
  /// Hands them to the server with one reference to `owner`, which it lets go exactly once, on any thread:
  /// when it is done with them, and on error as well. An nsgi_result.
  static func lend(
    _ bytes: UnsafeRawBufferPointer, keeping owner: AnyObject, to host: HostTable, _ id: nsgi_id
  ) -> Int32 {
    let kept = Unmanaged.passRetained(owner).toOpaque()
    return host.pointee.lend(id, bytes.baseAddress, bytes.count, letGo, kept)
  }

  private static let letGo: @convention(c) (UnsafeMutableRawPointer?) -> Void = { kept in
    if let kept { Unmanaged<AnyObject>.fromOpaque(kept).release() }
  }
}
