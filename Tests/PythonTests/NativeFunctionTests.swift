// The functions of the plugin's own module, `_nsgi`, which anybody can import: what is given to them in place
// of what they take is an exception, and neither the end of the worker nor a look at memory that is no such
// thing.
import Foundation
import Support
import Testing

@Suite struct NativeFunctionTests {
  @Test(
    "numbers, bytes and how many of them: an exception each, and the server goes on",
    arguments: [("numbers", 40), ("bytes", 88), ("arities", 31)])
  func mistakes(kind: String, count: Int) throws {
    try Python.run("native") { (server) throws in
      for _ in 0..<2 { #expect(try server.get("/\(kind)").text == "[] of \(count)") }
    }
  }
}
