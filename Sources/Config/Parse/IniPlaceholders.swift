// Placeholders in ini values: %p the file, %d its directory with a slash, %s its name, %n its name without
// the ending, %% a percent sign, $(VARIABLE) from the environment. Other percent signs stay (log formats
// use them).

extension IniReader {
  /// The value with its placeholders replaced.
  func expand(_ text: String, path: String, place: String) throws(ConfigError) -> String {
    if !text.utf8.contains(Ascii.percent), !text.utf8.contains(UInt8(ascii: "$")) { return text }
    let file = FileName(
      path.hasPrefix("/") || workingDirectory.isEmpty ? path : workingDirectory + "/" + path)
    var result = ""
    var rest = text[...]
    while let character = rest.popFirst() {
      if character == "%", let letter = rest.first, let replacement = file.placeholder(letter) {
        rest.removeFirst()
        result += replacement
      } else if character == "$", rest.hasPrefix("("),
        let (name, tail) = rest.dropFirst().cut(at: UInt8(ascii: ")"))
      {
        guard let value = environment[String(name)] else {
          throw .unsetVariable(place: place, name: String(name))
        }
        result += value
        rest = tail
      } else {
        result.append(character)
      }
    }
    return result
  }
}

/// The parts of a file's path.
private struct FileName {
  let path: String
  /// With a slash at the end; "./" when the path has none.
  let directory: String
  let name: Substring

  init(_ path: String) {
    self.path = path
    if let slash = path.utf8.lastIndex(of: Ascii.slash) {
      directory = String(path[...slash])
      name = path[path.utf8.index(after: slash)...]
    } else {
      directory = "./"
      name = path[...]
    }
  }

  func placeholder(_ letter: Character) -> String? {
    switch letter {
    case "p": path
    case "d": directory
    case "s": String(name)
    case "n": String(name.utf8.lastIndex(of: Ascii.dot).map { name[..<$0] } ?? name)
    case "%": "%"
    default: nil
    }
  }
}
