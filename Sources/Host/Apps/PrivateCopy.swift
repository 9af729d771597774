import Config
import Glibc

/// The server's own copy of an application's file: immutable, and under a name that is never used again.
///
/// The operator's file itself is not loaded: for a name (or an inode) that it has seen, dlopen answers with
/// the old image, and a library that is overwritten or truncated while mapped takes the process along.
package struct PrivateCopy {
  /// The operator's file.
  package let source: String
  /// The copy.
  package let path: String
  /// Bytes.
  package let size: Int

  /// A copy that another process of this server has made.
  init(source: String, path: String) throws(LoadError) {
    (self.source, self.path) = (source, path)
    do {
      let fd = try System.openForReading(path)
      defer { System.close(fd) }
      size = Int(try System.fileSize(fd))
    } catch { throw .unreadable(path: path, reason: error.reason) }
  }

  /// Copies the file into a new directory of `runtime`; refuses a file that changes meanwhile.
  package init(of source: String, in runtime: RuntimeDirectory) throws(LoadError) {
    let path: String
    let output: Int32
    do {
      path = try runtime.makeCopyDirectory() + "/" + AppSettings.copyName(of: source)
      output = try System.createFile(path)
    } catch { throw .copyFailed(path: source, reason: "\(error)") }
    defer { System.close(output) }
    try self.init(of: source, at: path, into: output)
    do { try System.setMode(output, 0o400) } catch { throw .copyFailed(path: source, reason: "\(error)") }
  }

  /// Copies the file into the one at `path` that is open as `output`, made for it and used by nothing else.
  init(of source: String, at path: String, into output: Int32) throws(LoadError) {
    let input: Int32
    let before: stat
    do throws(SystemError) {
      input = try System.openForReading(HeldFiles.place(of: source))
    } catch {
      if error.code == ENOENT || error.code == ENOTDIR { throw .missing(path: source) }
      throw .unreadable(path: source, reason: error.reason)
    }
    defer { System.close(input) }
    do throws(SystemError) { before = try System.status(input) } catch {
      throw .unreadable(path: source, reason: error.reason)
    }
    guard before.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: source) }

    do {
      size = try Self.copy(input, to: output)
      let after = try System.status(input)
      guard size == Int(before.st_size), Self.isSame(before, after) else {
        throw LoadError.changing(path: source)
      }
    } catch let error as LoadError { throw error } catch {
      throw .copyFailed(path: source, reason: "\(error)")
    }
    (self.source, self.path) = (source, path)
  }

  private static func copy(_ input: Int32, to output: Int32) throws(SystemError) -> Int {
    let capacity = 256 * 1024
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
    defer { buffer.deallocate() }
    var done = 0
    while true {
      let count = try System.read(input, buffer.baseAddress!, capacity, at: Int64(done))
      if count == 0 { return done }
      try System.writeAll(output, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      done += count
    }
  }

  private static func isSame(_ one: stat, _ other: stat) -> Bool {
    one.st_size == other.st_size && one.st_mtim.tv_sec == other.st_mtim.tv_sec
      && one.st_mtim.tv_nsec == other.st_mtim.tv_nsec
  }

  /// Whether another file holds the same bytes.
  func equals(_ other: String) -> Bool {
    guard let one = try? System.openForReading(path) else { return false }
    defer { System.close(one) }
    guard let two = try? System.openForReading(other) else { return false }
    defer { System.close(two) }
    guard size > 0, (try? System.fileSize(two)) == Int64(size), let first = try? System.mapFile(one, size)
    else {
      return false
    }
    defer { System.unmapFile(first, size) }
    guard let second = try? System.mapFile(two, size) else { return false }
    defer { System.unmapFile(second, size) }
    return UnsafeRawBufferPointer(start: first, count: size)
      .elementsEqual(UnsafeRawBufferPointer(start: second, count: size))
  }

  /// Reads the ELF headers of the copy, including which symbols of `wanted` it exports.
  package func inspect(wanted: [String]) throws(LoadError) -> ElfImage {
    guard size > 0 else { throw .badImage(path: source, .empty) }
    do {
      let fd = try System.openForReading(path)
      defer { System.close(fd) }
      let address = try System.mapFile(fd, size)
      defer { System.unmapFile(address, size) }
      return try ElfImage(UnsafeRawBufferPointer(start: address, count: size), wanted: wanted)
    } catch let error as ElfError { throw .badImage(path: source, error) } catch {
      throw .unreadable(path: path, reason: "\(error)")
    }
  }
}
