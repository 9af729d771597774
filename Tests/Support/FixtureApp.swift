// Small C apps that only tests need: built from Tests/Fixtures/apps when a test first asks for one.
import Foundation
import Synchronization

/// An app of Tests/Fixtures/apps.
public enum FixtureApp {
  private static let folder = Mutex<TemporaryFolder?>(nil)

  /// Builds `Tests/Fixtures/apps/NAME.c` once in this process and returns the library's path; with other
  /// `defines` ("LETTER='B'") it is another build of the app.
  public static func path(_ name: String, defines: [String] = []) throws -> String {
    try folder.withLock { folder in
      let place = try folder ?? TemporaryFolder()
      folder = place
      let build = defines.map { "-" + $0.map { $0.isLetter || $0.isNumber ? "\($0)" : "_" }.joined() }
      let library = place.file("\(name)\(build.joined()).so")
      if access(library, R_OK) == 0 { return library }
      // A server with the Address Sanitizer has its runtime for what its own compiler builds.
      let compiler = ProcessInfo.processInfo.environment["COMPILER_UNDER_TEST"]
      let (exit, output) = try ChildProcess.run(
        try compiler ?? Program.gcc.path(),
        (compiler == nil ? [] : ["-fsanitize=address", "-fno-omit-frame-pointer", "-g"]) + [
          "-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-Wl,--build-id",
          "-fPIC", "-fvisibility=hidden", "-I\(Repository.root)/Sources/CNSGI/include", "-o", library,
          "\(Repository.root)/Tests/Fixtures/apps/\(name).c",
        ] + defines.map { "-D\($0)" })
      guard exit == .status(0) else {
        throw SupportError.ended(program: "gcc \(name).c", exit: exit, output: output)
      }
      return library
    }
  }
}
