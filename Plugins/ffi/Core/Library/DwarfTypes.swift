// Types of DWARF as types of C (DWARF 5 §5).

extension Dwarf {
  /// The type at an offset of .debug_info. Pointers inside structs are not followed: no signature has them,
  /// and they lead through all of a large library.
  func shape(at offset: Int, _ depth: Int, isMember: Bool = false) -> CShape {
    guard depth < 8, let (entry, cursor, unit) = entry(at: offset) else { return .unknown }
    switch entry.tag {
    case DwarfTag.typedef, DwarfTag.constType, DwarfTag.volatileType, DwarfTag.restrictType,
      DwarfTag.atomicType:
      return entry.type.map { shape(at: $0, depth + 1, isMember: isMember) } ?? .void
    case DwarfTag.baseType: return base(entry)
    case DwarfTag.pointerType, DwarfTag.referenceType, DwarfTag.rvalueReferenceType:
      return .pointer(entry.type.map { isMember ? .unknown : shape(at: $0, depth + 1) } ?? .void)
    case DwarfTag.enumerationType: return .enumeration(size: entry.byteSize ?? 4)
    case DwarfTag.structureType, DwarfTag.classType: return structure(entry, cursor, unit, depth)
    case DwarfTag.unionType: return .other("a union")
    case DwarfTag.arrayType:
      return .array(entry.type.map { shape(at: $0, depth + 1, isMember: isMember) } ?? .unknown)
    case DwarfTag.subroutineType: return .function
    case DwarfTag.unspecifiedType: return .void
    default: return .unknown
    }
  }

  private func base(_ entry: DwarfEntry) -> CShape {
    let size = entry.byteSize ?? 0
    switch entry.encoding {
    case 0x02: return .boolean(size: size)
    case 0x03: return .other("a complex number")
    case 0x04: return .floating(size: size)
    case 0x05, 0x0d: return .integer(size: size, isSigned: true, isCharacter: false)
    case 0x06: return .integer(size: size, isSigned: true, isCharacter: true)
    case 0x07: return .integer(size: size, isSigned: false, isCharacter: false)
    case 0x08, 0x10: return .integer(size: size, isSigned: false, isCharacter: true)
    default: return .unknown
    }
  }

  private func structure(
    _ entry: DwarfEntry, _ cursor: ByteCursor, _ unit: DwarfUnit, _ depth: Int
  ) -> CShape {
    let name = entry.name.map { String(decoding: $0, as: UTF8.self) } ?? ""
    if entry.isDeclaration { return .structure(name: name, size: nil, members: []) }
    var members: [CShape.Member] = []
    for (child, _) in children(of: entry, cursor, unit) where child.tag == DwarfTag.member {
      let type = child.type.map { shape(at: $0, depth + 1, isMember: true) } ?? .unknown
      members.append(
        CShape.Member(offset: child.offset ?? 0, shape: child.isBitField ? .other("a bit-field") : type))
    }
    return .structure(name: name, size: entry.byteSize, members: members)
  }
}
