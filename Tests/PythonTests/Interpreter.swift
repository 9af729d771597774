// The Pythons of this machine that the plugin can serve with: the system's, and those that pyenv and uv have
// installed. What every one of them has to do is tried with all.
import Foundation
import Support
import Testing

/// One CPython with a shared library.
struct Interpreter: Sendable, CustomTestStringConvertible {
  /// Its program.
  let path: String

  /// What has the server serve with it.
  var options: [String] { ["--python", path] }
  var testDescription: String { path }

  /// The system's, which all other tests are run with.
  static let system = Interpreter(path: "/usr/bin/python3")

  /// All others, at most one of each release: of pyenv and of uv.
  static let others: [Interpreter] = {
    let home = NSHomeDirectory()
    var found: [String: Interpreter] = [:]
    for folder in ["\(home)/.pyenv/versions", "\(home)/.local/share/uv/python"] {
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder))?.sorted() ?? [] {
        for release in (9...14).map({ "3.\($0)" }) {
          let prefix = "\(folder)/\(name)"
          guard access("\(prefix)/bin/python\(release)", X_OK) == 0,
            access("\(prefix)/lib/libpython\(release).so.1.0", R_OK) == 0
          else { continue }
          found[release] = Interpreter(path: "\(prefix)/bin/python\(release)")
        }
      }
    }
    return found.values.sorted { $0.path < $1.path }
  }()

  static var all: [Interpreter] { [system] + others }
}
