import CLinux
import Glibc
import Wire

/// System calls about files that are bodies of responses.
extension System {
  /// The corresponding C function is `open` with O_DIRECTORY and O_PATH.
  static func openDirectory(_ path: String) throws(SystemError) -> Int32 {
    Int32(try retrying("open") { Int(clinux_open_directory(path)) })
  }

  /// Opens for reading a file that lies below a directory even if links are followed. The corresponding
  /// call is `openat2` with RESOLVE_BENEATH.
  static func openBeneath(_ directory: Int32, _ path: String) throws(SystemError) -> Int32 {
    Int32(try retrying("openat2") { Int(clinux_open_beneath(directory, path)) })
  }

  /// Size in bytes; EISDIR or EINVAL if it is not a regular file. The corresponding C function is `fstat`.
  static func regularFileSize(_ fd: Int32) throws(SystemError) -> Int64 {
    let status = try System.status(fd)
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(fd)
      throw SystemError("fstat", status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
    }
    return Int64(status.st_size)
  }

  /// A copy in memory of everything that can be read from a file; nil if that is more than this many bytes.
  /// The corresponding C functions are `memfd_create`, `pread` and `write`.
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

  /// Opens a file or directory below a directory for reading; -1 and errno, EINVAL for a pipe, a socket or a
  /// device, which is not touched. The path ends with NUL. The corresponding call is `openat2` with
  /// RESOLVE_BENEATH.
  static func openBeneath(_ directory: Int32, _ path: UnsafePointer<CChar>) -> Int32 {
    clinux_open_beneath(directory, path)
  }

  /// Opens the file or directory that a path leads to for reading; nil if it cannot be read, is neither, or
  /// if `mayLie` refuses the place where it really is. It is asked before anything happens to the file. The
  /// corresponding C functions are `open` with O_PATH and `readlink`.
  static func openAnywhere(_ path: UnsafePointer<CChar>, if mayLie: ([UInt8]) -> Bool) -> Int32? {
    let place = clinux_open_place(path)
    guard place >= 0 else { return nil }
    defer { close(place) }
    guard let real = realPath(place), mayLie(real) else { return nil }
    let file = clinux_open_again(place)
    return file < 0 ? nil : file
  }

  /// Where the file of a descriptor lies, without links.
  static func realPath(_ descriptor: Int32) -> [UInt8]? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { room in
      let count = clinux_place_of(descriptor, room.baseAddress, UInt(room.count))
      return count < 0 ? nil : Array(UnsafeRawBufferPointer(start: room.baseAddress, count: count))
    }
  }

  /// The file that a path leads to; nil if there is none. The corresponding C function is `stat`.
  static func fileVersion(_ path: UnsafePointer<CChar>) -> FileVersion? {
    var status = stat()
    return stat(path, &status) == 0 ? FileVersion(status) : nil
  }

  /// Whether the kernel makes the file while it is read: neither its size nor its age mean anything. The
  /// corresponding C function is `fstatfs`.
  static func isKernels(_ fd: Int32) -> Bool { clinux_is_kernels(fd) != 0 }

  /// The properties of an open file; nil if they cannot be found out. The corresponding C function is
  /// `fstat`.
  static func fileVersion(_ fd: Int32) -> FileVersion? { (try? System.status(fd)).map(FileVersion.init) }

  /// The kind of an open file, and what it says about itself.
  static func fileStatus(_ fd: Int32) throws(SystemError) -> FileStatus { FileStatus(try System.status(fd)) }
}

/// What a file says about itself.
struct FileStatus {
  let size: Int64
  /// It can be read from any place, unlike pipes, sockets and directories.
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

/// What tells one version of a file from the next, and from other files.
struct FileVersion: Equatable {
  enum Kind { case regular, directory, other }

  let kind: Kind
  let size: Int64
  /// Seconds since 1970, and nanoseconds, of the last change of the content.
  let modified: Int64
  let modifiedNanoseconds: Int64
  /// It has no place on a disk: it is empty, has nothing but holes, or only claims its size.
  let occupiesNothing: Bool
  private let device: UInt64
  private let number: UInt64
  /// The last change of anything about it, in nanoseconds: permissions count too.
  private let changed: Int64

  /// `modified` as answers can show it: a file's time may be any number, and a program that unpacked an
  /// archive may have set it.
  var date: Int64 { min(max(modified, 0), HTTPDate.range.upperBound) }

  init(_ status: stat) {
    kind =
      status.st_mode & S_IFMT == S_IFREG
      ? .regular : status.st_mode & S_IFMT == S_IFDIR ? .directory : .other
    size = Int64(status.st_size)
    occupiesNothing = status.st_blocks == 0
    modified = Int64(status.st_mtim.tv_sec)
    modifiedNanoseconds = Int64(status.st_mtim.tv_nsec)
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
    changed = Int64(status.st_ctim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_ctim.tv_nsec)
  }
}
