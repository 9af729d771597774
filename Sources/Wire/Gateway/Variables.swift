// What the readers of CGI meta-variables (FastCGI, uwsgi, CGI) have in common.

/// What CONTENT_LENGTH says (RFC 3875 §4.1.2).
enum AnnouncedLength: Equatable {
  /// Absent or empty; nginx sends an empty one with requests that have no body.
  case absent
  case bytes(Int64)
  /// Neither empty nor a decimal number that fits.
  case malformed
}

/// Why a variable cannot stand in an environment.
enum VariableFault: Equatable {
  /// An empty name, a name with `=` or NUL, or a value with NUL: an environment could not carry it.
  case unusable
  /// The table is full.
  case tooMany
}

extension RequestHead {
  /// Adds a variable whose ranges count from `base`; the last of several with one name counts.
  ///
  /// - Returns: nil, or why it was not added.
  @inline(__always)
  mutating func appendVariable(
    name: ByteRange, value: ByteRange, base: UnsafeRawPointer, limit: Int
  ) -> VariableFault? {
    let nameBytes = name.bytes(in: base)
    let known = KnownName.variable(nameBytes)
    // A known name is its own proof.
    if known == .other {
      let isBad = nameBytes.isEmpty || nameBytes.hasWord(where: { Word.equal($0, to: 0x3d) | Word.zeros($0) })
      if isBad { return .unusable }
    }
    if value.bytes(in: base).hasWord(where: Word.zeros) { return .unusable }
    guard count < limit, appendOverriding(name: name, value: value, known: known) else { return .tooMany }
    switch known {
    case .requestMethod: method = value
    case .requestURI: target = value
    default: break
    }
    return nil
  }

  /// What the CONTENT_LENGTH that counts says, ranges counting from `base`.
  func announcedLength(base: UnsafeRawPointer) -> AnnouncedLength {
    guard let range = first(.contentLength), !range.isEmpty else { return .absent }
    guard let number = Ascii.decimal(range.bytes(in: base)) else { return .malformed }
    return .bytes(number)
  }
}
