/// What the dynamic linker looks for on behalf of a library, and where (gABI 5, "Shared Object Dependencies";
/// ld.so(8)).
struct ElfLinks: Equatable, Sendable {
  /// Libraries it links, in order (DT_NEEDED).
  private(set) var needed: [String] = []
  /// Its own name (DT_SONAME).
  private(set) var soname: String?
  /// Where it and the libraries that it loads look first (DT_RPATH); of no effect beside `runpath`.
  private(set) var rpath: [String] = []
  /// Where it looks itself, after LD_LIBRARY_PATH (DT_RUNPATH); nil if it has none.
  private(set) var runpath: [String]?

  /// A library that links nothing.
  init() {}

  init(_ dynamic: ElfDynamic) throws(ElfError) {
    for offset in dynamic.needed { needed.append(try dynamic.string(offset)) }
    if let offset = dynamic.soname { soname = try dynamic.string(offset) }
    if let offset = dynamic.rpath { rpath = Self.directories(try dynamic.string(offset)) }
    if let offset = dynamic.runpath { runpath = Self.directories(try dynamic.string(offset)) }
  }

  /// Reads a file; nil for one that the linker skips: not an ELF file, or one for another machine.
  static func of(_ path: String) -> ElfLinks? {
    do {
      let fd = try System.openForReading(path)
      defer { System.close(fd) }
      let size = Int(try System.fileSize(fd))
      guard size > 0 else { return nil }
      let address = try System.mapFile(fd, size)
      defer { System.unmapFile(address, size) }
      let file = ElfReader(UnsafeRawBufferPointer(start: address, count: size))
      try file.checkIdentity()
      let segments = try file.segments()
      guard let dynamic = segments.first(where: { $0.kind == .dynamic }) else { return nil }
      return try ElfLinks(ElfDynamic(file, segments, dynamic.file))
    } catch { return nil }
  }

  /// An empty entry is the working directory.
  static func directories(_ list: String) -> [String] {
    list.split(separator: ":", omittingEmptySubsequences: false).map { $0.isEmpty ? "." : String($0) }
  }
}
