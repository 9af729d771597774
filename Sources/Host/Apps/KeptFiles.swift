import Config
import Control
import Glibc

/// Files beside the library that an app is made of, such as the signatures of the runtime ffi, or Python's
/// modules: each generation has its own copies, so that a generation that is brought back is the same build
/// again.
enum KeptFiles {
  /// Copies them into the files prepared for them, in the order of `keptFiles`.
  static func copy(_ app: AppSettings, into files: ArraySlice<Int32>) throws(LoadError) {
    for (index, output) in zip(app.keptFiles, files) {
      let source = app.options[index].value
      do throws(SystemError) {
        let input = try System.openForReading(source)
        defer { System.close(input) }
        guard try System.status(input).st_mode & S_IFMT == S_IFREG else {
          throw SystemError("open", ENODEV)
        }
        try System.writeAll(output, try System.contents(input))
      } catch {
        let isNone = error.code == ENODEV
        throw .unreadable(path: source, reason: isNone ? "it is no file with an end" : error.reason)
      }
    }
  }

  /// The app with its own copies in place of the operator's files, if there are copies.
  static func substitute(_ app: AppSettings, _ place: AppLoading.Place) -> AppSettings {
    guard case .copied(let copy) = place else { return app }
    var app = app
    for index in app.keptFiles {
      let kept = "\(Paths.directory(of: copy))/\(AppSettings.keptName(index))"
      if System.exists(kept) { app.options[index].value = kept }
    }
    let modules = "\(Paths.directory(of: copy))/\(AppSettings.modulesName)"
    if app.keepsModules, let kept = try? PrivateCopy(source: "", path: modules), kept.size > 0 {
      app.options.append(AppOption(key: "server.modules", value: modules))
    }
    return app
  }

  /// Copies what a runtime has kept of an app's modules from another of this server's copies, which is empty
  /// if the runtime has kept nothing; returns whether it has.
  static func copyModules(besides path: String, into output: Int32) -> Bool {
    let modules = "\(Paths.directory(of: path))/\(AppSettings.modulesName)"
    guard let input = try? System.openForReading(modules) else { return false }
    defer { System.close(input) }
    guard let bytes = try? System.contents(input), !bytes.isEmpty else { return false }
    return (try? System.writeAll(output, bytes)) != nil
  }

  /// What tells the builds of a runtime's app apart, as hexadecimal digits: a hash of its kept files, and of
  /// its modules without their first line, which says when they were copied; empty if nothing of it is kept.
  /// The build-id of a runtime's library is the same for all of them.
  static func identifier(_ app: AppSettings, beside copy: String) -> String {
    var hash = FNV1a.basis
    for name in app.copyNames.dropFirst() {
      guard let file = try? System.openForReading("\(Paths.directory(of: copy))/\(name)") else { continue }
      defer { System.close(file) }
      guard let bytes = try? System.contents(file) else { continue }
      let isDated = name == AppSettings.modulesName
      let start = isDated ? bytes.firstIndex(of: UInt8(ascii: "\n")) ?? 0 : 0
      hash = FNV1a.hash(bytes[start...], from: hash)
    }
    guard hash != FNV1a.basis else { return "" }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
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
