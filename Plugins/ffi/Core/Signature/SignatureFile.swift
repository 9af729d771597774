// Many functions in one file: `library`, `struct` and signatures, one a line. A line that begins with space
// goes on with the one before; what follows a # is a comment.

/// Reads a signature file.
struct SignatureFile {
  private(set) var endpoints: [Endpoint] = []
  private var library: String?
  private var attributes = Attributes()
  private var structs: [String: StructType] = [:]

  /// The functions that `text` declares. `name` is the file's, for complaints.
  static func parse(_ text: String, name: String) throws(SignatureError) -> [Endpoint] {
    var file = SignatureFile()
    for (line, statement) in statements(of: text) {
      do {
        try file.read(statement)
      } catch {
        throw located(error, in: statement, from: line, name)
      }
    }
    return file.endpoints
  }

  /// Logical lines, each with the number of its first.
  private static func statements(of text: String) -> [(line: Int, text: String)] {
    var found: [(line: Int, text: String)] = []
    let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let kept = line.prefix { $0 != UInt8(ascii: "#") }.map { $0 == 0x0d ? 0x20 : $0 }
      let isBlank = kept.allSatisfy { $0 == 0x20 || $0 == 0x09 }
      let goesOn = kept.first == 0x20 || kept.first == 0x09
      let part = String(decoding: kept, as: UTF8.self)
      if goesOn || isBlank, !found.isEmpty {
        found[found.count - 1].text += "\n" + part
      } else if !isBlank {
        found.append((index + 1, part))
      }
    }
    return found
  }

  /// The complaint with its line: a column inside a statement of several lines is one of that line's.
  private static func located(
    _ error: SignatureError, in statement: String, from line: Int, _ name: String
  ) -> SignatureError {
    var error = error
    var column = error.column
    var offset = 0
    for part in statement.split(separator: "\n", omittingEmptySubsequences: false) {
      let length = part.unicodeScalars.count + 1
      if column <= length { break }
      column -= length
      offset += 1
    }
    (error.column, error.line, error.source) = (column, line + offset, name)
    return error
  }

  private mutating func read(_ statement: String) throws(SignatureError) {
    var scanner = Scanner(statement)
    if scanner.takeWord("library"), !scanner.sees(":"), !scanner.sees("(") {
      scanner.skipSpace()
      let column = scanner.column
      let name = scanner.untilSpace()
      if name.isEmpty { throw SignatureError("library wants a soname or a path", column: column) }
      var parser = SignatureParser(scanner: scanner, structs: structs)
      var common = Attributes()
      try parser.attributes(into: &common)
      (library, attributes) = (name, common)
      return
    }
    scanner = Scanner(statement)
    if scanner.takeWord("struct"), let name = scanner.name() {
      var parser = SignatureParser(scanner: scanner, structs: structs)
      let column = parser.scanner.column
      if structs[name] != nil || Scalar(rawValue: name) != nil {
        throw SignatureError("the type \(name) is declared already", column: column)
      }
      structs[name] = try parser.structure(named: name)
      if !parser.scanner.isAtEnd {
        throw SignatureError("nothing can follow a struct", column: parser.scanner.column)
      }
      return
    }
    let endpoint = try SignatureParser.parse(
      statement, library: library, structs: structs, attributes: attributes)
    if endpoints.contains(where: { $0.path == endpoint.path }) {
      throw SignatureError("the path \(endpoint.path) is taken already", column: 1)
    }
    endpoints.append(endpoint)
  }
}
