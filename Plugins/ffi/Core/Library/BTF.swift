// The BPF Type Format (Linux, Documentation/bpf/btf.rst), which `gcc -gbtf` also writes into shared
// libraries.

/// The types of one file.
struct BTF {
  private let types: UnsafeRawBufferPointer
  private let strings: UnsafeRawBufferPointer
  /// Where each type begins, from number 1.
  private let offsets: [Int]

  /// nil if the file has none.
  init?(_ elf: ElfFile) {
    guard let section = elf.section(".BTF") else { return nil }
    var head = ByteCursor(section)
    guard head.u16() == 0xeb9f else { return nil }
    head.skip(2)
    let length = head.u32()
    let (typeStart, typeLength, stringStart, stringLength) = (head.u32(), head.u32(), head.u32(), head.u32())
    let isInside = { start, size in length + start + size <= section.count }
    guard !head.hasFailed, isInside(typeStart, typeLength), isInside(stringStart, stringLength) else {
      return nil
    }
    types = UnsafeRawBufferPointer(rebasing: section[(length + typeStart)...].prefix(typeLength))
    strings = UnsafeRawBufferPointer(rebasing: section[(length + stringStart)...].prefix(stringLength))
    offsets = Self.offsets(in: types)
  }

  private static func offsets(in types: UnsafeRawBufferPointer) -> [Int] {
    var offsets = [0]
    var cursor = ByteCursor(types)
    while !cursor.isAtEnd {
      offsets.append(cursor.position)
      cursor.skip(4)
      let info = cursor.u32()
      cursor.skip(4)
      let count = info & 0xffff
      switch info >> 24 & 0x1f {
      case 1, 14, 17: cursor.skip(4)
      case 3: cursor.skip(12)
      case 4, 5, 15, 19: cursor.skip(12 * count)
      case 6, 13: cursor.skip(8 * count)
      default: break
      }
    }
    return offsets
  }

  /// One type: its kind, its name, its number of members, its size or the type it refers to.
  private struct Entry {
    var kind: Int
    var name: UnsafeRawBufferPointer
    var count: Int
    /// The highest bit of the info word: bit-fields, signed enums.
    var flag: Bool
    var sizeOrType: Int
    /// Behind the three words.
    var rest: ByteCursor
  }

  private func entry(_ number: Int) -> Entry? {
    guard number > 0, number < offsets.count else { return nil }
    var cursor = ByteCursor(types, from: offsets[number])
    let (name, info, size) = (cursor.u32(), cursor.u32(), cursor.u32())
    return cursor.hasFailed
      ? nil
      : Entry(
        kind: info >> 24 & 0x1f, name: strings.text(at: name), count: info & 0xffff, flag: info >> 31 == 1,
        sizeOrType: size, rest: cursor)
  }

  /// With which types a function was compiled; nil if nothing is said of it.
  func declaration(of symbol: String) -> Declaration? {
    for number in offsets.indices {
      guard let function = entry(number), function.kind == 12, function.name.equals(symbol),
        let prototype = entry(function.sizeOrType), prototype.kind == 13
      else { continue }
      var declaration = Declaration(result: shape(prototype.sizeOrType, 0))
      var cursor = prototype.rest
      for _ in 0..<prototype.count {
        let (name, type) = (cursor.u32(), cursor.u32())
        if name == 0, type == 0 {
          declaration.isVariadic = true
        } else {
          declaration.parameters.append(shape(type, 0))
        }
      }
      return declaration
    }
    return nil
  }

  private func shape(_ number: Int, _ depth: Int, isMember: Bool = false) -> CShape {
    if number == 0 { return .void }
    guard depth < 8, let entry = entry(number) else { return .unknown }
    var rest = entry.rest
    switch entry.kind {
    case 1:
      let bits = rest.u32()
      if bits >> 24 & 4 != 0 { return .boolean(size: entry.sizeOrType) }
      return .integer(
        size: entry.sizeOrType, isSigned: bits >> 24 & 1 != 0, isCharacter: entry.sizeOrType == 1)
    case 2: return .pointer(isMember ? .unknown : shape(entry.sizeOrType, depth + 1))
    case 3: return .array(shape(rest.u32(), depth + 1, isMember: isMember))
    case 4: return structure(entry, depth)
    case 5: return .other("a union")
    case 6, 19: return .enumeration(size: entry.sizeOrType)
    case 7: return .structure(name: String(decoding: entry.name, as: UTF8.self), size: nil, members: [])
    case 8, 9, 10, 11, 18: return shape(entry.sizeOrType, depth + 1, isMember: isMember)
    case 13: return .function
    case 16: return .floating(size: entry.sizeOrType)
    default: return .unknown
    }
  }

  private func structure(_ entry: Entry, _ depth: Int) -> CShape {
    var members: [CShape.Member] = []
    var cursor = entry.rest
    for _ in 0..<entry.count {
      cursor.skip(4)
      let (type, place) = (cursor.u32(), cursor.u32())
      let isBitField = entry.flag && place >> 24 != 0
      let bits = entry.flag ? place & 0xff_ffff : place
      let shape = isBitField ? .other("a bit-field") : shape(type, depth + 1, isMember: true)
      members.append(CShape.Member(offset: bits / 8, shape: shape))
    }
    return .structure(
      name: String(decoding: entry.name, as: UTF8.self), size: entry.sizeOrType, members: members)
  }
}
