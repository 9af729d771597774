import Config

/// The directory of an application, good as it is, of which `server new` makes another one by its name.
struct Template {
  /// The directory.
  let path: String

  /// What the application is called in the template: in its texts and in names of files.
  static let name = "my_app"

  /// Copies the files, and those that links lead to, such as the interface; `name` takes the place of the
  /// template's own. What a build in the template has left is not copied.
  func copy(to target: String, name: String) throws(FileError) {
    for entry in try FileSystem.names(in: path) ?? [] where !Self.isBuilt(entry) {
      let source = "\(path)/\(entry)"
      let place = "\(target)/\(Self.rename(entry, to: name))"
      if FileSystem.isDirectory(source) {
        try Template(path: source).copy(to: place, name: name)
      } else {
        var text = Self.rename(try FileSystem.read(source), to: name)
        if entry == "README.md" { text = Self.callServer(in: text) }
        try FileSystem.write(text, to: place)
      }
    }
  }

  /// The commands of a README with the name that the server has here.
  private static func callServer(in text: String) -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    return lines.map { $0.hasPrefix("server ") ? Program.command + $0.dropFirst(6) : String($0) }
      .joined(separator: "\n")
  }

  /// What builds and first starts make.
  private static let leftOver: Set<String> = [
    ".build", "venv", "__pycache__", "static", "secret_key", "db.sqlite3",
  ]

  private static func isBuilt(_ entry: String) -> Bool {
    leftOver.contains(entry) || entry == "Package.resolved" || entry.hasSuffix(".so")
      || entry.hasSuffix(".new")
  }

  /// Every `my_app` in a text.
  static func rename(_ text: String, to name: String) -> String {
    let own = Array(Self.name.utf8)
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var at = 0
    while at < bytes.count {
      if bytes[at...].starts(with: own) {
        result += name.utf8
        at += own.count
      } else {
        result.append(bytes[at])
        at += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
