import Glibc

/// System calls about spools.
extension System {
  /// Writes all of the bytes at an offset. The corresponding C function is `pwrite`.
  static func writeAll(_ fd: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      done += try retrying("pwrite") {
        attempt(.write, rest.count) {
          pwrite(fd, rest.baseAddress, SystemScript.bounded(rest.count), off_t(offset + Int64(done)))
        }
      }
    }
  }
}
