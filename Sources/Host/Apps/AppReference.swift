/// What `--app` names: a file, and optionally one of its symbols.
public struct AppReference: Equatable, Sendable, CustomStringConvertible {
  /// The operator's file, as given.
  public let path: String
  /// The symbol to use instead of the standard ones.
  public let symbol: String?

  /// The file and, if not nil, the symbol.
  public init(path: String, symbol: String? = nil) {
    self.path = path
    self.symbol = symbol
  }

  /// Reads `PATH` or `PATH:symbol`. The part after the last colon is a symbol if it is a C identifier, and if
  /// no file has the whole name.
  public init(parsing text: String) {
    if !System.exists(text), let colon = text.lastIndex(of: ":") {
      let name = text[text.index(after: colon)...]
      if colon != text.startIndex, Self.isIdentifier(name) {
        self.init(path: String(text[..<colon]), symbol: String(name))
        return
      }
    }
    self.init(path: text)
  }

  private static func isIdentifier(_ name: Substring) -> Bool {
    guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
    return name.utf8.allSatisfy {
      $0 == 0x5f || (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20)
    }
  }

  /// The symbols to look for, the preferred one first.
  package var wanted: [String] { symbol.map { [$0] } ?? ["nsgi_entry", "application"] }

  /// Whether a symbol has the type of nsgi_entry; any other has the type of application, since a library does
  /// not say what type its functions have. `shop_nsgi_entry` lets one library hold several full-form apps.
  package static func isEntry(_ symbol: String) -> Bool {
    symbol == "nsgi_entry" || symbol.hasSuffix("_nsgi_entry")
  }

  /// As the operator writes it.
  public var description: String { symbol.map { "\(path):\($0)" } ?? path }
}
