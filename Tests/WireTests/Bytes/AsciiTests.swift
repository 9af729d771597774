import Testing
import Wire

/// Byte classes against their definitions, for every byte.
@Suite struct AsciiTests {
  private func raw<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    Array(text.utf8).withUnsafeBytes(body)
  }

  @Test func tokenBytes() {
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
    let tokens = Set(letters.utf8)
    for byte in UInt8.min...UInt8.max { #expect(Ascii.isToken(byte) == tokens.contains(byte), "\(byte)") }
    #expect(raw("Content-Type", Ascii.isToken))
    #expect(!raw("", Ascii.isToken))
    #expect(!raw("a b", Ascii.isToken))
  }

  @Test func fieldValueBytes() {
    for byte in UInt8.min...UInt8.max {
      let isControl = (byte < 32 && byte != 9) || byte == 127
      #expect(Ascii.isFieldValue(byte) == !isControl, "\(byte)")
    }
  }

  @Test func digits() {
    for byte in UInt8.min...UInt8.max {
      let character = Character(UnicodeScalar(byte))
      let isHex = byte < 128 && character.isHexDigit
      #expect(Ascii.isDigit(byte) == (byte >= 0x30 && byte <= 0x39), "\(byte)")
      #expect(Ascii.hex(byte) == (isHex ? UInt8(character.hexDigitValue!) : nil), "\(byte)")
    }
  }

  @Test func lowerChangesLettersOnly() {
    for byte in UInt8.min...UInt8.max {
      let isUpper = byte >= 0x41 && byte <= 0x5a
      #expect(Ascii.lower(byte) == (isUpper ? byte + 32 : byte), "\(byte)")
    }
  }

  @Test func comparisons() {
    #expect(raw("Host") { Ascii.equals($0, "Host") })
    #expect(!raw("host") { Ascii.equals($0, "Host") })
    #expect(!raw("Hos") { Ascii.equals($0, "Host") })
    #expect(raw("hOST") { Ascii.matches($0, "host") })
    #expect(!raw("hosts") { Ascii.matches($0, "host") })
    // "[" and "{", "@" and "`" differ in the bit that letters of two cases differ in.
    #expect(!raw("[") { Ascii.matches($0, "{") })
    #expect(!raw("@") { Ascii.matches($0, "`") })
  }

  @Test func decimal() {
    #expect(raw("0", Ascii.decimal) == 0)
    #expect(raw("0042", Ascii.decimal) == 42)
    #expect(raw("9223372036854775807", Ascii.decimal) == Int64.max)
    let wrong = [
      "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "9223372036854775808", "99999999999999999999", "１",
    ]
    for text in wrong {
      #expect(raw(text, Ascii.decimal) == nil, "\(text)")
    }
  }
}
