import Glibc

/// The list of libraries that ldconfig(8) makes of the system's directories: /etc/ld.so.cache, in the form
/// that glibc has written since 2.2.
///
///     "glibc-ld.so.cache1.1"  count: u32  bytes of strings: u32  20 bytes for other things
///     count times  flags: i32  name: u32  path: u32  version: u32  capabilities: u64
///
/// Names and paths end with a zero, and are given by their offset in the file. Inconsistent entries are left
/// out.
struct LibraryCache: Sendable {
  private let bytes: [UInt8]
  private static let magic = Array("glibc-ld.so.cache1.1".utf8)
  private static let headerSize = 48, entrySize = 24, mostEntries = 1 << 18

  #if arch(x86_64)
    /// A library for libc 6 on x86-64.
    private static let flags = 0x0303
  #else
    /// The same on aarch64.
    private static let flags = 0x0a03
  #endif

  /// The system's; empty if there is none, as in small containers.
  init(_ path: String = "/etc/ld.so.cache") {
    guard let fd = try? System.openForReading(path) else {
      bytes = []
      return
    }
    defer { System.close(fd) }
    let all = (try? System.contents(fd)) ?? []
    // An older form may come before it, for an older linker.
    var start: Int?
    if all.starts(with: Self.magic) { start = 0 }
    if start == nil, all.starts(with: Array("ld.so-1.7.0".utf8)), all.count > 16 {
      let count = Self.u32(all, 12)
      let end = 16 + min(count, Self.mostEntries) * 12
      start = (end...(end + 8)).first { $0 <= all.count && all[$0...].starts(with: Self.magic) }
    }
    bytes = start.map { Array(all[$0...]) } ?? []
  }

  /// The files with a name, in the cache's order.
  func files(_ name: String) -> [String] {
    guard bytes.count >= Self.headerSize else { return [] }
    let wanted = Array(name.utf8)
    var result: [String] = []
    for index in 0..<min(Self.u32(bytes, 20), Self.mostEntries) {
      let entry = Self.headerSize + index * Self.entrySize
      guard entry + Self.entrySize <= bytes.count else { break }
      guard Self.u32(bytes, entry) == Self.flags, holds(wanted, at: Self.u32(bytes, entry + 4)),
        let path = text(at: Self.u32(bytes, entry + 8))
      else { continue }
      result.append(path)
    }
    return result
  }

  private func holds(_ text: [UInt8], at place: Int) -> Bool {
    place + text.count < bytes.count && bytes[place + text.count] == 0
      && bytes[place..<(place + text.count)].elementsEqual(text)
  }

  private func text(at place: Int) -> String? {
    guard place < bytes.count, let end = bytes[place...].firstIndex(of: 0), end > place else { return nil }
    return String(decoding: bytes[place..<end], as: UTF8.self)
  }

  private static func u32(_ bytes: [UInt8], _ at: Int) -> Int {
    Int(bytes[at]) | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2]) << 16 | Int(bytes[at + 3]) << 24
  }
}
