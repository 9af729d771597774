// A file's placeholders: %p its path, %d its directory with a slash, %s its name, %n its name without the
// extension, %% a percent sign, all of which [server] has too; and in [uwsgi] those of uWSGI's that query the
// machine. Other percent signs are kept: log formats and references (`%(name)`) use them.

/// The parts of a file's path, and what its sections may query about the machine.
struct FilePlaceholders {
  let path: String
  /// The file and the section, as they were requested.
  let asked: String
  let section: String
  /// With a slash at the end; "./" when the path has none.
  let directory: String
  let name: Substring
  let workingDirectory: String
  let surroundings: Surroundings

  init(path given: String, section: String?, workingDirectory: String, _ surroundings: Surroundings) {
    path = Self.absolute(given, workingDirectory)
    asked = section.map { "\(given):\($0)" } ?? given
    self.section = section ?? ""
    if let slash = path.utf8.lastIndex(of: Ascii.slash) {
      directory = String(path[...slash])
      name = path[path.utf8.index(after: slash)...]
    } else {
      directory = "./"
      name = path[...]
    }
    self.workingDirectory = workingDirectory
    self.surroundings = surroundings
  }

  /// The path from the root, without `.` and without the `..` that it begins with. One behind a name stays,
  /// because the name may be that of a link.
  private static func absolute(_ given: String, _ workingDirectory: String) -> String {
    let isAbsolute = given.hasPrefix("/")
    if !isAbsolute, workingDirectory.isEmpty { return given }
    var parts = isAbsolute ? [] : workingDirectory.split(separator: "/")
    var isBeginning = !isAbsolute
    for part in given.split(separator: "/") where part != "." {
      if part == "..", isBeginning {
        _ = parts.popLast()
      } else {
        isBeginning = false
        parts.append(part)
      }
    }
    return "/" + parts.joined(separator: "/")
  }

  /// The text with its placeholders replaced; nil if it has more than `most` bytes.
  func expand(_ text: String, _ dialect: Dialect, most: Int) -> String? {
    guard text.utf8.contains(Ascii.percent) else { return text }
    var result = ""
    var rest = text[...]
    while let character = rest.popFirst() {
      if character != "%" {
        result.append(character)
      } else if dialect == .server {
        result += takeSigns(&rest)
      } else if let letter = rest.first, let replacement = own(letter) ?? foreign(letter) {
        rest.removeFirst()
        result += replacement
      } else {
        result += "%"
      }
      if result.utf8.count > most { return nil }
    }
    return result
  }

  /// The replacement for a percent sign and those after it, including the letter that may follow the last
  /// one. Before a bracket they are left to `References`: `%%(` would otherwise become a reference.
  private func takeSigns(_ rest: inout Substring) -> String {
    let count = 1 + rest.utf8.prefix { $0 == Ascii.percent }.count
    rest = rest.dropFirst(count - 1)
    if rest.utf8.first == UInt8(ascii: "(") { return String(repeating: "%", count: count) }
    let pairs = String(repeating: "%", count: count / 2)
    guard count % 2 == 1 else { return pairs }
    guard let letter = rest.first, let replacement = own(letter) else { return pairs + "%" }
    rest.removeFirst()
    return pairs + replacement
  }

  private func own(_ letter: Character) -> String? {
    switch letter {
    case "p": path
    case "d": directory
    case "s": String(name)
    case "n": String(name.utf8.lastIndex(of: Ascii.dot).map { name[..<$0] } ?? name)
    case "%": "%"
    default: nil
    }
  }

  /// Upper-case letters mean the first file of a chain of templates: the file itself if there is only one.
  private func foreign(_ letter: Character) -> String? {
    switch letter {
    case "P", "D", "S", "N": own(Character(letter.lowercased()))
    case "c", "C": directories.last ?? ""
    case "e", "E":
      name.utf8.lastIndex(of: Ascii.dot).map { String(name[name.utf8.index(after: $0)...]) } ?? ""
    case "o", "O": asked
    case "x", "X": section
    case "v": workingDirectory
    case "V": "\(Program.version)"
    case "h": surroundings.hostName()
    case "k": "\(surroundings.processors())"
    case "t": "\(surroundings.microseconds() / 1_000_000)"
    case "T": "\(surroundings.microseconds())"
    case "i", "I": "\(surroundings.inode(path))"
    case "j", "J": hash
    case "u": "\(surroundings.identity().user.0)"
    case "U": surroundings.identity().user.1
    case "g": "\(surroundings.identity().group.0)"
    case "G": surroundings.identity().group.1
    case "[": "\u{1b}"
    case "0"..."9": letter.wholeNumberValue.flatMap { directories.dropFirst($0).first } ?? ""
    default: nil
    }
  }

  private var directories: [String] { directory.split(separator: "/").map(String.init) }

  /// Eight hexadecimal digits of the path (Bernstein's hash with XOR), the lowest byte first, as uWSGI writes
  /// the number of a little-endian machine.
  private var hash: String {
    let sum = path.utf8.reduce(UInt32(5381)) {
      ($0 &* 33) ^ UInt32(truncatingIfNeeded: Int8(bitPattern: $1))
    }
    let digits = String(sum.byteSwapped, radix: 16, uppercase: true)
    return String(repeating: "0", count: 8 - digits.utf8.count) + digits
  }
}
