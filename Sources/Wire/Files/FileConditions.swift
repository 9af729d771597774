/// Whether a file is sent as requested, by the conditions of the request in the order of RFC 9110 §13.2.2.
@frozen public enum FileVerdict: Equatable, Sendable {
  /// The file is sent, or the requested part of it.
  case send
  /// The file is sent whole: the part was requested of another version (If-Range).
  case sendWhole
  /// 304: the client has it.
  case notModified
  /// 412: it is not the version that the client means.
  case preconditionFailed
}

/// What tells one version of a file from another.
public struct FileValidators {
  /// The strong entity tag, with its quotes.
  public let tag: UnsafeRawBufferPointer
  /// Seconds since 1970 of Last-Modified.
  public let modified: Int64

  /// The validators of one version.
  public init(tag: UnsafeRawBufferPointer, modified: Int64) { (self.tag, self.modified) = (tag, modified) }

  /// Decides on a request for the file. For GET and HEAD.
  ///
  /// - Parameter now: the present in seconds since 1970, for dates of two-digit years.
  public func verdict(_ request: FileRequest, now: Int64) -> FileVerdict {
    if !request.ifMatch.isEmpty {
      guard request.ifMatch.contains(where: { matches($0, strongly: true) }) else {
        return .preconditionFailed
      }
    } else if let text = request.ifUnmodifiedSince, let date = HTTPDate.parse(text, now: now), modified > date
    {
      return .preconditionFailed
    }
    if !request.ifNoneMatch.isEmpty {
      if request.ifNoneMatch.contains(where: { matches($0, strongly: false) }) { return .notModified }
    } else if let text = request.ifModifiedSince, let date = HTTPDate.parse(text, now: now), modified <= date
    {
      return .notModified
    }
    guard request.range != nil, let condition = request.ifRange else { return .send }
    return holds(ifRange: condition, now) ? .send : .sendWhole
  }

  /// If-Range: one strong tag or the exact date (RFC 9110 §13.1.5). A date is a strong validator only if the
  /// file did not change within the second before it was sent: one of this very second is not trusted.
  private func holds(ifRange text: UnsafeRawBufferPointer, _ now: Int64) -> Bool {
    if text.first == UInt8(ascii: "\"") { return text.elementsEqual(tag) }
    guard let date = HTTPDate.parse(text, now: now) else { return false }
    return date == modified && now - modified >= 1
  }

  /// Whether `*` or one tag of a list is ours; a weak tag never is in a strong comparison (§8.8.3.2).
  private func matches(_ list: UnsafeRawBufferPointer, strongly: Bool) -> Bool {
    var rest = list[...]
    func skipBlanks() {
      while let byte = rest.first, byte == 0x20 || byte == 0x09 || byte == 0x2c { rest.removeFirst() }
    }
    skipBlanks()
    if rest.count == 1, rest.first == UInt8(ascii: "*") { return true }
    while !rest.isEmpty {
      let isWeak = rest.starts(with: [0x57, 0x2f])
      if isWeak { rest = rest.dropFirst(2) }
      guard rest.first == 0x22, let end = rest.dropFirst().firstIndex(of: 0x22) else { return false }
      if !(isWeak && strongly), rest[...end].elementsEqual(tag) { return true }
      rest = rest[(end + 1)...]
      skipBlanks()
    }
    return false
  }
}
