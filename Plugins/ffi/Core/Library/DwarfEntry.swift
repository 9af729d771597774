// One debugging information entry (DWARF 5 §2.1): its tag and the few attributes that declarations need.

/// Tags (DWARF 5 §7.5.3).
enum DwarfTag {
  static let arrayType = 0x01, classType = 0x02, enumerationType = 0x04, formalParameter = 0x05
  static let member = 0x0d, pointerType = 0x0f, referenceType = 0x10, structureType = 0x13
  static let subroutineType = 0x15, typedef = 0x16, unionType = 0x17, unspecifiedParameters = 0x18
  static let baseType = 0x24, constType = 0x26, subprogram = 0x2e, volatileType = 0x35
  static let restrictType = 0x37, unspecifiedType = 0x3b, rvalueReferenceType = 0x42, atomicType = 0x47
}

/// The shape of entries (DWARF 5 §7.5.3).
struct DwarfAbbreviation {
  struct Attribute {
    var name: Int
    var form: Int
    var constant: Int
  }

  var tag: Int
  var hasChildren: Bool
  var attributes: [Attribute]

  /// The table at an offset of .debug_abbrev.
  static func table(_ section: UnsafeRawBufferPointer, at offset: Int) -> [Int: DwarfAbbreviation] {
    var table: [Int: DwarfAbbreviation] = [:]
    var cursor = ByteCursor(section, from: offset)
    while !cursor.isAtEnd {
      let code = cursor.uleb()
      if code == 0 { break }
      var entry = DwarfAbbreviation(tag: cursor.uleb(), hasChildren: cursor.u8() != 0, attributes: [])
      while !cursor.isAtEnd {
        let (name, form) = (cursor.uleb(), cursor.uleb())
        // DW_FORM_implicit_const holds its value here.
        let constant = form == 0x21 ? cursor.uleb() : 0
        if name == 0, form == 0 { break }
        entry.attributes.append(Attribute(name: name, form: form, constant: constant))
      }
      table[code] = entry
    }
    return table
  }
}

/// What one attribute holds.
enum DwarfValue {
  case number(Int)
  /// An offset into .debug_info.
  case reference(Int)
  case text(UnsafeRawBufferPointer)
  /// Of no interest, or somewhere else.
  case nothing

  var number: Int? { if case .number(let value) = self { value } else { nil } }
  var reference: Int? { if case .reference(let value) = self { value } else { nil } }
  var text: UnsafeRawBufferPointer? { if case .text(let value) = self { value } else { nil } }
}

/// One unit (DWARF 5 §7.5.1).
struct DwarfUnit {
  /// Offsets into .debug_info: of its header, of its first entry, of its end.
  var start: Int
  var entries: Int
  var end: Int
  var version: Int
  var addressSize: Int
  /// 4, or 8 in the 64-bit format.
  var offsetSize: Int
  var abbreviations: Int
  /// Where its part of .debug_str_offsets begins.
  var stringBase = 0
}

/// One entry.
struct DwarfEntry {
  var tag: Int
  var hasChildren: Bool
  var name: UnsafeRawBufferPointer?
  var linkageName: UnsafeRawBufferPointer?
  var type: Int?
  /// DW_AT_specification or DW_AT_abstract_origin: where the rest of it stands.
  var origin: Int?
  var byteSize: Int?
  var encoding: Int?
  var offset: Int?
  var isExternal = false
  var isDeclaration = false
  var isBitField = false

  mutating func take(_ attribute: Int, _ value: DwarfValue) {
    switch attribute {
    case 0x03: name = value.text
    case 0x6e, 0x2007: linkageName = value.text
    case 0x49: type = value.reference
    case 0x47, 0x31: origin = value.reference
    case 0x0b: byteSize = value.number
    case 0x3e: encoding = value.number
    case 0x38: offset = value.number
    case 0x3f: isExternal = value.number != 0
    case 0x3c: isDeclaration = value.number != 0
    case 0x0d, 0x6b: isBitField = true
    default: break
    }
  }
}
