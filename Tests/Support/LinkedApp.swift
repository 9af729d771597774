// Apps that link libraries, and those libraries: in several versions, wherever a test wants them.
import Foundation

/// Builds of Tests/Fixtures/apps/linked.c and Tests/Fixtures/libraries/dep.c.
public enum LinkedApp {
  /// A library below another one, and where it lies.
  public struct Below: Sendable {
    let function: String
    let file: String

    /// The library `file`, which says its version by `function`.
    public init(_ function: String, _ file: String) { (self.function, self.file) = (function, file) }
  }

  /// Puts a library at `path`, moved over what is there: its soname is `soname`, and `function` says
  /// `version`, or what a library below it says.
  @discardableResult
  public static func library(
    _ version: Int, at path: String, soname: String = "libdep.so.1", function: String = "dep_version",
    below: Below? = nil
  ) throws -> String {
    let folder = (path as NSString).deletingLastPathComponent
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var words = ["-Wl,-soname,\(soname)", "-DVERSION=\(version)", "-DFUNCTION=\(function)"]
    if let below { words += ["-DNEXT=\(below.function)", below.file] + search(below.file) }
    try compile("\(Repository.root)/Tests/Fixtures/libraries/dep.c", to: path + ".new", words)
    guard rename(path + ".new", path) == 0 else { throw SupportError.system(call: "rename", errno: errno) }
    return path
  }

  /// A build of the app that is linked with `library`, and looks for it in its folder; with nil it opens the
  /// library that its option `library` names.
  public static func build(
    _ name: String, _ number: Int, with library: String?, in folder: TemporaryFolder,
    _ options: [String] = []
  ) throws -> String {
    let path = folder.file("\(name)\(number).so")
    let source = "\(Repository.root)/Tests/Fixtures/apps/linked.c"
    let link = library.map { [$0] + search($0) } ?? ["-DOPENS"]
    try compile(source, to: path, ["-DNUMBER=\(number)"] + link + options)
    return path
  }

  private static func search(_ library: String) -> [String] {
    ["-Wl,-rpath,\((library as NSString).deletingLastPathComponent)"]
  }

  private static func compile(_ source: String, to path: String, _ words: [String]) throws {
    let (exit, output) = try ChildProcess.run(
      try Program.gcc.path(),
      [
        "-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
        "-I\(Repository.root)/Sources/CNSGI/include", "-o", path, source,
      ] + words)
    guard exit == .status(0) else {
      throw SupportError.ended(program: "gcc \(source)", exit: exit, output: output)
    }
  }
}
