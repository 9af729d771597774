/// The fields of a request that say which representation of a file is wanted, and on what conditions
/// (RFC 9110 §12, §13, §14). They stand in the head; a field that comes more than once is kept each time.
public struct FileRequest {
  /// If-Match.
  public private(set) var ifMatch: [UnsafeRawBufferPointer] = []
  /// If-None-Match.
  public private(set) var ifNoneMatch: [UnsafeRawBufferPointer] = []
  /// If-Modified-Since.
  public private(set) var ifModifiedSince: UnsafeRawBufferPointer?
  /// If-Unmodified-Since.
  public private(set) var ifUnmodifiedSince: UnsafeRawBufferPointer?
  /// If-Range.
  public private(set) var ifRange: UnsafeRawBufferPointer?
  /// Range; also nil when it comes twice, since it is not a list.
  public private(set) var range: UnsafeRawBufferPointer?
  /// Accept-Encoding.
  public private(set) var acceptEncoding: [UnsafeRawBufferPointer] = []

  /// Asks for the whole file, without conditions.
  public init() {}

  /// Reads the fields of a head whose ranges are relative to `base`.
  public init(_ head: inout RequestHead, _ base: UnsafeRawPointer) {
    var ranges = 0
    for position in 0..<head.count where head[position].known == .other {
      let name = head[position].name.bytes(in: base)
      guard let field = Self.field(name, head.form) else { continue }
      let value = head[position].value.range.bytes(in: base)
      switch field {
      case .ifMatch: ifMatch.append(value)
      case .ifNoneMatch: ifNoneMatch.append(value)
      case .ifModifiedSince: ifModifiedSince = value
      case .ifUnmodifiedSince: ifUnmodifiedSince = value
      case .ifRange: ifRange = value
      case .range: (range, ranges) = (value, ranges + 1)
      case .acceptEncoding: acceptEncoding.append(value)
      }
    }
    if ranges > 1 { range = nil }
  }

  private enum Name {
    case ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince, ifRange, range, acceptEncoding

    var field: StaticString {
      switch self {
      case .ifMatch: "if-match"
      case .ifNoneMatch: "if-none-match"
      case .ifModifiedSince: "if-modified-since"
      case .ifUnmodifiedSince: "if-unmodified-since"
      case .ifRange: "if-range"
      case .range: "range"
      case .acceptEncoding: "accept-encoding"
      }
    }
  }

  private static func field(_ name: UnsafeRawBufferPointer, _ form: RequestHead.Form) -> Name? {
    var name = name
    if form == .variables {
      guard name.count > 5, Ascii.begins(name.baseAddress!, "HTTP"), name[4] == 0x5f else { return nil }
      name = UnsafeRawBufferPointer(rebasing: name[5...])
    }
    guard let known = candidate(name) else { return nil }
    let text = known.field
    guard name.count == text.utf8CodeUnitCount else { return nil }
    for index in 0..<name.count {
      let byte = name[index] == 0x5f && form == .variables ? 0x2d : Ascii.lower(name[index])
      if byte != text.utf8Start[index] { return nil }
    }
    return known
  }

  /// The only name that one of this length can be: every request for a file asks of each of its fields.
  private static func candidate(_ name: UnsafeRawBufferPointer) -> Name? {
    switch name.count {
    case 5: .range
    case 8: Ascii.lower(name[3]) == UInt8(ascii: "m") ? .ifMatch : .ifRange
    case 13: .ifNoneMatch
    case 15: .acceptEncoding
    case 17: .ifModifiedSince
    case 19: .ifUnmodifiedSince
    default: nil
    }
  }
}
