// The numbers that a C function takes and returns, by their names in signatures.
import CFFI

/// A number, or a truth value.
enum Scalar: String, CaseIterable, Sendable {
  case i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, bool

  /// Bytes; also the alignment, on every LP64 system.
  var size: Int {
    switch self {
    case .i8, .u8, .bool: 1
    case .i16, .u16: 2
    case .i32, .u32, .f32: 4
    case .i64, .u64, .f64: 8
    }
  }

  var isFloat: Bool { self == .f32 || self == .f64 }
  var isInteger: Bool { !isFloat && self != .bool }
  var isSigned: Bool {
    switch self {
    case .i8, .i16, .i32, .i64: true
    default: false
    }
  }

  /// What libffi calls it. `_Bool` is passed as an unsigned byte.
  var ffiType: UnsafeMutablePointer<ffi_type> {
    switch self {
    case .i8: cffi_i8()
    case .i16: cffi_i16()
    case .i32: cffi_i32()
    case .i64: cffi_i64()
    case .u8, .bool: cffi_u8()
    case .u16: cffi_u16()
    case .u32: cffi_u32()
    case .u64: cffi_u64()
    case .f32: cffi_f32()
    case .f64: cffi_f64()
    }
  }

  /// The values of an integer type, as text: schemas and complaints show them.
  var bounds: (lowest: String, highest: String)? {
    switch self {
    case .i8: ("\(Int8.min)", "\(Int8.max)")
    case .i16: ("\(Int16.min)", "\(Int16.max)")
    case .i32: ("\(Int32.min)", "\(Int32.max)")
    case .i64: ("\(Int64.min)", "\(Int64.max)")
    case .u8: ("0", "\(UInt8.max)")
    case .u16: ("0", "\(UInt16.max)")
    case .u32: ("0", "\(UInt32.max)")
    case .u64: ("0", "\(UInt64.max)")
    case .f32, .f64, .bool: nil
    }
  }

  /// "an i8", "a u8".
  var withArticle: String {
    switch self {
    case .i8, .i16, .i32, .i64, .f32, .f64: "an \(rawValue)"
    case .u8, .u16, .u32, .u64, .bool: "a \(rawValue)"
    }
  }
}

/// One number of a known type, in the form in which it is checked and stored.
enum Number: Equatable, Sendable {
  case signed(Int64)
  case unsigned(UInt64)
  case float(Float)
  case double(Double)
  case bool(Bool)

  /// Writes it at `place` as C stores a `scalar`, of which it must be a value.
  func store(as scalar: Scalar, at place: UnsafeMutableRawPointer) {
    switch (scalar, self) {
    case (.i8, .signed(let value)): place.storeBytes(of: Int8(truncatingIfNeeded: value), as: Int8.self)
    case (.i16, .signed(let value)): place.storeBytes(of: Int16(truncatingIfNeeded: value), as: Int16.self)
    case (.i32, .signed(let value)): place.storeBytes(of: Int32(truncatingIfNeeded: value), as: Int32.self)
    case (.i64, .signed(let value)): place.storeBytes(of: value, as: Int64.self)
    case (.u8, .unsigned(let value)): place.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
    case (.u16, .unsigned(let value)):
      place.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
    case (.u32, .unsigned(let value)):
      place.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
    case (.u64, .unsigned(let value)): place.storeBytes(of: value, as: UInt64.self)
    case (.f32, .float(let value)): place.storeBytes(of: value, as: Float.self)
    case (.f64, .double(let value)): place.storeBytes(of: value, as: Double.self)
    case (.bool, .bool(let value)): place.storeBytes(of: value ? 1 : 0, as: UInt8.self)
    default: preconditionFailure("\(self) is no \(scalar.rawValue)")
    }
  }

  /// Reads a `scalar` that C has stored at `place`, aligned or not.
  init(_ scalar: Scalar, at place: UnsafeRawPointer) {
    switch scalar {
    case .i8: self = .signed(Int64(place.loadUnaligned(as: Int8.self)))
    case .i16: self = .signed(Int64(place.loadUnaligned(as: Int16.self)))
    case .i32: self = .signed(Int64(place.loadUnaligned(as: Int32.self)))
    case .i64: self = .signed(place.loadUnaligned(as: Int64.self))
    case .u8: self = .unsigned(UInt64(place.loadUnaligned(as: UInt8.self)))
    case .u16: self = .unsigned(UInt64(place.loadUnaligned(as: UInt16.self)))
    case .u32: self = .unsigned(UInt64(place.loadUnaligned(as: UInt32.self)))
    case .u64: self = .unsigned(place.loadUnaligned(as: UInt64.self))
    case .f32: self = .float(place.loadUnaligned(as: Float.self))
    case .f64: self = .double(place.loadUnaligned(as: Double.self))
    case .bool: self = .bool(place.loadUnaligned(as: UInt8.self) != 0)
    }
  }

  /// A count of bytes or elements as a value of an integer type; nil if it does not fit.
  init?(count: Int, as scalar: Scalar) {
    guard scalar.isInteger, let value = try? NumberText.parse("\(count)", as: scalar) else { return nil }
    self = value
  }

  /// The value as a count; nil for what is negative, a fraction or no number.
  var count: Int? {
    switch self {
    case .signed(let value): value >= 0 ? Int(exactly: value) : nil
    case .unsigned(let value): Int(exactly: value)
    case .float, .double, .bool: nil
    }
  }

  /// The value as an approximate number, for comparisons with bounds.
  var approximate: Double {
    switch self {
    case .signed(let value): Double(value)
    case .unsigned(let value): Double(value)
    case .float(let value): Double(value)
    case .double(let value): value
    case .bool(let value): value ? 1 : 0
    }
  }
}
