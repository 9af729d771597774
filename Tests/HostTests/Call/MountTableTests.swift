// Which app serves a path: the longest mount that ends at a segment border.
import Config
import Foundation
import Support
import Testing
import Wire

@testable import Host

@Suite struct MountTableTests {
  /// Loads one fixture, mounted several times.
  private func table(_ mounts: [String], _ bench: LoaderBench) throws -> MountTable {
    let generation = try bench.load(try bench.place("conformance"))
    return MountTable(mounts.map { App(mount: $0, name: $0, generation: generation, threads: 1) })
  }

  /// Mount, SCRIPT_NAME and PATH_INFO of a request; nil when no app is there.
  private func found(_ path: String, script: String = "", in table: MountTable) throws -> [String]? {
    var request = SCGIRequest()
    request.variables = [("SCRIPT_NAME", script), ("PATH_INFO", path), ("REQUEST_URI", script + path)]
    let bench = try ExchangeBench(request.bytes, gateway: .scgi)
    guard let calls = table.find(&bench.exchange.pointee) else { return nil }
    func text(_ text: Text) -> String {
      #expect(text.start?[text.count] == 0, "no NUL behind a text")
      return String(decoding: text.bytes, as: UTF8.self)
    }
    return [
      calls.pointee.app.name, text(bench.exchange.pointee.meta.scriptName),
      text(bench.exchange.pointee.meta.pathInfo),
    ]
  }

  @Test func longestPrefixAtASegmentBorder() throws {
    let loader = try LoaderBench()
    let table = try table(["/shop", "", "/shop/cart", "/s"], loader)
    for (path, expected) in [
      ("/", ["", "", "/"]), ("", ["", "", ""]), ("/x", ["", "", "/x"]),
      ("/shop", ["/shop", "/shop", ""]), ("/shop/", ["/shop", "/shop", "/"]),
      ("/shop/7", ["/shop", "/shop", "/7"]),
      ("/shopping", ["", "", "/shopping"]), ("/sho", ["", "", "/sho"]),
      ("/shop/cart", ["/shop/cart", "/shop/cart", ""]), ("/shop/cart/1", ["/shop/cart", "/shop/cart", "/1"]),
      ("/shop/carts", ["/shop", "/shop", "/carts"]), ("/s", ["/s", "/s", ""]),
      ("/s/shop", ["/s", "/s", "/shop"]),
      ("/S", ["", "", "/S"]), ("//shop", ["", "", "//shop"]), ("/shop//cart", ["/shop", "/shop", "//cart"]),
    ] {
      #expect(try found(path, in: table) == expected, "\(path)")
    }
  }

  @Test("without an app at the root, other paths have none")
  func nothingMounted() throws {
    let loader = try LoaderBench()
    let table = try table(["/a", "/b"], loader)
    #expect(try found("/a/x", in: table) == ["/a", "/a", "/x"])
    for path in ["/", "", "/c", "/ab"] { #expect(try found(path, in: table) == nil, "\(path)") }
  }

  @Test("the front end's SCRIPT_NAME is part of the path that is looked at")
  func scriptNameOfTheFrontEnd() throws {
    let loader = try LoaderBench()
    let table = try table(["", "/shop/cart"], loader)
    #expect(try found("/cart/7", script: "/shop", in: table) == ["/shop/cart", "/shop/cart", "/7"])
    #expect(try found("/x", script: "/shop", in: table) == ["", "/shop", "/x"])
  }

  @Test("an app alone at the root takes everything as the front end cut it")
  func singleRoot() throws {
    let loader = try LoaderBench()
    let table = try table([""], loader)
    #expect(try found("/x", script: "/shop", in: table) == ["", "/shop", "/x"])
  }

  @Test("an app alone at a mount is not at the root")
  func singleMount() throws {
    let loader = try LoaderBench()
    let table = try table(["/a"], loader)
    #expect(try found("/a/b", in: table) == ["/a", "/a", "/b"])
    #expect(try found("/b", in: table) == nil)
  }
}
