import CNSGI

/// Header fields in order; names are compared whatever their case, and may be repeated.
public struct Headers: Sendable, ExpressibleByDictionaryLiteral {
  /// One field.
  public struct Field: Equatable, Sendable {
    /// A token (RFC 9110 §5.1).
    public var name: String
    /// Without control characters (RFC 9110 §5.5).
    public var value: String

    /// Checked by the server when it is sent.
    public init(name: String, value: String) { (self.name, self.value) = (name, value) }
  }

  /// All of them.
  public private(set) var fields: [Field] = []

  /// No field.
  public init() {}

  /// `["Cache-Control": "no-store"]`, in this order.
  public init(dictionaryLiteral elements: (String, String)...) {
    fields = elements.map { Field(name: $0.0, value: $0.1) }
  }

  /// Adds a field, beside any of the same name.
  public mutating func add(_ name: String, _ value: String) { fields.append(Field(name: name, value: value)) }

  /// The first field of that name; setting replaces all of them, nil removes them.
  public subscript(name: String) -> String? {
    get { fields.first { $0.name.lowercased() == name.lowercased() }?.value }
    set {
      fields.removeAll { $0.name.lowercased() == name.lowercased() }
      if let newValue { add(name, newValue) }
    }
  }

  /// The fields as C sees them, a Content-Type first if given; valid inside the closure only. The bytes lie
  /// side by side in one temporary buffer, which is on the stack as a rule.
  func withPairs(type: String?, _ body: (UnsafeMutableBufferPointer<nsgi_pair>) -> Int32) -> Int32 {
    var size = type.map { $0.utf8.count + Self.contentType.utf8CodeUnitCount } ?? 0
    for field in fields { size += field.name.utf8.count + field.value.utf8.count }
    let count = fields.count + (type == nil ? 0 : 1)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) { bytes in
      withUnsafeTemporaryAllocation(of: nsgi_pair.self, capacity: count) { pairs in
        var used = 0
        var index = 0
        func copy(_ text: some Collection<UInt8>) -> nsgi_str {
          let start = used
          for byte in text {
            bytes.initializeElement(at: used, to: CChar(bitPattern: byte))
            used += 1
          }
          return nsgi_str(p: bytes.baseAddress.map { UnsafePointer($0 + start) }, n: used - start)
        }
        if let type {
          let name = UnsafeBufferPointer(
            start: Self.contentType.utf8Start, count: Self.contentType.utf8CodeUnitCount)
          pairs.initializeElement(at: 0, to: nsgi_pair(name: copy(name), value: copy(type.utf8)))
          index = 1
        }
        for field in fields {
          let pair = nsgi_pair(name: copy(field.name.utf8), value: copy(field.value.utf8))
          pairs.initializeElement(at: index, to: pair)
          index += 1
        }
        return body(pairs)
      }
    }
  }

  private static let contentType: StaticString = "Content-Type"
}
