// The part of the plugin that is written in Python, without a server.
import Foundation
import Support
import Testing

@Suite struct BootstrapTests {
  @Test("its functions do what their names say")
  func units() throws {
    let test = "\(Repository.root)/Tests/Fixtures/python/bootstrap_test.py"
    let (exit, output) = try ChildProcess.run(
      "/usr/bin/python3", ["-B", "-W", "error", test, "\(Repository.root)/Plugins/python3/bootstrap.py"])
    #expect(exit == .status(0), "\(output)")
    #expect(output.contains("\nOK"), "\(output)")
  }
}
