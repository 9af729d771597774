/// The dynamic section of a shared library (gABI 5, "Dynamic Section"), which the dynamic linker follows.
struct ElfDynamic {
  static let isNoDelete: UInt64 = 0x8, isExecutable: UInt64 = 0x0800_0000, hasStaticTLS: UInt64 = 0x10

  struct Symbol {
    /// Offset in the string table.
    let name: Int
    let isDefined: Bool
    let isData: Bool
    let isUnique: Bool
  }

  /// Offsets in the string table.
  private(set) var needed: [Int] = []
  private(set) var soname: Int?
  private(set) var rpath: Int?
  private(set) var runpath: Int?
  /// DT_FLAGS and DT_FLAGS_1.
  private(set) var flags: UInt64 = 0
  private(set) var flags1: UInt64 = 0

  private let file: ElfReader
  private let segments: [ElfReader.Segment]
  private var strings = 0..<0
  private var symbolTable: Int?
  private var hash: Int?
  private var gnuHash: Int?

  init(_ file: ElfReader, _ segments: [ElfReader.Segment], _ range: Range<Int>) throws(ElfError) {
    self.file = file
    self.segments = segments
    var stringTable: Int?
    var stringSize = 0
    var at = range.lowerBound
    while at + 16 <= range.upperBound {
      let tag = try file.bits64(at)
      let value = try file.bits64(at + 8)
      guard tag != 0 else { break }
      at += 16
      guard let number = Int(exactly: value) else { continue }
      switch tag {
      case 1: needed.append(number)
      case 4: hash = try offset(of: number)
      case 5: stringTable = try offset(of: number)
      case 6: symbolTable = try offset(of: number)
      case 10: stringSize = number
      case 14: soname = number
      case 15: rpath = number
      case 29: runpath = number
      case 30: flags = value
      case 0x6fff_fef5: gnuHash = try offset(of: number)
      case 0x6fff_fffb: flags1 = value
      default: break
      }
    }
    guard let stringTable, stringSize >= 0, stringSize < 1 << 40 else { throw .malformed("no string table") }
    guard stringSize == 0 || (try? file.u8(stringTable + stringSize - 1)) != nil else {
      throw .truncated("names")
    }
    strings = stringTable..<stringTable + stringSize
  }

  func string(_ offset: Int) throws(ElfError) -> String { try file.string(offset, in: strings) }

  func string(_ offset: Int, equals text: String) throws(ElfError) -> Bool {
    try file.string(offset, in: strings, equals: text)
  }

  /// Where in the file the bytes for a memory address are.
  private func offset(of address: Int) throws(ElfError) -> Int {
    for segment in segments where segment.kind == .load {
      let distance = address - segment.address
      if distance >= 0, distance < segment.file.count { return segment.file.lowerBound + distance }
    }
    throw .malformed("an address outside of its segments")
  }

  // MARK: Symbols

  /// The dynamic section does not say how many symbols there are; the hash tables do.
  func symbolCount() throws(ElfError) -> Int {
    guard symbolTable != nil else { return 0 }
    if let hash { return min(try file.u32(hash + 4), Self.mostSymbols) }
    guard let gnuHash else { throw .malformed("no symbol hash table") }
    return try countFromGNUHash(gnuHash)
  }

  /// More than any library has; keeps a damaged one from costing time.
  private static let mostSymbols = 1 << 24

  /// The GNU hash table: buckets hold the first symbol of a chain, whose last entry has bit 0 set.
  private func countFromGNUHash(_ table: Int) throws(ElfError) -> Int {
    let buckets = try file.u32(table)
    let first = try file.u32(table + 4)
    let bloomWords = try file.u32(table + 8)
    let bucketTable = table + 16 + bloomWords * 8
    let chains = bucketTable + buckets * 4
    var last = 0
    for index in 0..<buckets { last = max(last, try file.u32(bucketTable + index * 4)) }
    guard last >= first else { return first }
    while try file.u32(chains + (last - first) * 4) & 1 == 0 { last += 1 }
    return last + 1
  }

  func symbol(_ index: Int) throws(ElfError) -> Symbol {
    guard let symbolTable else { throw .malformed("no symbols") }
    let at = symbolTable + index * 24
    let info = try file.u8(at + 4)
    let (object, threadLocal, unique) = (1, 6, 10)
    let type = info & 0xf
    return Symbol(
      name: try file.u32(at), isDefined: try file.u16(at + 6) != 0,
      isData: type == object || type == threadLocal,
      isUnique: info >> 4 == unique)
  }
}
