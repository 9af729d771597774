// What a signature says, once it is read: types, parameters, functions. Plain values; no library is open yet.

/// A value that lies in memory as it is: a number, or a struct of such.
indirect enum PlainType: Equatable, Sendable {
  case scalar(Scalar)
  case structure(StructType)

  var size: Int {
    switch self {
    case .scalar(let scalar): scalar.size
    case .structure(let type): type.size
    }
  }
  var alignment: Int {
    switch self {
    case .scalar(let scalar): scalar.size
    case .structure(let type): type.alignment
    }
  }
}

/// A plain struct: numbers, arrays of numbers of fixed length, and structs.
struct StructType: Equatable, Sendable {
  /// One member and where it lies.
  struct Field: Equatable, Sendable {
    var name: String
    var type: PlainType
    /// Elements, if it is an array of fixed length.
    var count: Int?
    /// Bytes from the struct's beginning.
    var offset: Int
  }

  /// nil: written in place, `{x: f64, y: f64}`.
  var name: String?
  private(set) var fields: [Field] = []
  private(set) var size = 0
  private(set) var alignment = 1

  init(name: String?) { self.name = name }

  /// Adds a member at the offset that the C ABI gives it.
  mutating func append(_ name: String, _ type: PlainType, count: Int?) {
    alignment = max(alignment, type.alignment)
    let end = fields.last.map { $0.offset + $0.type.size * ($0.count ?? 1) } ?? 0
    let offset = (end + type.alignment - 1) / type.alignment * type.alignment
    fields.append(Field(name: name, type: type, count: count, offset: offset))
    let used = offset + type.size * (count ?? 1)
    size = (used + alignment - 1) / alignment * alignment
  }
}

/// Who fills what a pointer points to.
enum Direction: Equatable, Sendable {
  /// The client.
  case input
  /// The function.
  case output
  /// Both, in this order.
  case both
}

/// Who owns text or an object that the library hands out.
enum Ownership: Equatable, Sendable {
  /// The library: it is read, and left alone.
  case borrowed
  /// The caller: this function of the library takes it back.
  case free(symbol: String)
}

/// What one parameter is.
indirect enum ParameterType: Equatable, Sendable {
  case plain(PlainType)
  /// A pointer to one value.
  case pointer(PlainType, Direction)
  /// `cstr`; with a question mark it may be NULL.
  case text(isOptional: Bool)
  /// Bytes in: a pointer and, unless another parameter is their length, a `size_t`.
  case bytes
  /// `T[]`: numbers in, perhaps changed in place.
  case array(Scalar, Direction)
  /// `out[N]`: room for N bytes, of which the function says or a NUL shows how many are used.
  case buffer(capacity: Int, isText: Bool)
  /// `out T[N]`: room for N numbers.
  case outArray(Scalar, count: Int)
  case handle(tag: String, closes: Bool)
  case outHandle(tag: String, Ownership)
  /// A pointer to text that the function sets.
  case outText(Ownership)
  case callback(CallbackType)
  /// A pointer of which nothing is known; only NULL can be given.
  case opaque
}

/// Where the value of a parameter comes from.
enum Binding: Equatable, Sendable {
  /// The client has to give it.
  case client
  /// The client may give it.
  case optional(Number)
  /// The operator gave it; clients do not see the parameter.
  case constant(Number)
  /// NULL; clients do not see the parameter.
  case null
  /// The length of another parameter; clients do not see it.
  case length(of: String)

  /// Clients do not see the parameter.
  var isHidden: Bool {
    switch self {
    case .client, .optional: false
    case .constant, .null, .length: true
    }
  }
}

/// One parameter.
struct Parameter: Equatable, Sendable {
  var name: String
  var type: ParameterType
  var binding: Binding = .client
  /// What the operator allows, narrower than the type.
  var range: ClosedRange<Double>?
  /// Where its name stands in the signature, from 1.
  var column = 0
}

/// What a function that takes a function pointer calls.
struct CallbackType: Equatable, Sendable {
  /// One argument that the library passes.
  enum Argument: Equatable, Sendable {
    case scalar(Scalar)
    /// A pointer to one value, read during the call.
    case pointer(PlainType)
    case text
    /// An array of strings, as long as another argument says.
    case texts(count: String)
    /// Bytes, as long as another argument says.
    case bytes(count: String)
    /// A pointer that is ignored.
    case opaque
  }

  /// What happens when it is called.
  enum Behaviour: Equatable, Sendable {
    /// The arguments of each call become part of the answer.
    case collect
    /// The number of calls becomes part of the answer.
    case count
    /// The first two pointers are compared: below, equal, above are -1, 0, 1; or the reverse.
    case compare(isDescending: Bool)
  }

  var arguments: [(name: String, type: Argument)]
  /// nil: void.
  var result: Scalar?
  var behaviour: Behaviour
  /// What `collect` and `count` return.
  var answer: Number?

  static func == (one: CallbackType, other: CallbackType) -> Bool {
    one.arguments.elementsEqual(other.arguments) { $0.name == $1.name && $0.type == $1.type }
      && one.result == other.result && one.behaviour == other.behaviour && one.answer == other.answer
  }
}

/// What a function returns.
enum ResultType: Equatable, Sendable {
  case void
  case plain(PlainType)
  case text(Ownership)
  /// A pointer to one value of the library's.
  case pointer(PlainType)
  case handle(tag: String, Ownership)
}

/// Which results mean that the function failed.
enum Failure: String, CaseIterable, Equatable, Sendable {
  case nonzero, negative, zero, null
}

/// One function as the operator declares it.
struct Signature: Equatable, Sendable {
  /// As written: soname or path.
  var library: String
  var symbol: String
  var parameters: [Parameter] = []
  var result = ResultType.void
  /// The out parameter of which the result is the length.
  var resultIsLengthOf: String?
  var attributes = Attributes()
  /// Where the symbol stands in the signature, from 1.
  var column = 1

  /// The parameter of a name.
  func parameter(_ name: String) -> Parameter? { parameters.first { $0.name == name } }
}

/// What stands behind a signature, or behind `library` for all functions of it.
struct Attributes: Equatable, Sendable {
  /// Depends on its arguments only and changes nothing: GET is allowed.
  var isPure = false
  /// May run on several threads at once.
  var isThreadsafe = false
  /// The answer tells errno.
  var reportsErrno = false
  var fails: Failure?
  /// Most bytes of one text, bytes or array argument, and of a returned text.
  var maxBytes: Int?
  /// Media type of the raw answer.
  var mediaType: String?
  /// Called once when the library is opened.
  var initialiser: String?

  static let defaultMaxBytes = 1 << 20
}

/// A function and the path it answers at.
struct Endpoint: Equatable, Sendable {
  /// "/pow", below the mount; empty for an entry that answers every path.
  var path: String
  var signature: Signature
}
