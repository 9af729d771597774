// A reader of DWARF 2 to 5 that knows one question: with which types was this function compiled? The file may
// be damaged; then the answer is nil or wrong, but nothing beyond the file is read.

/// The debug information of one file.
struct Dwarf {
  let info: UnsafeRawBufferPointer
  private let abbreviations: UnsafeRawBufferPointer
  private let strings: UnsafeRawBufferPointer
  private let lineStrings: UnsafeRawBufferPointer
  private let stringOffsets: UnsafeRawBufferPointer
  private let units: [DwarfUnit]
  private let tables: [Int: [Int: DwarfAbbreviation]]

  /// nil if the file has none, or only compressed.
  init?(_ elf: ElfFile) {
    guard let info = elf.section(".debug_info"), let abbreviations = elf.section(".debug_abbrev") else {
      return nil
    }
    let none = UnsafeRawBufferPointer(start: nil, count: 0)
    self.info = info
    self.abbreviations = abbreviations
    strings = elf.section(".debug_str") ?? none
    lineStrings = elf.section(".debug_line_str") ?? none
    stringOffsets = elf.section(".debug_str_offsets") ?? none
    units = Self.units(of: info)
    var tables: [Int: [Int: DwarfAbbreviation]] = [:]
    for unit in units where tables[unit.abbreviations] == nil {
      tables[unit.abbreviations] = DwarfAbbreviation.table(abbreviations, at: unit.abbreviations)
    }
    self.tables = tables
  }

  private static func units(of info: UnsafeRawBufferPointer) -> [DwarfUnit] {
    var units: [DwarfUnit] = []
    var cursor = ByteCursor(info)
    while !cursor.isAtEnd {
      let start = cursor.position
      var length = cursor.u32()
      let offsetSize = length == 0xffff_ffff ? 8 : 4
      if offsetSize == 8 { length = cursor.u64() }
      let end = cursor.position + length
      guard !cursor.hasFailed, end > cursor.position, end <= info.count else { break }
      let version = cursor.u16()
      var unit = DwarfUnit(
        start: start, entries: 0, end: end, version: version, addressSize: 8, offsetSize: offsetSize,
        abbreviations: 0)
      var kind = 1
      if version >= 5 {
        kind = cursor.u8()
        unit.addressSize = cursor.u8()
        unit.abbreviations = cursor.unsigned(offsetSize)
      } else {
        unit.abbreviations = cursor.unsigned(offsetSize)
        unit.addressSize = cursor.u8()
      }
      // Type units have a signature and an offset, skeletons an identifier.
      if kind == 2 || kind == 6 { cursor.skip(8 + offsetSize) }
      if kind == 4 || kind == 5 { cursor.skip(8) }
      unit.entries = cursor.position
      unit.stringBase = version >= 5 ? offsetSize * 2 : 0
      if (2...5).contains(version) { units.append(unit) }
      cursor = ByteCursor(info, from: end)
    }
    return units
  }

  /// The functions that the library exports, by their names, and where their entries are.
  func functions() -> [String: Int] {
    var found: [String: Int] = [:]
    for unit in units {
      var cursor = ByteCursor(info, from: unit.entries, to: unit.end)
      while !cursor.isAtEnd {
        let place = cursor.position
        guard let entry = entry(&cursor, unit), entry.tag == DwarfTag.subprogram, !entry.isDeclaration else {
          continue
        }
        let whole = completed(entry)
        guard whole.isExternal else { continue }
        for case let name? in [whole.linkageName, whole.name] where name.count > 0 {
          let text = String(decoding: name, as: UTF8.self)
          if found[text] == nil { found[text] = place }
        }
      }
    }
    return found
  }

  /// With which types the function of an entry was compiled.
  func declaration(at place: Int) -> Declaration? {
    entry(at: place).map { declaration(completed($0.entry), $0.cursor, $0.unit) }
  }

  /// The entry with what stands where it refers to.
  private func completed(_ entry: DwarfEntry) -> DwarfEntry {
    var whole = entry
    var origin = entry.origin
    for _ in 0..<4 {
      guard let place = origin, let other = self.entry(at: place)?.entry else { break }
      whole.name = whole.name ?? other.name
      whole.linkageName = whole.linkageName ?? other.linkageName
      whole.type = whole.type ?? other.type
      whole.isExternal = whole.isExternal || other.isExternal
      origin = other.origin
    }
    return whole
  }

  /// Reads the children behind `cursor`.
  private func declaration(_ entry: DwarfEntry, _ cursor: ByteCursor, _ unit: DwarfUnit) -> Declaration {
    var declaration = Declaration(result: entry.type.map { shape(at: $0, 0) } ?? .void)
    for (child, _) in children(of: entry, cursor, unit) {
      switch child.tag {
      case DwarfTag.formalParameter:
        declaration.parameters.append(completed(child).type.map { shape(at: $0, 0) } ?? .unknown)
      case DwarfTag.unspecifiedParameters: declaration.isVariadic = true
      default: continue
      }
    }
    return declaration
  }

  // MARK: Entries

  /// The entries directly below one, of which `cursor` has read the attributes.
  func children(
    of entry: DwarfEntry, _ cursor: ByteCursor, _ unit: DwarfUnit
  ) -> [(entry: DwarfEntry, cursor: ByteCursor)] {
    guard entry.hasChildren else { return [] }
    var found: [(entry: DwarfEntry, cursor: ByteCursor)] = []
    var cursor = cursor
    var depth = 1
    while depth > 0, !cursor.isAtEnd {
      guard let child = self.entry(&cursor, unit) else {
        depth -= 1
        continue
      }
      if depth == 1 { found.append((child, cursor)) }
      if child.hasChildren { depth += 1 }
    }
    return found
  }

  /// The entry at an offset of .debug_info, and what is behind it.
  func entry(at offset: Int) -> (entry: DwarfEntry, cursor: ByteCursor, unit: DwarfUnit)? {
    // The last unit that does not begin behind the offset.
    var (low, high) = (0, units.count)
    while low < high {
      let middle = (low + high) / 2
      if units[middle].entries <= offset { low = middle + 1 } else { high = middle }
    }
    guard low > 0, offset < units[low - 1].end else { return nil }
    let unit = units[low - 1]
    var cursor = ByteCursor(info, from: offset, to: unit.end)
    return entry(&cursor, unit).map { ($0, cursor, unit) }
  }

  /// Reads one entry; nil for the mark that ends a list of children.
  private func entry(_ cursor: inout ByteCursor, _ unit: DwarfUnit) -> DwarfEntry? {
    let code = cursor.uleb()
    guard code != 0 else { return nil }
    guard let shape = tables[unit.abbreviations]?[code] else {
      // Damaged: nothing behind this can be read.
      cursor.skip(.max)
      return nil
    }
    var entry = DwarfEntry(tag: shape.tag, hasChildren: shape.hasChildren)
    for attribute in shape.attributes {
      let value = value(attribute.form, attribute.constant, &cursor, unit)
      entry.take(attribute.name, value)
    }
    return entry
  }

  // MARK: Values

  /// Reads a value by its form (DWARF 5 §7.5.6).
  private func value(
    _ form: Int, _ constant: Int, _ cursor: inout ByteCursor, _ unit: DwarfUnit
  ) -> DwarfValue {
    switch form {
    case 0x0b, 0x0c: return .number(cursor.u8())
    case 0x05: return .number(cursor.u16())
    case 0x06: return .number(cursor.u32())
    case 0x07: return .number(Int(truncatingIfNeeded: cursor.integer(UInt64.self)))
    case 0x0d, 0x0f: return .number(cursor.uleb())
    case 0x19: return .number(1)
    case 0x21: return .number(constant)
    case 0x17: return .number(cursor.unsigned(unit.offsetSize))
    case 0x08: return .text(cursor.text())
    case 0x0e: return .text(strings.text(at: cursor.unsigned(unit.offsetSize)))
    case 0x1f: return .text(lineStrings.text(at: cursor.unsigned(unit.offsetSize)))
    case 0x1a: return .text(indexed(cursor.uleb(), unit))
    case 0x25...0x28: return .text(indexed(cursor.unsigned(form - 0x24), unit))
    case 0x10: return .reference(cursor.unsigned(unit.version == 2 ? unit.addressSize : unit.offsetSize))
    case 0x11: return .reference(unit.start + cursor.u8())
    case 0x12: return .reference(unit.start + cursor.u16())
    case 0x13: return .reference(unit.start + cursor.u32())
    case 0x14: return .reference(unit.start + cursor.u64())
    case 0x15: return .reference(unit.start + cursor.uleb())
    case 0x16: return value(cursor.uleb(), 0, &cursor, unit)
    default:
      skip(form, &cursor, unit)
      return .nothing
    }
  }

  /// Steps over values that say nothing here.
  private func skip(_ form: Int, _ cursor: inout ByteCursor, _ unit: DwarfUnit) {
    switch form {
    case 0x01: cursor.skip(unit.addressSize)
    case 0x03: cursor.skip(cursor.u16())
    case 0x04: cursor.skip(cursor.u32())
    case 0x09, 0x18: cursor.skip(cursor.uleb())
    case 0x0a: cursor.skip(cursor.u8())
    case 0x1b, 0x22, 0x23: _ = cursor.uleb()
    case 0x1c: cursor.skip(4)
    case 0x1d, 0x1f20, 0x1f21: cursor.skip(unit.offsetSize)
    case 0x1e: cursor.skip(16)
    case 0x20, 0x24: cursor.skip(8)
    case 0x29...0x2c: cursor.skip(form - 0x28)
    default: cursor.skip(.max)
    }
  }

  /// A string by its number in .debug_str_offsets.
  private func indexed(_ index: Int, _ unit: DwarfUnit) -> UnsafeRawBufferPointer {
    guard index < stringOffsets.count else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    var cursor = ByteCursor(stringOffsets, from: unit.stringBase + index * unit.offsetSize)
    let offset = cursor.unsigned(unit.offsetSize)
    return cursor.hasFailed ? UnsafeRawBufferPointer(start: nil, count: 0) : strings.text(at: offset)
  }
}
