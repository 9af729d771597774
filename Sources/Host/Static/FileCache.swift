import Control
import Wire

/// Small files in memory, as many as there is room for. The leader's. Each use compares the file with the one
/// on the disk, so that no change is missed.
struct FileCache {
  private var files: [UInt64: ServedFile] = [:]
  private var bytes = 0
  private let room: Int
  private let trust: UInt64

  /// Up to `room` bytes, trusted for so many seconds without a look.
  init(room: Int, trustSeconds: Int) {
    self.room = room
    trust = UInt64(trustSeconds) * 1_000_000_000
  }

  /// The file of a path that ends with NUL, which does not count; nil if it is not here, or has changed.
  mutating func find(_ path: UnsafeRawBufferPointer, now: UInt64) -> ServedFile? {
    let key = FNV1a.hash(path)
    guard let file = files[key], file.path.elementsEqual(path) else { return nil }
    if now < file.trustedUntil { return file }
    let name = path.baseAddress!.assumingMemoryBound(to: CChar.self)
    guard System.fileVersion(name) == file.version else {
      remove(key)
      return nil
    }
    file.trustedUntil = now &+ trust
    return file
  }

  /// Keeps a file whose content is in memory.
  mutating func add(_ file: ServedFile, now: UInt64) {
    let size = Self.size(file)
    guard size <= room else { return }
    let key = FNV1a.hash(file.path)
    remove(key)
    // Which ones go is left to the order of the table: it is no order at all.
    while bytes + size > room, let other = files.first?.key { remove(other) }
    file.trustedUntil = now &+ trust
    files[key] = file
    bytes += size
  }

  private mutating func remove(_ key: UInt64) {
    if let file = files.removeValue(forKey: key) { bytes -= Self.size(file) }
  }

  /// Content, path and lines, and what the record itself takes.
  private static func size(_ file: ServedFile) -> Int {
    (file.content?.count ?? 0) + file.path.count + file.lines.count + 256
  }
}
