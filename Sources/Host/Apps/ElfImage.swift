/// What a shared library says about itself in its ELF headers, read without running any of it
/// (System V gABI, chapters 4 and 5). Every offset is checked against the file before it is followed.
package struct ElfImage: Equatable, Sendable {
  /// Who compiled it, as far as its sections tell.
  package enum Language: String, Sendable {
    case c = "C"
    case swift = "Swift"
    case rust = "Rust"
    case go = "Go"
  }

  /// How a symbol is defined.
  package enum Definition: Equatable, Sendable { case function, data }

  /// What the dynamic linker looks for on its behalf, and where.
  private(set) var links = ElfLinks()
  /// The GNU build-id in hexadecimal.
  package private(set) var buildID: String?
  /// It has thread-local variables (PT_TLS).
  package private(set) var hasThreadLocals = false
  /// Its thread-locals need room in the static TLS block, of which there is little (DF_STATIC_TLS).
  package private(set) var needsStaticTLS = false
  /// The linker was told never to unload it (DF_1_NODELETE).
  package private(set) var isNoDelete = false
  /// It has STB_GNU_UNIQUE symbols (C++ inline statics), which pin it in memory.
  package private(set) var hasUniqueSymbols = false
  package private(set) var language = Language.c
  /// Exported symbols among those that were asked for.
  package private(set) var symbols: [String: Definition] = [:]

  /// Libraries it links, in order (DT_NEEDED).
  package var needed: [String] { links.needed }
  /// Its own name (DT_SONAME).
  package var soname: String? { links.soname }
  /// Where it looks for what it links (DT_RUNPATH, or DT_RPATH).
  package var searchPath: [String] { links.runpath ?? links.rpath }

  /// Why the image cannot be unloaded whatever it promises; nil if nothing prevents it.
  package var pinned: String? {
    if isNoDelete { return "it is linked with -z nodelete" }
    if hasUniqueSymbols { return "it has unique symbols (build with -fno-gnu-unique)" }
    if needsStaticTLS { return "its thread-local variables need static room (-ftls-model=initial-exec)" }
    return language == .c ? nil : "\(language.rawValue) code cannot be unloaded"
  }

  /// Reads the headers of a whole file in memory, and which of the `wanted` symbols it exports.
  init(_ bytes: UnsafeRawBufferPointer, wanted: [String]) throws(ElfError) {
    let file = ElfReader(bytes)
    try file.checkIdentity()
    let segments = try file.segments()
    try readSections(file)
    for segment in segments {
      switch segment.kind {
      case .note: try readNotes(file, segment.file)
      case .threadLocals: hasThreadLocals = true
      case .load, .dynamic, .other: break
      }
    }
    guard let dynamic = segments.first(where: { $0.kind == .dynamic }) else {
      throw .malformed("no dynamic section")
    }
    try readDynamic(ElfDynamic(file, segments, dynamic.file), wanted: wanted)
  }

  private mutating func readDynamic(_ dynamic: ElfDynamic, wanted: [String]) throws(ElfError) {
    guard dynamic.flags1 & ElfDynamic.isExecutable == 0 else { throw .notShared("an executable") }
    isNoDelete = dynamic.flags1 & ElfDynamic.isNoDelete != 0
    needsStaticTLS = dynamic.flags & ElfDynamic.hasStaticTLS != 0
    links = try ElfLinks(dynamic)
    for index in 0..<(try dynamic.symbolCount()) {
      let symbol = try dynamic.symbol(index)
      guard symbol.isDefined else { continue }
      if symbol.isUnique { hasUniqueSymbols = true }
      // Compares the bytes in place: a Swift library has tens of thousands of names.
      for name in wanted where try dynamic.string(symbol.name, equals: name) {
        symbols[name] = symbol.isData ? .data : .function
      }
    }
  }

  /// The section table comes last in the file: if it is whole, the file is.
  private mutating func readSections(_ file: ElfReader) throws(ElfError) {
    for section in try file.sections() {
      switch section.name {
      case ".go.buildinfo", ".note.go.buildid": language = .go
      case let name where name.hasPrefix("swift5_"): language = .swift
      case ".comment", ".debug_str":
        if language == .c, file.contains("rustc version", in: section.file) { language = .rust }
      // Compilers before 1.73 leave no comment; the standard library's message of a panic is always there.
      case ".rodata":
        if language == .c, file.contains("RUST_BACKTRACE", in: section.file) { language = .rust }
      // Without the standard library, its unwinder is there, or a substitute for it, by name.
      case ".strtab", ".dynstr":
        if language == .c, file.contains("rust_eh_personality", in: section.file) { language = .rust }
      default: break
      }
    }
  }

  /// Notes: length of name, length of content, type, then both padded to four bytes.
  private mutating func readNotes(_ file: ElfReader, _ range: Range<Int>) throws(ElfError) {
    let (gnu, buildIDType) = (0x0055_4e47, 3)
    var at = range.lowerBound
    while at <= range.upperBound - 16 {
      let nameSize = try file.u32(at)
      let size = try file.u32(at + 4)
      let type = try file.u32(at + 8)
      let content = at + 12 + (nameSize + 3) & ~3
      guard content + size <= range.upperBound else { return }
      if type == buildIDType, nameSize == 4, try file.u32(at + 12) == gnu {
        buildID = file.hexadecimal(content, size)
      }
      at = content + (size + 3) & ~3
    }
  }
}
