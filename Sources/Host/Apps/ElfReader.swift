import CLinux

/// What is wrong with a file that should be a shared library; continues a sentence that begins with its
/// path.
public enum ElfError: Error, Equatable, Sendable, CustomStringConvertible {
  case empty
  case notELF
  /// Shorter than its headers say; the text names the part that is cut off.
  case truncated(String)
  case otherMachine(found: String, host: String)
  /// An executable, an object file, a core dump.
  case notShared(String)
  case malformed(String)

  /// What is wrong and what to do, after the path of the file.
  public var description: String {
    switch self {
    case .empty: "is empty: was the disk full when it was built?"
    case .notELF: "is not a shared library (no ELF header): --app takes what cc -shared makes"
    case .truncated(let what): "is truncated (\(what) cut off): build or copy it again"
    case .otherMachine(let found, let host):
      "is built for \(found) and this is \(host): build it for this machine"
    case .notShared(let kind): "is \(kind), not a shared library: link it with -shared"
    case .malformed(let what): "is a damaged ELF file (\(what)): build it again"
    }
  }
}

/// Checked access to the bytes of an ELF file: nothing outside it is read, whatever its offsets say.
struct ElfReader {
  enum SegmentKind { case load, dynamic, note, threadLocals, other }

  /// A program header: where its bytes are in the file, and where they go in memory.
  struct Segment {
    let kind: SegmentKind
    let file: Range<Int>
    let address: Int
  }

  struct Section {
    let name: String
    let file: Range<Int>
  }

  private let bytes: UnsafeRawBufferPointer
  private static let headerSize = 64, segmentSize = 56, sectionSize = 64

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  // MARK: The file header

  /// Magic, class, byte order, kind and machine (gABI 4, "ELF Header").
  func checkIdentity() throws(ElfError) {
    guard bytes.count > 0 else { throw .empty }
    guard bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46].prefix(bytes.count)) else { throw .notELF }
    guard bytes.count >= Self.headerSize else { throw .truncated("header") }
    let host = Self.machineName(Self.hostMachine)
    guard bytes[4] == 2 else { throw .otherMachine(found: "a 32-bit machine", host: host) }
    guard bytes[5] == 1 else { throw .otherMachine(found: "a big-endian machine", host: host) }
    let machine = try u16(18)
    guard machine == Self.hostMachine else {
      throw .otherMachine(found: Self.machineName(machine), host: host)
    }
    switch try u16(16) {
    case 1: throw .notShared("an object file")
    case 2: throw .notShared("an executable")
    case 3: break
    case 4: throw .notShared("a core dump")
    default: throw .malformed("unknown type")
    }
  }

  private static var hostMachine: Int {
    #if arch(x86_64)
      62
    #elseif arch(arm64)
      183
    #else
      #error("the loader knows x86_64 and aarch64")
    #endif
  }

  private static func machineName(_ machine: Int) -> String {
    switch machine {
    case 3: "i386"
    case 40: "arm"
    case 62: "x86_64"
    case 183: "aarch64"
    case 243: "riscv"
    default: "machine \(machine)"
    }
  }

  // MARK: Tables

  /// The program headers (gABI 5). Bytes outside the file are a truncation.
  func segments() throws(ElfError) -> [Segment] {
    let table = try u64(32)
    let count = try u16(56)
    guard try u16(54) == Self.segmentSize, count > 0 else { throw .malformed("program headers") }
    try check(table, count * Self.segmentSize, "program headers")
    var result: [Segment] = []
    for at in stride(from: table, to: table + count * Self.segmentSize, by: Self.segmentSize) {
      let kind: SegmentKind =
        switch try u32(at) {
        case 1: .load
        case 2: .dynamic
        case 4: .note
        case 7: .threadLocals
        default: .other
        }
      let offset = try u64(at + 8)
      let size = try u64(at + 32)
      if kind != .other { try check(offset, size, "a segment") }
      result.append(
        Segment(kind: kind, file: kind == .other ? 0..<0 : offset..<offset + size, address: try u64(at + 16)))
    }
    return result
  }

  /// The sections that have bytes, by name (gABI 4); empty if the table was stripped.
  func sections() throws(ElfError) -> [Section] {
    let table = try u64(40)
    let count = try u16(60)
    let names = try u16(62)
    guard table != 0, count > 0 else { return [] }
    guard try u16(58) == Self.sectionSize, names < count else { throw .malformed("section headers") }
    try check(table, count * Self.sectionSize, "section headers")
    let strings = try fileRange(ofSectionAt: table + names * Self.sectionSize)
    var result: [Section] = []
    for at in stride(from: table, to: table + count * Self.sectionSize, by: Self.sectionSize) {
      let (null, noBits) = (0, 8)
      let type = try u32(at + 4)
      guard type != null, type != noBits else { continue }
      let range = try fileRange(ofSectionAt: at)
      result.append(Section(name: try string(try u32(at), in: strings), file: range))
    }
    return result
  }

  private func fileRange(ofSectionAt at: Int) throws(ElfError) -> Range<Int> {
    let offset = try u64(at + 24)
    let size = try u64(at + 32)
    try check(offset, size, "a section")
    return offset..<offset + size
  }

  // MARK: Values

  func u8(_ at: Int) throws(ElfError) -> Int {
    try check(at, 1, "a table")
    return Int(bytes[at])
  }

  func u16(_ at: Int) throws(ElfError) -> Int {
    try check(at, 2, "a table")
    return Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self)))
  }

  func u32(_ at: Int) throws(ElfError) -> Int {
    try check(at, 4, "a table")
    return Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
  }

  /// A 64-bit value; refuses those above 2^62, which are no offsets and could overflow.
  func u64(_ at: Int) throws(ElfError) -> Int {
    let value = try bits64(at)
    guard value < 1 << 62 else { throw .malformed("an offset") }
    return Int(value)
  }

  func bits64(_ at: Int) throws(ElfError) -> UInt64 {
    try check(at, 8, "a table")
    return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
  }

  /// A zero-terminated string of a string table.
  func string(_ offset: Int, in table: Range<Int>) throws(ElfError) -> String {
    guard offset < table.count else { throw .malformed("a name") }
    let rest = bytes[(table.lowerBound + offset)..<table.upperBound]
    guard let end = rest.firstIndex(of: 0) else { throw .malformed("a name") }
    return String(decoding: rest[..<end], as: UTF8.self)
  }

  /// Whether the string at that offset is `text`.
  func string(_ offset: Int, in table: Range<Int>, equals text: String) throws(ElfError) -> Bool {
    guard offset < table.count else { throw .malformed("a name") }
    var at = table.lowerBound + offset
    for byte in text.utf8 {
      guard at < table.upperBound, bytes[at] == byte else { return false }
      at += 1
    }
    return at < table.upperBound && bytes[at] == 0
  }

  func contains(_ text: StaticString, in range: Range<Int>) -> Bool {
    let count = text.utf8CodeUnitCount
    guard range.count >= count else { return false }
    guard range.upperBound <= bytes.count else { return false }
    let start = bytes.baseAddress! + range.lowerBound
    return clinux_contains(start, range.count, text.utf8Start, count) != 0
  }

  /// `count` bytes at `at` in hexadecimal; the caller has checked that they are there.
  func hexadecimal(_ at: Int, _ count: Int) -> String {
    var result = ""
    for byte in bytes[at..<at + count] {
      if byte < 16 { result += "0" }
      result += String(byte, radix: 16)
    }
    return result
  }

  private func check(_ offset: Int, _ size: Int, _ what: String) throws(ElfError) {
    guard size >= 0, offset >= 0, size <= bytes.count, offset <= bytes.count - size else {
      throw .truncated(what)
    }
  }
}
