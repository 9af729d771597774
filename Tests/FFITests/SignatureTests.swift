// Signatures that are refused, each with its reason and column, and signature files.
import Foundation
import Support
import Testing

@testable import FFICore

@Suite struct SignatureTests {
  static let refused = Repository.files(under: "Tests/Fixtures/ffi/refused", suffixes: [".txt"])

  @Test("what cannot be done safely is refused with reason and column", arguments: refused)
  func refusals(path: String) throws {
    let lines = try Repository.text(path).components(separatedBy: "\n")
    let wanted = try #require(lines.first { $0.hasPrefix("! ") }).dropFirst(2)
    do {
      let endpoint = try SignatureParser.parse(lines[0])
      Issue.record("\(path): accepted as \(endpoint)")
    } catch {
      #expect("\(error.column): \(error.reason)" == wanted, "\(path)")
    }
  }

  @Test(
    "paths, libraries and symbols",
    arguments: [
      ("/pow=libm.so.6:pow(x: f64)", "/pow", "libm.so.6", "pow"),
      ("/a/b-c.d = ./lib x.so : f ( )", "/a/b-c.d", "./lib x.so", "f"),
      ("libm.so.6:pow(x: f64)", "/pow", "libm.so.6", "pow"),
      ("/usr/lib/libm.so.6:pow(x: f64)", "/pow", "/usr/lib/libm.so.6", "pow"),
      ("/p=/a=b/c:d.so:f_1()", "/p", "/a=b/c:d.so", "f_1"),
    ])
  func fronts(text: String, path: String, library: String, symbol: String) throws {
    let endpoint = try SignatureParser.parse(text)
    #expect(endpoint.path == path)
    #expect(endpoint.signature.library == library)
    #expect(endpoint.signature.symbol == symbol)
  }

  @Test("the layout of structs is that of C")
  func layout() throws {
    let text = "m:f(s: {a: i8, b: {x: f64, y: i8}, c: u16[3], d: f32, e: bool})"
    let signature = try SignatureParser.parse(text).signature
    guard case .plain(.structure(let type)) = signature.parameters[0].type else {
      Issue.record("\(signature)")
      return
    }
    #expect(type.fields.map(\.offset) == [0, 8, 24, 32, 36])
    #expect(type.size == 40)
    #expect(type.alignment == 8)
  }

  private let file = """
    # Mathematics.
    library libm.so.6 pure threadsafe
    struct pair { a: f64,
                  b: i32 }   # two numbers

    /pow = pow(x: f64,
      y: f64) -> f64
    cbrt(x: f64) -> f64 max=10

    library ./other.so init=begin max=99
    /p = p(x: pair) -> *pair
    /q=third.so:q() -> void errno
    """

  @Test("a file declares many functions")
  func signatureFile() throws {
    let endpoints = try SignatureFile.parse(file, name: "math.sig")
    #expect(endpoints.map(\.path) == ["/pow", "/cbrt", "/p", "/q"])
    #expect(endpoints.map(\.signature.library) == ["libm.so.6", "libm.so.6", "./other.so", "third.so"])
    #expect(endpoints.map(\.signature.attributes.isPure) == [true, true, false, false])
    #expect(endpoints.map(\.signature.attributes.maxBytes) == [nil, 10, 99, 99])
    #expect(endpoints.map(\.signature.attributes.initialiser) == [nil, nil, "begin", "begin"])
    #expect(endpoints[3].signature.attributes.reportsErrno)
    guard case .plain(.structure(let pair)) = endpoints[2].signature.parameters[0].type else {
      Issue.record("\(endpoints[2])")
      return
    }
    #expect(pair.size == 16)
  }

  @Test(
    "a complaint about a file has line and column",
    arguments: [
      ("x", "s.sig:1:2: no \"(\": a signature is written LIBRARY:SYMBOL(NAME: TYPE, …) -> TYPE"),
      ("library m\nf(x: i32,\n  y: i3)", "s.sig:3:6: i3 is no type; types are"),
      ("\n\nlibrary m slow", "s.sig:3:11: slow is no attribute"),
      ("struct a { b: i32 }\nstruct a { b: i32 }", "s.sig:2:10: the type a is declared already"),
      ("struct i32 { b: i32 }", "s.sig:1:12: the type i32 is declared already"),
      ("library m\nf()\n/f=g()", "s.sig:3:1: the path /f is taken already"),
      ("f()", "s.sig:1:1: the library is missing"),
      ("library", "s.sig:1:8: library wants a soname or a path"),
    ])
  func fileComplaints(text: String, complaint: String) throws {
    do {
      let endpoints = try SignatureFile.parse(text, name: "s.sig")
      Issue.record("accepted: \(endpoints)")
    } catch {
      #expect("\(error)".hasPrefix(complaint), "\(error)")
    }
  }

  @Test(
    "libraries and symbols that are not there",
    arguments: [
      ("nothing.so.9:f()", "the library nothing.so.9 cannot be opened: "),
      ("./nothing.so:f()", "the library ./nothing.so cannot be opened: "),
      ("libm.so.6:no_such()", "libm.so.6 has no no_such; `nm -D --defined-only` lists what it has"),
      ("SAMPLE:some_data()", "some_data of "),
      ("SAMPLE:some_local()", "some_local of "),
      ("SAMPLE:motto() -> cstr free=no_such", "SAMPLE has no no_such; "),
    ])
  func unresolved(text: String, complaint: String) throws {
    let library = try Sample.library
    let endpoint = try SignatureParser.parse(text.replacingOccurrences(of: "SAMPLE", with: library))
    var libraries = Libraries()
    do {
      _ = try libraries.resolve(endpoint.signature)
      Issue.record("resolved: \(text)")
    } catch {
      let wanted = complaint.replacingOccurrences(of: "SAMPLE", with: library)
      #expect("\(error)".hasPrefix(wanted), "\(error)")
    }
  }
}
