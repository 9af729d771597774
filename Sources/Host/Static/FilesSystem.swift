import CLinux
import Glibc

/// System calls about files that are bodies of responses.
extension System {
  /// The corresponding C function is `open` with O_DIRECTORY and O_PATH.
  static func openDirectory(_ path: String) throws(SystemError) -> Int32 {
    Int32(try retrying("open") { Int(clinux_open_directory(path)) })
  }

  /// Opens for reading what lies below a directory, wherever links lead. The corresponding call is
  /// `openat2` with RESOLVE_BENEATH.
  static func openBeneath(_ directory: Int32, _ path: String) throws(SystemError) -> Int32 {
    Int32(try retrying("openat2") { Int(clinux_open_beneath(directory, path)) })
  }

  /// Size in bytes; EISDIR or EINVAL for what is no regular file. The corresponding C function is `fstat`.
  static func regularFileSize(_ fd: Int32) throws(SystemError) -> Int64 {
    var status = stat()
    _ = try retrying("fstat") { Int(fstat(fd, &status)) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(fd)
      throw SystemError("fstat", status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
    }
    return Int64(status.st_size)
  }

  /// A copy in memory of what can be read of a file; nil if that is more than so many bytes. The
  /// corresponding C functions are `memfd_create`, `pread` and `write`.
  static func copy(_ fd: Int32, atMost limit: Int) throws(SystemError) -> (fd: Int32, size: Int64)? {
    let copy = Int32(try retrying("memfd_create") { Int(clinux_memory_file("file")) })
    var size = 0
    do throws(SystemError) {
      let piece = UnsafeMutableRawPointer.allocate(byteCount: limit + 1, alignment: 16)
      defer { piece.deallocate() }
      while case let count = try read(fd, piece, limit + 1 - size, at: Int64(size)), count > 0 {
        size += count
        guard size <= limit else {
          close(copy)
          return nil
        }
        try writeAll(copy, UnsafeRawBufferPointer(start: piece, count: count))
      }
    } catch {
      close(copy)
      throw error
    }
    return (copy, Int64(size))
  }

  /// What an open file is and says of itself. The corresponding C function is `fstat`.
  static func fileStatus(_ fd: Int32) throws(SystemError) -> FileStatus {
    var status = stat()
    _ = try retrying("fstat") { Int(fstat(fd, &status)) }
    return FileStatus(status)
  }
}

/// What a file says of itself.
struct FileStatus {
  let size: Int64
  /// It can be read from any place: what pipes, sockets and directories cannot.
  let hasOffsets: Bool
  /// The size is how much can be read. Files that occupy no space only claim one: those of /proc say 0 and
  /// those of /sys a page.
  let knowsSize: Bool

  init(_ status: stat) {
    let kind = status.st_mode & S_IFMT
    size = Int64(status.st_size)
    hasOffsets = kind == S_IFREG || kind == S_IFBLK || kind == S_IFCHR
    knowsSize = kind == S_IFREG && status.st_blocks > 0
  }
}
