import Control
import Glibc
import Wire

/// When a file is looked for.
struct FileMoment {
  /// Monotonic nanoseconds.
  let now: UInt64
  /// `Rounds.epoch`: what a look at the disk has found holds for all requests of the same epoch.
  let epoch: UInt64
}

/// Recently requested files: small ones in memory, as many as there is room for, larger ones open. Belongs to
/// the leader. Each use compares the file with the one on the disk, unless it was compared after the request
/// had come, so that no change is missed.
struct FileCache {
  private var files: [UInt64: ServedFile] = [:]
  private var bytes = 0
  /// Those that are open.
  private(set) var openCount = 0
  private let room: Int
  private let mostOpen: Int
  private let trust: UInt64

  /// A file that nobody has asked for in this many nanoseconds is not held open: a removed file would keep
  /// its room on the disk. Precedent: nginx `open_file_cache` 60 s.
  private static let idle: UInt64 = 5_000_000_000

  /// Up to `room` bytes and `mostOpen` descriptors, trusted for this many seconds without a look.
  init(room: Int, mostOpen: Int, trustSeconds: Int) {
    (self.room, self.mostOpen) = (room, mostOpen)
    trust = UInt64(trustSeconds) * 1_000_000_000
  }

  /// The file at a path that ends with NUL, which does not count, to be sent in a coding; nil if it is not
  /// here, or has changed.
  mutating func find(
    _ path: UnsafeRawBufferPointer, _ coding: ContentCoding?, at moment: FileMoment
  ) -> ServedFile? {
    let key = Self.key(path, coding)
    guard let file = files[key], file.coding == coding, Self.isSame(file.path, path) else { return nil }
    file.usedAt = moment.now
    if moment.epoch == file.epoch || moment.now < file.trustedUntil { return file }
    let name = path.baseAddress!.assumingMemoryBound(to: CChar.self)
    guard System.fileVersion(name) == file.version else {
      remove(key)
      return nil
    }
    see(file, moment)
    return file
  }

  /// The file is as it lies on the disk.
  private func see(_ file: ServedFile, _ moment: FileMoment) {
    file.epoch = moment.epoch
    file.trustedUntil = moment.now &+ trust
  }

  private static func isSame(_ path: [UInt8], _ other: UnsafeRawBufferPointer) -> Bool {
    guard path.count == other.count, let start = other.baseAddress else { return false }
    return memcmp(path, start, path.count) == 0
  }

  /// Keeps a file whose content is in memory, or one that is open.
  mutating func add(_ file: ServedFile, at moment: FileMoment) {
    let size = Self.size(file)
    guard size <= room, !file.isOpen || mostOpen > 0 else { return }
    let key = file.path.withUnsafeBytes { Self.key($0, file.coding) }
    remove(key)
    // The order of the table, which is arbitrary, decides which ones go.
    while bytes + size > room, let other = files.first?.key { remove(other) }
    if file.isOpen, openCount == mostOpen, let other = files.first(where: \.value.isOpen)?.key {
      remove(other)
    }
    file.usedAt = moment.now
    see(file, moment)
    files[key] = file
    bytes += size
    if file.isOpen { openCount += 1 }
  }

  /// Closes the files that nobody has asked for lately; with `all` also the others, because descriptors are
  /// needed. A file that is being sent stays open to its end.
  mutating func close(all: Bool = false, now: UInt64 = 0) {
    guard openCount > 0 else { return }
    for (key, file) in files where file.isOpen && (all || now &- file.usedAt > Self.idle) { remove(key) }
  }

  /// One file can be kept twice: as a coding of another one, and under its own name.
  private static func key(_ path: UnsafeRawBufferPointer, _ coding: ContentCoding?) -> UInt64 {
    FNV1a.hash(path) &+ (coding.map { UInt64($0.rawValue) + 1 } ?? 0)
  }

  private mutating func remove(_ key: UInt64) {
    guard let file = files.removeValue(forKey: key) else { return }
    bytes -= Self.size(file)
    if file.isOpen { openCount -= 1 }
  }

  /// Content, path and lines, and the memory of the record itself.
  private static func size(_ file: ServedFile) -> Int {
    (file.content?.count ?? 0) + file.path.count + file.lines.count + file.typeLine.count + 288
  }
}
