// As much of an ELF file as is needed to find its debug information and to tell functions from data.

/// A 64-bit little-endian ELF file in memory.
struct ElfFile {
  private struct Section {
    var name: UnsafeRawBufferPointer
    var contents: UnsafeRawBufferPointer
    var link: Int
    /// It is there as it is: neither compressed nor in another file.
    var isPlain: Bool
  }

  private var sections: [Section] = []

  /// nil if it is none.
  init?(_ bytes: UnsafeRawBufferPointer) {
    var head = ByteCursor(bytes)
    guard head.u32() == 0x464c_457f, head.u8() == 2, head.u8() == 1 else { return nil }
    head = ByteCursor(bytes, from: 40)
    let table = head.u64()
    head = ByteCursor(bytes, from: 58)
    let (size, count, names) = (head.u16(), head.u16(), head.u16())
    guard !head.hasFailed, size >= 64, names < count else { return nil }
    var raw: [(name: Int, section: Section)] = []
    for index in 0..<count {
      var cursor = ByteCursor(bytes, from: table + index * size)
      let (name, type, flags) = (cursor.u32(), cursor.u32(), cursor.u64())
      cursor.skip(8)
      let (offset, length, link) = (cursor.u64(), cursor.u64(), cursor.u32())
      if cursor.hasFailed { return nil }
      // SHT_NOBITS has no bytes; SHF_COMPRESSED has others.
      let isPlain = type != 8 && flags & 0x800 == 0 && offset <= bytes.count && length <= bytes.count - offset
      let none = UnsafeRawBufferPointer(start: nil, count: 0)
      let contents = isPlain ? .init(rebasing: bytes[offset..<(offset + length)]) : none
      raw.append((name, Section(name: none, contents: contents, link: link, isPlain: isPlain)))
    }
    sections = raw.map { entry in
      var section = entry.section
      section.name = raw[names].section.contents.text(at: entry.name)
      return section
    }
  }

  /// The bytes of a section; nil if there is none, or if it is compressed.
  func section(_ name: String) -> UnsafeRawBufferPointer? {
    sections.first { $0.isPlain && $0.contents.count > 0 && $0.name.equals(name) }?.contents
  }

  /// Whether the dynamic symbol of a name is an object or a thread-local (STT_OBJECT, STT_TLS).
  func isData(_ symbol: String) -> Bool {
    guard let table = sections.first(where: { $0.name.equals(".dynsym") }), table.link < sections.count else {
      return false
    }
    let names = sections[table.link].contents
    var cursor = ByteCursor(table.contents)
    while !cursor.isAtEnd {
      let (name, info) = (cursor.u32(), cursor.u8())
      cursor.skip(1)
      let section = cursor.u16()
      cursor.skip(16)
      guard section != 0, names.text(at: name).equals(symbol) else { continue }
      return info & 15 == 1 || info & 15 == 6
    }
    return false
  }

  /// Where the debug information may lie that this file does not have itself: by build id below
  /// /usr/lib/debug, or by the name of `.gnu_debuglink` beside `file`.
  func companions(of file: String) -> [String] {
    var paths: [String] = []
    if let note = section(".note.gnu.build-id"), note.count > 16 {
      let id = note.dropFirst(16).map { byte in
        String(decoding: [Hex.digits[Int(byte >> 4)], Hex.digits[Int(byte & 15)]], as: UTF8.self)
      }
      paths.append("/usr/lib/debug/.build-id/\(id[0])/\(id.dropFirst().joined()).debug")
    }
    if let link = section(".gnu_debuglink") {
      let name = String(decoding: link.text(at: 0), as: UTF8.self)
      let folder = file.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(file[..<$0]) } ?? "."
      for place in [folder, "\(folder)/.debug", "/usr/lib/debug\(folder)"] where !name.isEmpty {
        paths.append("\(place)/\(name)")
      }
    }
    return paths.filter { $0 != file }
  }
}
