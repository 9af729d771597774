import Config

/// Where a plugin's file lies: in the operator's directories, beside the executable, in its library
/// directory.
struct PluginSearch {
  /// Directories in the order of the search.
  let places: [String]

  /// - Parameter directories: of `--plugins-dir`.
  init(directories: [String], executable: String = HeldFiles.program) {
    let beside = Self.parent(executable)
    places = directories + (executable.isEmpty ? [] : [beside, Self.parent(beside) + "/lib/nsgi-server"])
  }

  /// The file of a plugin; throws one sentence that names the places looked at.
  func find(_ plugin: RuntimeReference) throws(ServerFailure) -> String {
    if let path = plugin.path {
      if HeldFiles.exists(path) { return path }
      throw ServerFailure("the plugin \(path) does not exist; correct the path given to --plugin")
    }
    let names = ["\(plugin.name)_plugin.so", "lib\(plugin.name)_plugin.so"]
    for place in places {
      for name in names where HeldFiles.exists("\(place)/\(name)") { return "\(place)/\(name)" }
    }
    throw ServerFailure(
      "the plugin \(plugin.name) was not found: neither \(names[0]) nor \(names[1]) is in "
        + "\(Self.list(places)); install nsgi-server-\(plugin.name), build it with `make plugins`, "
        + "or name its directory with --plugins-dir")
  }

  /// The worker library that belongs to a plugin: from the plugin's folder, or from the server's. Nil if
  /// neither has it.
  func library(beside plugin: String) -> String? {
    let names = ["nsgi_worker.so", "libnsgi_worker.so"]
    return ([Self.parent(plugin)] + places).lazy.flatMap { place in names.map { "\(place)/\($0)" } }
      .first { HeldFiles.exists($0) }
  }

  /// One of the server's own libraries, loaded when it is needed.
  func find(library name: String) throws(ServerFailure) -> String {
    let names = ["\(name).so", "lib\(name).so"]
    for place in places {
      for name in names where HeldFiles.exists("\(place)/\(name)") { return "\(place)/\(name)" }
    }
    throw ServerFailure(
      "the library \(names[1]) is in none of \(Self.list(places)); install the server anew, build it "
        + "with `make build`, or name its directory with --plugins-dir")
  }

  private static func parent(_ path: String) -> String {
    path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[..<$0]) } ?? ""
  }

  private static func list(_ words: [String]) -> String {
    words.count < 2
      ? words.joined() : words.dropLast().joined(separator: ", ") + " or " + words[words.count - 1]
  }
}
