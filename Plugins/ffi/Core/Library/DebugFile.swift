// A library's file as far as it tells of its own functions; kept open while signatures are compared with it.

/// The debug information of a library, wherever it lies.
final class DebugFile {
  private let file: MappedFile?
  private let elf: ElfFile
  private let dwarf: Dwarf?
  private let btf: BTF?
  /// Where the functions stand in the DWARF: a large library is read once, not once a signature.
  private lazy var functions = dwarf?.functions() ?? [:]
  private let path: String
  private lazy var companions = elf.companions(of: path).compactMap { DebugFile($0) }

  /// nil if the file cannot be opened or is no ELF file.
  convenience init?(_ path: String) {
    guard let file = MappedFile(path) else { return nil }
    self.init(file.bytes, path, file)
  }

  /// The same for bytes in memory, which have to stay.
  init?(_ bytes: UnsafeRawBufferPointer, _ path: String = "", _ file: MappedFile? = nil) {
    guard let elf = ElfFile(bytes) else { return nil }
    (self.file, self.path, self.elf) = (file, path, elf)
    dwarf = Dwarf(elf)
    btf = BTF(elf)
  }

  /// Whether the dynamic symbol of a name is no function.
  func isData(_ symbol: String) -> Bool { elf.isData(symbol) }

  /// With which types a function was compiled; nil if neither this file nor its debug file says so.
  func declaration(of symbol: String) -> Declaration? {
    if let place = functions[symbol], let found = dwarf?.declaration(at: place) { return found }
    if let found = btf?.declaration(of: symbol) { return found }
    for companion in companions {
      if let found = companion.declaration(of: symbol) { return found }
    }
    return nil
  }
}
