import Config

/// Files beside the library that an app is made of, such as the signatures of the runtime ffi: each
/// generation has its own copies, so that a build that is brought back is the build that it was.
enum KeptFiles {
  /// Copies them beside the library's copy.
  static func copy(_ app: AppSettings, into directory: String) throws(LoadError) {
    for index in app.keptFiles {
      let source = app.options[index].value
      do throws(SystemError) {
        let input = try System.openForReading(source)
        defer { System.close(input) }
        let bytes = try System.contents(input)
        let output = try System.createFile(path(index, in: directory))
        defer { System.close(output) }
        try bytes.withUnsafeBufferPointer { buffer throws(SystemError) in
          try System.writeAll(output, UnsafeRawBufferPointer(buffer))
        }
      } catch { throw .unreadable(path: source, reason: error.reason) }
    }
  }

  /// The app with its own copies in place of the operator's files, where there are copies.
  static func substitute(_ app: AppSettings, _ place: AppLoading.Place) -> AppSettings {
    guard case .copied(let copy) = place else { return app }
    var app = app
    for index in app.keptFiles {
      let kept = path(index, in: Paths.directory(of: copy))
      if System.exists(kept) { app.options[index].value = kept }
    }
    return app
  }

  /// Whether two generations have the same files.
  static func areSame(_ app: AppSettings, _ one: String, _ other: String) -> Bool {
    app.keptFiles.allSatisfy { index in
      guard let kept = try? PrivateCopy(source: "", path: path(index, in: one)) else { return false }
      return kept.size == 0 || kept.equals(path(index, in: other))
    }
  }

  private static func path(_ index: Int, in directory: String) -> String { "\(directory)/file-\(index)" }
}

/// Paths as text.
enum Paths {
  /// The directory that a path lies in.
  static func directory(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
  }
}
