// What the readers of CGI meta-variables (FastCGI, uwsgi, CGI) have in common.

/// What CONTENT_LENGTH says (RFC 3875 §4.1.2).
enum AnnouncedLength: Equatable {
  /// Absent or empty; nginx sends an empty one with requests that have no body.
  case absent
  /// -1: there is a body, and the front end does not know how long it is. (Caddy, for a chunked one.)
  case unknown
  case bytes(Int64)
  /// Neither empty nor a decimal number that fits.
  case malformed
}

/// Why a variable cannot be in an environment.
enum VariableFault: Equatable {
  /// An empty name, a name with `=` or NUL, or a value with NUL: an environment could not carry it.
  case unusable
  /// The table is full.
  case tooMany
}

/// Fills the table of a head with variables. A block holds twenty of them or more: values that the head has
/// in memory are in registers here.
struct VariableTable {
  /// What became of a variable of which the first one counts.
  enum Added { case first, again, tooMany }

  private let fields: UnsafeMutablePointer<Field>
  private let index: UnsafeMutablePointer<UInt16>
  private let base: UnsafeRawPointer
  /// The end of the block, counted from `base`.
  private let end: Int
  private let limit: Int
  private var count: Int
  private var unknown = NameFilter()

  /// For variables whose ranges count from `base`, in a block that goes to `end`; at most `limit` of them, or
  /// what the head has room for.
  @inline(__always)
  init(_ head: inout RequestHead, base: UnsafeRawPointer, end: Int, limit: Int) {
    (fields, index, count) = (head.table, head.index, head.count)
    self.base = base
    self.end = end
    self.limit = min(limit, head.capacity)
  }

  /// Adds a variable. Of several with one known name `RequestHead.first` finds the last, which is what front
  /// ends mean whose configuration sets a variable twice (nginx sends both); the table keeps every one in the
  /// order of arrival.
  ///
  /// - Returns: nil, or why it was not added.
  @inline(__always)
  mutating func append(name: ByteRange, value: DelimitedRange) -> VariableFault? {
    let nameBytes = name.bytes(in: base)
    let known = KnownName.variable(nameBytes)
    // A known name needs no check.
    if known == .other || known == .reserved {
      let isBad = nameBytes.isEmpty || nameBytes.hasWord(where: { Word.equal($0, to: 0x3d) | Word.zeros($0) })
      if isBad { return .unusable }
    }
    if holdsNUL(value.range) { return .unusable }
    guard count < limit else { return .tooMany }
    put(name, value, known)
    // The entry of the unknown ones is reset at the end.
    index[Int(known.rawValue)] = UInt16(truncatingIfNeeded: count)
    return nil
  }

  /// Adds a variable that is delimited by NULs, of which the first one counts.
  @inline(__always)
  mutating func append(first known: KnownName, name: ByteRange, value: DelimitedRange) -> Added {
    guard count < limit else { return .tooMany }
    put(name, value, known)
    if known == .other {
      unknown.add(name.bytes(in: base))
      return .first
    }
    if index[Int(known.rawValue)] != 0 { return .again }
    index[Int(known.rawValue)] = UInt16(truncatingIfNeeded: count)
    return .first
  }

  @inline(__always)
  private mutating func put(_ name: ByteRange, _ value: DelimitedRange, _ known: KnownName) {
    (fields + count).initialize(to: Field(name: name, value: value, known: known))
    count &+= 1
  }

  @inline(__always)
  private func holdsNUL(_ value: ByteRange) -> Bool {
    let start = Int(value.start)
    guard value.count < 8, start &+ 8 <= end else { return value.bytes(in: base).hasWord(where: Word.zeros) }
    // Reads past a short value and fills the excess with ones: no branch for each length.
    let behind = UInt64.max &<< (8 &* UInt64(value.count))
    return Word.zeros(Word.load(base, start) | behind) != 0
  }

  /// One of the names that are neither known nor those of request headers may be there twice.
  @inline(__always)
  var mayRepeat: Bool { unknown.mayRepeat }

  /// Gives the head everything that was added.
  @inline(__always)
  func finish(_ head: inout RequestHead) {
    index[Int(KnownName.other.rawValue)] = 0
    head.added(count)
  }
}

extension RequestHead {
  /// What the CONTENT_LENGTH that counts says, ranges being relative to `base`.
  func announcedLength(base: UnsafeRawPointer) -> AnnouncedLength {
    guard let range = first(.contentLength), !range.isEmpty else { return .absent }
    let text = range.bytes(in: base)
    guard let number = Ascii.decimal(text) else { return Ascii.equals(text, "-1") ? .unknown : .malformed }
    return .bytes(number)
  }

  /// The client has sent its body in a transfer coding, which a front end removes before it states the
  /// length; without a length nobody knows it.
  func saysCoding(base: UnsafeRawPointer) -> Bool {
    guard first(.transferEncoding) != nil else { return false }
    // Repeated fields are one list (RFC 9110 §5.3), whichever of them a protocol takes for a single value.
    for index in 0..<count where self[index].known == .transferEncoding {
      let coding = self[index].value.bytes(in: base)
      if !coding.isEmpty, !Ascii.matches(coding, "identity") { return true }
    }
    return false
  }

  /// Notes that variables have stated a length of the body.
  mutating func stated(length: Int64, base: UnsafeRawPointer) {
    statesLength = true
    mayHaveChunks = length == 0 && saysCoding(base: base)
  }
}

extension Ascii {
  /// A name for a message: 64 characters of it, others than letters, digits and `_` shown as `?`.
  static func shown(_ name: UnsafeRawBufferPointer) -> String {
    var shown = ""
    for byte in name.prefix(64) {
      let isShown = lower(byte) &- 0x61 < 26 || isDigit(byte) || byte == 0x5f
      shown.append(isShown ? Character(Unicode.Scalar(byte)) : "?")
    }
    return shown
  }
}
