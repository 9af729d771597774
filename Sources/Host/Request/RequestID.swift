import CNSGI
import Wire

/// The id of a request in every log that has to do with it: the word of a trusted proxy, or a number that no
/// other request has. Made on first use, so that it costs nothing if nobody asks.
enum RequestID {
  /// Different in each process, so that no two workers give the same.
  private static let seeds = (UInt64.random(in: 1 ... .max), UInt64.random(in: 1 ... .max))
  /// Bytes of an id that are accepted. No precedent; a UUID has 36.
  private static let longest = 128
  /// Hexadecimal digits of a generated one.
  private static let digits = 32

  /// Whether a proxy's word can be an id: it holds nothing that has a meaning in a log, a shell or a query.
  static func isGood(_ text: UnsafeRawBufferPointer) -> Bool {
    (1...longest).contains(text.count)
      && text.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "+"),
          UInt8(ascii: "="):
          true
        default: false
        }
      }
  }

  /// One for an exchange, ending with NUL.
  static func make(_ id: nsgi_id, _ began: UInt64, in arena: inout Arena) -> Text {
    let out = arena.allocate(digits + 1).assumingMemoryBound(to: UInt8.self)
    write(mix(seeds.0 &+ began), to: out)
    write(mix(seeds.1 &+ UInt64(id)), to: out + digits / 2)
    out[digits] = 0
    return Text(out, digits)
  }

  private static func write(_ value: UInt64, to out: UnsafeMutablePointer<UInt8>) {
    for place in 0..<16 {
      let digit = UInt8(truncatingIfNeeded: value >> UInt64(4 * (15 - place))) & 15
      out[place] = digit < 10 ? 0x30 + digit : 0x57 + digit
    }
  }

  /// SplitMix64: different numbers stay different.
  private static func mix(_ value: UInt64) -> UInt64 {
    var value = value &* 0x9e37_79b9_7f4a_7c15
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }
}

/// Variables that an app has set for the line of a request: in the exchange's arena.
struct LogVariable {
  let name: Text
  let value: Text
  let next: UnsafeMutablePointer<LogVariable>?
}

extension Exchange {
  /// Requests have ids.
  var hasName: Bool { owner._withUnsafeGuaranteedRef { $0.settings.log.namesRequests } }

  /// The request's id, followed by a NUL; lives as long as the exchange.
  mutating func requestID() -> Text {
    if requestName.start == nil {
      requestName = told() ?? RequestID.make(id, began == 0 ? System.now() : began, in: &arena)
    }
    return requestName
  }

  /// The id from the sender of the request: a front end's own variable, or a trusted proxy's field.
  private mutating func told() -> Text? {
    guard isNormalized else { return nil }
    for index in 0..<head.count {
      let field = head[index]
      let isVariable = head.form == .variables && Ascii.equals(field.name.bytes(in: base), "REQUEST_ID")
      guard isVariable || meta.isFromTrusted && isName(field) else { continue }
      if RequestID.isGood(field.value.bytes(in: base)) { return terminated(field.value) }
    }
    return nil
  }

  /// Whether a field is the id of the request.
  func isName(_ field: Field) -> Bool {
    let name = field.name.bytes(in: base)
    return switch head.form {
    case .fields: Ascii.matches(name, "x-request-id")
    case .variables: Ascii.equals(name, "HTTP_X_REQUEST_ID") || Ascii.equals(name, "REQUEST_ID")
    }
  }
}

extension UnsafeMutablePointer where Pointee == Exchange {
  /// The variables that the app has set for the request's line; empty if there are none.
  func logvar(_ name: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var next = pointee.logvars
    while let variable = next?.pointee {
      if variable.name.bytes.elementsEqual(name) { return variable.value.bytes }
      next = variable.next
    }
    return Text.empty.bytes
  }
}
