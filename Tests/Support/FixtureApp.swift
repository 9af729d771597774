// Small C apps that only tests need: built from Tests/Fixtures/apps when a test first asks for one.
import Foundation
import Synchronization

/// An app of Tests/Fixtures/apps.
public enum FixtureApp {
  private static let folder = Mutex<TemporaryFolder?>(nil)

  /// Builds `Tests/Fixtures/apps/NAME.c` once in this process and returns the library's path.
  public static func path(_ name: String) throws -> String {
    try folder.withLock { folder in
      let place = try folder ?? TemporaryFolder()
      folder = place
      let library = place.file("\(name).so")
      if access(library, R_OK) == 0 { return library }
      let (exit, output) = try ChildProcess.run(
        try Program.gcc.path(),
        [
          "-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-shared",
          "-fPIC", "-fvisibility=hidden", "-I\(Repository.root)/Sources/CNSGI/include", "-o", library,
          "\(Repository.root)/Tests/Fixtures/apps/\(name).c",
        ])
      guard exit == .status(0) else {
        throw SupportError.ended(program: "gcc \(name).c", exit: exit, output: output)
      }
      return library
    }
  }
}
