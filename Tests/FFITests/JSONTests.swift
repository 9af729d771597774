// JSON as RFC 8259 has it, and nothing else.
import Foundation
import Testing

@testable import FFICore

@Suite struct JSONTests {
  private func parse(_ text: [UInt8]) throws -> JSONValue {
    try text.withUnsafeBytes { try JSONReader.parse($0) }
  }

  @Test(
    "texts and their values",
    arguments: [
      (" null ", .null), ("true", true), ("[]", []), ("{}", .object([])), ("-0", .number("-0")),
      ("1.5e+3", .number("1.5e+3")), ("[1,[2]]", [.number("1"), [.number("2")]]),
      ("{\"a\":{\"b\":false}}", ["a": ["b": false]]),
      ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{c}\n\r\t"),
      ("\"\\u00e9\\ud83d\\uDE00\\u0000\"", "é😀\0"), ("\"é😀\"", "é😀"),
    ] as [(String, JSONValue)])
  func valid(text: String, value: JSONValue) throws {
    #expect(try parse(Array(text.utf8)) == value)
    #expect(try parse(JSONWriter.bytes(of: value)) == value)
  }

  @Test(
    "what is no JSON",
    arguments: [
      "", " ", "nul", "nulls", "True", "01", "1.", ".5", "+1", "1e", "1e+", "-", "0x1", "NaN", "Infinity",
      "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}",
      "{a:1}", "{1:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{\"a\":1,\"a\":2}", "\"",
      "\"a", "\"\\\"", "\"\\x\"", "\"\\u12\"",
      "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\t\"", "\"\n\"", "'a'", "1 2",
      "1,",
      "\u{feff}1", "/**/1", "[1]//", "]",
    ])
  func invalid(text: String) { #expect(throws: JSONError.self) { try parse(Array(text.utf8)) } }

  @Test(
    "strings that are not UTF-8",
    arguments: [
      [0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80],
    ] as [[UInt8]])
  func notUnicode(bytes: [UInt8]) {
    #expect(throws: JSONError.self) { try parse([0x22] + bytes + [0x22]) }
  }

  @Test("levels are bounded")
  func depth() throws {
    let deepest = JSONReader.greatestDepth
    let nested = { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }
    _ = try parse(Array(nested(deepest).utf8))
    #expect(throws: JSONError.self) { try parse(Array(nested(deepest + 1).utf8)) }
    #expect(throws: JSONError.self) { try parse(Array(String(repeating: "[", count: 1_000_000).utf8)) }
  }

  @Test("Foundation reads what is written")
  func written() throws {
    let text = String(String.UnicodeScalarView((0..<0x300).compactMap { Unicode.Scalar($0) }))
    let bytes = JSONWriter.bytes(of: ["text": .string(text), "list": [.number("-1.5"), .null, true]])
    let object = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    #expect(object["text"] as? String == text)
    #expect((object["list"] as? [Any])?.first as? Double == -1.5)
  }

  @Test("base64 goes both ways", arguments: 0..<40)
  func base64(length: Int) {
    let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 37 + length) }
    let text = bytes.withUnsafeBytes { Base64.text(of: $0) }
    #expect(text == Data(bytes).base64EncodedString())
    #expect(Base64.bytes(of: text) == bytes)
  }

  @Test(
    "what is no base64",
    arguments: [
      "A", "AA", "AAA", "AA=A", "A===", "====", "AB==", "AAB=", "AA==AA==", "A A=",
    ])
  func notBase64(text: String) { #expect(Base64.bytes(of: text) == nil) }
}
