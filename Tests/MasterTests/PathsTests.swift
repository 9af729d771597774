// Paths by the bytes that the system sees.
import Control
import Testing

@Suite struct PathsTests {
  @Test("a slash with a combining mark behind it separates names all the same")
  func marks() {
    let path = "/srv/\u{301}shared/\u{301}app.so"
    #expect(Paths.components(of: path) == ["srv", "\u{301}shared", "\u{301}app.so"])
    #expect(Paths.name(of: path) == "\u{301}app.so")
    #expect(Paths.directory(of: path) == "/srv/\u{301}shared")
    #expect(Paths.parent(of: path) == "/srv/\u{301}shared")
    #expect(Paths.parent(of: "/app.so") == "/" && Paths.parent(of: "app.so") == nil)
    #expect(Paths.directory(of: "app.so") == "." && Paths.directory(of: "/app.so").isEmpty)
  }
}
