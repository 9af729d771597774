// What a library's own debug information says of a function, in words that signatures can be compared with.

/// A type of C.
indirect enum CShape: Equatable {
  case void
  case integer(size: Int, isSigned: Bool, isCharacter: Bool)
  case floating(size: Int)
  case boolean(size: Int)
  case enumeration(size: Int)
  case pointer(CShape)
  /// `size` is nil while only its name is known.
  case structure(name: String, size: Int?, members: [Member])
  case array(CShape)
  case function
  /// What no signature can stand for: a union, a complex number, a bit-field.
  case other(String)
  /// Not followed, or not understood: compares with everything.
  case unknown

  struct Member: Equatable {
    var offset: Int
    var shape: CShape
  }

  /// As complaints call it.
  var name: String {
    switch self {
    case .void: "void"
    case .integer(let size, let isSigned, _): "\(isSigned ? "i" : "u")\(size * 8)"
    case .floating(let size): size > 8 ? "long double" : "f\(size * 8)"
    case .boolean: "bool"
    case .enumeration(let size): "an enum of \(size) bytes"
    case .pointer(let target): "a pointer to \(target.name)"
    case .structure(let name, let size, _):
      (name.isEmpty ? "a struct" : "struct \(name)") + (size.map { " of \($0) bytes" } ?? "")
    case .array: "an array"
    case .function: "a function"
    case .other(let what): what
    case .unknown: "something"
    }
  }
}

/// A function as its library was compiled.
struct Declaration: Equatable {
  var parameters: [CShape] = []
  var result = CShape.void
  var isVariadic = false
}
