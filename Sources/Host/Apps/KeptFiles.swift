import Config
import Glibc

/// Files beside the library that an app is made of, such as the signatures of the runtime ffi: each
/// generation has its own copies, so that a build that is brought back is the build that it was.
enum KeptFiles {
  /// Copies them into files that wait for them, in the order of `keptFiles`.
  static func copy(_ app: AppSettings, into files: ArraySlice<Int32>) throws(LoadError) {
    for (index, output) in zip(app.keptFiles, files) {
      let source = app.options[index].value
      do throws(SystemError) {
        let input = try System.openForReading(source)
        defer { System.close(input) }
        guard try System.status(input).st_mode & S_IFMT == S_IFREG else {
          throw SystemError("open", ENODEV)
        }
        let bytes = try System.contents(input)
        try bytes.withUnsafeBufferPointer { buffer throws(SystemError) in
          try System.writeAll(output, UnsafeRawBufferPointer(buffer))
        }
      } catch {
        let isNone = error.code == ENODEV
        throw .unreadable(path: source, reason: isNone ? "it is no file with an end" : error.reason)
      }
    }
  }

  /// The app with its own copies in place of the operator's files, where there are copies.
  static func substitute(_ app: AppSettings, _ place: AppLoading.Place) -> AppSettings {
    guard case .copied(let copy) = place else { return app }
    var app = app
    for index in app.keptFiles {
      let kept = "\(Paths.directory(of: copy))/\(AppSettings.keptName(index))"
      if System.exists(kept) { app.options[index].value = kept }
    }
    return app
  }

  /// Whether two generations have the same files.
  static func areSame(_ app: AppSettings, _ one: String, _ other: String) -> Bool {
    app.keptFiles.allSatisfy { index in
      let name = AppSettings.keptName(index)
      guard let kept = try? PrivateCopy(source: "", path: "\(one)/\(name)") else { return false }
      return kept.size == 0 || kept.equals("\(other)/\(name)")
    }
  }
}

/// Paths as text.
enum Paths {
  /// The last component of a path.
  static func name(of path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

  /// The directory that a path lies in.
  static func directory(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
  }
}
