// What PEP 3333 gives to an application, used in wrong ways, and what it takes, given as it must not be: an
// exception as CPython's own objects raise it, or a 500, and the next request is served.
import Foundation
import Support
import Testing

@Suite struct MisuseTests {
  @Test("calls with too few arguments, too many, or of other types are TypeErrors")
  func arities() throws {
    try Python.run("misuse") { (server) throws in
      for _ in 0..<3 { #expect(try server.post("/arities", [1, 2, 3]).text == "[]") }
      #expect(try server.get("/arities").text == "[]")
    }
  }

  @Test("sizes beyond any number of the machine's, and below, are as many bytes as there are")
  func sizes() throws {
    try Python.run("misuse") { (server) throws in
      let lines = Array("ab\ncd\nef\ngh\nij\nkl".utf8)
      let first = "b'', b'', b'a', b'b\\n', b'cd\\n', b'ef\\n', b'gh\\n', [b'ij\\n'], b'kl'"
      let rest = "b'', b'', b'', b'', [], [], [], 0, []"
      #expect(try server.post("/sizes", lines).text == "[\(first), \(rest)]")
      for how in [
        "read", "read-1", "read-None", "read-63", "read-vast", "read-negative", "lines", "lines-0",
        "lines-None", "lines-1", "lines-vast", "iteration", "line",
      ] {
        #expect(try server.post("/whole?\(how)", lines).body == lines, "\(how)")
        #expect(try server.get("/whole?\(how)").body.isEmpty, "\(how)")
      }
    }
  }

  @Test("wsgi.errors refuses what is no text, takes any text, and stays open")
  func errors() throws {
    let output = try Python.run("misuse") { (server) throws in
      for _ in 0..<2 { #expect(try server.get("/errors").text == "[]") }
    }
    for line in ["a half \\ud83d of a pair", "first of two", "second of two", "behind the close"] {
      #expect(output.components(separatedBy: "error: \(line)\n").count == 3, "\(line) in:\n\(output)")
    }
    #expect(output.components(separatedBy: "info: printed behind the close\n").count == 3, "\(output)")
    #expect(output.contains("a zero ") && !output.contains("\0"), "\(output)")
  }

  @Test("a head is taken as it is meant to be, or refused at once, whatever it is made of")
  func heads() throws {
    try Python.run("misuse") { (server) throws in
      for _ in 0..<3 {
        let reply = try server.get("/heads")
        #expect(reply.status == 200 && reply.reason == "OK" && reply.text == "[]", "\(reply)")
      }
    }
  }

  @Test("a body that fails anywhere, with any exception, costs its own response alone", arguments: 0..<6)
  func bodies(error: Int) throws {
    let output = try Python.run("misuse") { (server) throws in
      #expect(try server.get("/body?iter-\(error)").status == 500)
      #expect(try server.get("/body?len-\(error)").text == "onetwo")
      let cut = try server.get("/body?middle-\(error)")
      #expect(cut.status == 200 && cut.text == "one" && !cut.isComplete, "\(cut)")
      #expect(try !server.get("/body?end-\(error)").isComplete)
      // What was sent is whole: the failure is the log's.
      for place in ["lookup", "close"] {
        let reply = try server.get("/body?\(place)-\(error)")
        #expect(reply.text == "onetwo" && reply.isComplete, "\(place): \(reply)")
      }
      #expect(try server.get("/heads").text == "[]")
    }
    for words in ["GET /body failed:", "close() of a response body failed:", "cannot be looked up:"] {
      #expect(output.contains(words), "\(words) in:\n\(output)")
    }
  }

  @Test("what is no iterable of bytes is a 500")
  func nothing() throws {
    try Python.run("misuse") { (server) throws in
      for kind in ["None", "number", "function", "text", "object"] {
        #expect(try server.get("/nothing?\(kind)").status == 500, "\(kind)")
      }
      #expect(try server.get("/heads").text == "[]")
    }
  }
}
