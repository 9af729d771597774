// Signatures and requests that nobody would write: each ends in an answer or a complaint with a column.
import Foundation
import Support
import Testing

@testable import FFICore

@Suite struct FuzzTests {
  /// Every signature of the golden files, as material.
  private func signatures() throws -> [String] {
    try GoldenFile.all.flatMap { try $0.read(copy: "fuzz").options.filter { $0.key == "call" }.map(\.value) }
  }

  private func mutated(_ text: String, _ random: inout SplitMix, _ words: [String]) -> String {
    var bytes = Array(text.utf8)
    for _ in 0...random.below(4) {
      let place = random.below(bytes.count + 1)
      switch random.below(5) {
      case 0 where !bytes.isEmpty: bytes.remove(at: min(place, bytes.count - 1))
      case 1: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
      case 2: bytes.insert(contentsOf: words[random.below(words.count)].utf8, at: place)
      case 3: bytes.removeLast(random.below(bytes.count + 1))
      default: bytes += bytes.prefix(random.below(20))
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test("signatures")
  func fuzzedSignatures() throws {
    let words = [
      "(", ")", "{", "}", "[", "]", ":", ",", "=", "?=", "->", "*", "...", "..", "in ", "out ", "inout ",
      "cstr", "bytes", "handle(", "callback(", "len(", "null", "f64", "i8", "-1", "1e999",
      "99999999999999999999", "é", "pure", "max=", "free=", " ", "\n", "#",
      "library m\n", "struct s {",
    ]
    let seeds = try signatures()
    var random = SplitMix(seed: 1)
    var accepted = 0
    for _ in 0..<8_000 {
      let text = mutated(seeds[random.below(seeds.count)], &random, words)
      do throws(SignatureError) {
        _ = try SignatureParser.parse(text)
        accepted += 1
      } catch {
        #expect((1...(text.unicodeScalars.count + 1)).contains(error.column), "\(text): \(error)")
        #expect(!error.reason.isEmpty)
      }
      _ = try? SignatureFile.parse(text, name: "fuzz")
    }
    #expect(accepted > 100)
  }

  @Test("JSON texts")
  func fuzzedJSON() throws {
    let words = ["{", "}", "[", "]", ",", ":", "\"", "\\u", "\\", "1e", "-", "null", "\u{0}", "d800"]
    let seed = #"{"a":[1,-2.5e3,true,null,"x\u00e9\ud83d\ude00"],"b":{"c":"d"}}"#
    var random = SplitMix(seed: 2)
    for _ in 0..<8_000 {
      let text = mutated(seed, &random, words)
      let value = try? Array(text.utf8).withUnsafeBytes { try JSONReader.parse($0) }
      // Foundation is laxer in places, never stricter about what is written here.
      if let value {
        let again = JSONWriter.bytes(of: value)
        #expect(try again.withUnsafeBytes { try JSONReader.parse($0) } == value)
      }
    }
  }

  @Test("requests")
  func fuzzedRequests() throws {
    let names = ["numbers", "structs", "text", "arrays"]
    var random = SplitMix(seed: 3)
    let files = GoldenFile.all.filter { names.contains(where: $0.path.contains) }
    for file in try files.map({ try $0.read(copy: "fuzz") }) {
      let declarations = try Declarations(file.options)
      var libraries = Libraries()
      let app = try FFIApp(declarations.endpoints, entry: nil) { try libraries.resolve($0) }
      let words = [
        "=", "&", "%00", "%ff", "%", ".", "x", "1e308", "-1", "\"", "{", "}", "[", "]", ",", "null", "NaN",
      ]
      for _ in 0..<1_500 {
        var request = file.cases[random.below(file.cases.count)].request
        request.query = Array(mutated(String(decoding: request.query, as: UTF8.self), &random, words).utf8)
        request.body = Array(mutated(String(decoding: request.body, as: UTF8.self), &random, words).utf8)
        if random.below(4) == 0 { request.contentType = "application/json" }
        if random.below(8) == 0 { request.accept = mutated("text/*;q=0.5, */*", &random, words) }
        // The fixture trusts its caller about the length of the second array.
        if request.path == "/dot" { continue }
        let answer = app.answer(request) { _ in nil }
        let fine = [200, 400, 404, 405, 406, 415, 422]
        #expect(fine.contains(answer.status) || request.path == "/latin", "\(request): \(answer)")
      }
    }
  }
}
