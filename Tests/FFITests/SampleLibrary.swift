// The library of Tests/Fixtures/ffi/sample.c, compiled in several ways, and programs beside it.
import Foundation
import Support
import Synchronization

/// Things built from Tests/Fixtures/ffi, each once in this process.
enum Sample {
  private static let built = Mutex<[String: String]>([:])
  private static let folder = Mutex<TemporaryFolder?>(nil)

  /// The library without debug information.
  static var library: String { get throws { try library(["-g0"], "sample") } }

  /// The library as gcc makes it with `options`.
  static func library(_ options: [String], _ name: String) throws -> String {
    try build("\(name).so", ["-shared", "-fPIC"] + options, "sample.c", ["-lm"])
  }

  /// The program of a source file.
  static func program(_ name: String) throws -> String {
    // It loads the plugin: one with the Address Sanitizer in it wants its runtime in the program.
    let compiler = ProcessInfo.processInfo.environment["COMPILER_UNDER_TEST"]
    return try build(
      name, ["-I\(Repository.root)/Sources/CNSGI/include"] + (compiler == nil ? [] : ["-fsanitize=address"]),
      "\(name).c", ["-lm", "-ldl"], compiler: compiler)
  }

  private static func build(
    _ name: String, _ options: [String], _ source: String, _ libraries: [String],
    compiler: String? = nil
  ) throws -> String {
    try built.withLock { built in
      if let known = built[name] { return known }
      let place = try folder.withLock { folder in
        let place = try folder ?? TemporaryFolder()
        folder = place
        return place
      }
      let path = place.file(name)
      let (exit, output) = try ChildProcess.run(
        try compiler ?? Program.gcc.path(),
        ["-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror"] + options
          + ["-o", path, "\(Repository.root)/Tests/Fixtures/ffi/\(source)"] + libraries)
      guard exit == .status(0) else {
        throw SupportError.ended(program: "gcc \(source)", exit: exit, output: output)
      }
      built[name] = path
      return path
    }
  }
}
