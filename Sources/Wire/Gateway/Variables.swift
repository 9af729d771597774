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
    guard !nameBytes.isEmpty, !nameBytes.holds(0x3d, or: 0), !value.bytes(in: base).holds(0, or: 0) else {
      return .unusable
    }
    let known = KnownName.variable(nameBytes)
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

extension UnsafeRawBufferPointer {
  /// Whether one of two bytes is among these. Eight at a time: a loop over single bytes took longer than
  /// everything else that is done to a variable.
  @inline(__always)
  fileprivate func holds(_ one: UInt8, or other: UInt8) -> Bool {
    guard let base = baseAddress, count >= 8 else {
      for byte in self where byte == one || byte == other { return true }
      return false
    }
    let ones: UInt64 = 0x0101_0101_0101_0101
    let (first, second) = (ones &* UInt64(one), ones &* UInt64(other))
    var position = 0
    while true {
      // The last word overlaps the one before it instead of leaving single bytes over.
      position = Swift.min(position, count - 8)
      let word = base.loadUnaligned(fromByteOffset: position, as: UInt64.self)
      if UInt64.hasZeroByte(word ^ first) || UInt64.hasZeroByte(word ^ second) { return true }
      position += 8
      if position >= count { return false }
    }
  }
}

extension UInt64 {
  /// Whether one of the eight bytes is 0: only such a byte borrows from its top bit without having had it.
  @inline(__always)
  fileprivate static func hasZeroByte(_ word: UInt64) -> Bool {
    (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080 != 0
  }
}
