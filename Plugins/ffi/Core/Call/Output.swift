// What a call gives back: values on their way from C's memory into an answer.
import Glibc

/// One value of an answer.
enum Output: Equatable, Sendable {
  /// Numbers, structs, arrays, handles, what callbacks collected, null.
  case value(JSONValue)
  /// Text as the library wrote it.
  case text([UInt8])
  case bytes([UInt8])

  /// As JSON; nil if it is text that is not UTF-8.
  var json: JSONValue? {
    switch self {
    case .value(let value): value
    case .text(let bytes): String(validating: bytes, as: UTF8.self).map { .string($0) }
    case .bytes(let bytes): .string(bytes.withUnsafeBytes { Base64.text(of: $0) })
    }
  }

  /// As plain text or as raw bytes: strings without quotes, everything else as in JSON.
  var raw: [UInt8] {
    switch self {
    case .text(let bytes), .bytes(let bytes): bytes
    case .value(.string(let string)): Array(string.utf8)
    case .value(.null): []
    case .value(let value): JSONWriter.bytes(of: value)
    }
  }

  var isBinary: Bool { if case .bytes = self { true } else { false } }
}

/// What one call gave back.
struct Outcome: Equatable, Sendable {
  /// nil: void.
  var result: Output?
  /// After the call; nil unless the signature asks for it.
  var errorNumber: Int32?
  /// Parameters that the function filled, in the order of the signature.
  var outputs: [(name: String, value: Output)] = []
  /// The result says so (`fails=`).
  var hasFailed = false

  static func == (one: Outcome, other: Outcome) -> Bool {
    one.result == other.result && one.errorNumber == other.errorNumber && one.hasFailed == other.hasFailed
      && one.outputs.elementsEqual(other.outputs) { $0.name == $1.name && $0.value == $1.value }
  }
}

extension JSONValue {
  /// A number; NaN and the infinities, which JSON lacks, become strings.
  init(_ number: Number) {
    switch number {
    case .bool(let value): self = .bool(value)
    case .float(let value) where !value.isFinite: self = .string(NumberText.text(number))
    case .double(let value) where !value.isFinite: self = .string(NumberText.text(number))
    default: self = .number(NumberText.text(number))
    }
  }

  /// What lies at `place`.
  init(_ type: PlainType, at place: UnsafeRawPointer) {
    switch type {
    case .scalar(let scalar): self.init(Number(scalar, at: place))
    case .structure(let structure):
      self = .object(
        structure.fields.map { field in
          let member = place + field.offset
          guard let count = field.count, case .scalar(let scalar) = field.type else {
            return Member(field.name, JSONValue(field.type, at: member))
          }
          return Member(field.name, JSONValue(scalar, count: count, at: member))
        })
    }
  }

  /// `count` numbers that lie at `place`.
  init(_ scalar: Scalar, count: Int, at place: UnsafeRawPointer) {
    self = .array((0..<count).map { JSONValue(Number(scalar, at: place + $0 * scalar.size)) })
  }
}

/// Text of the library, up to its NUL.
enum CText {
  /// nil if there is no NUL within `most` bytes.
  static func bytes(at place: UnsafeRawPointer, most: Int) -> [UInt8]? {
    let length = strnlen(place.assumingMemoryBound(to: CChar.self), most + 1)
    if length > most { return nil }
    return Array(UnsafeRawBufferPointer(start: place, count: length))
  }
}
