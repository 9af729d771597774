// From signatures to functions that can be called: libraries are opened, symbols found and compared with what
// the libraries say of themselves, initialisers run.

/// The libraries of one app.
struct Libraries {
  private var open: [String: OpenLibrary] = [:]
  /// By path; an inner nil: it cannot be read.
  private var files: [String: DebugFile?] = [:]
  private var initialised: Set<String> = []
  /// What the operator should know: which signatures could not be compared.
  private(set) var notes: [String] = []

  /// The addresses that a signature needs. Runs the library's initialiser, once.
  mutating func resolve(_ signature: Signature) throws(LibraryError) -> Symbols {
    let library = try library(signature.library)
    let address = try function(signature.symbol, of: signature, in: library)
    try compare(signature, address)
    var symbols = Symbols(code: unsafeBitCast(address, to: CodePointer.self))
    for name in Self.freeFunctions(of: signature) {
      let address = try function(name, of: signature, in: library)
      symbols.free[name] = unsafeBitCast(address, to: FreeFunction.self)
    }
    if let name = signature.attributes.initialiser,
      initialised.insert("\(signature.library):\(name)").inserted
    {
      unsafeBitCast(try function(name, of: signature, in: library), to: CodePointer.self)()
    }
    return symbols
  }

  private mutating func library(_ name: String) throws(LibraryError) -> OpenLibrary {
    if let known = open[name] { return known }
    let library = try LibrarySystem.open(name)
    open[name] = library
    return library
  }

  /// What a file says of itself.
  private mutating func debugFile(_ path: String) -> DebugFile? {
    if let known = files[path] { return known }
    let file = DebugFile(path)
    files[path] = .some(file)
    return file
  }

  private mutating func function(
    _ symbol: String, of signature: Signature, in library: OpenLibrary
  ) throws(LibraryError) -> UnsafeMutableRawPointer {
    guard let address = LibrarySystem.address(of: symbol, in: library) else {
      throw .noSymbol(symbol: symbol, library: signature.library)
    }
    // It may stand in a library that this one needs.
    let file = LibrarySystem.file(with: address) ?? library.file ?? signature.library
    if debugFile(file)?.isData(symbol) == true {
      throw .notAFunction(symbol: symbol, library: signature.library)
    }
    return address
  }

  private static func freeFunctions(of signature: Signature) -> Set<String> {
    var names: Set<String> = []
    func add(_ ownership: Ownership) {
      if case .free(let symbol) = ownership { names.insert(symbol) }
    }
    switch signature.result {
    case .text(let ownership), .handle(_, let ownership): add(ownership)
    case .void, .plain, .pointer: break
    }
    for parameter in signature.parameters {
      switch parameter.type {
      case .outHandle(_, let ownership), .outText(let ownership): add(ownership)
      default: continue
      }
    }
    return names
  }

  /// Compares with the library's debug information, where there is any.
  private mutating func compare(
    _ signature: Signature, _ address: UnsafeMutableRawPointer
  ) throws(LibraryError) {
    guard let file = LibrarySystem.file(with: address) else { return }
    switch debugFile(file)?.declaration(of: signature.symbol) {
    case .none:
      let note = "\(signature.library) has no debug information: its signatures are taken on trust"
      if !notes.contains(note) { notes.append(note) }
    case .some(let declaration):
      if let reason = Comparison.difference(signature, declaration) {
        throw .mismatch(symbol: signature.symbol, library: signature.library, reason: reason)
      }
    }
  }
}
