import Control

/// What the bodies of several copies of one build have in common: pieces that follow one another, with noise
/// between them, such as times, random numbers and tokens. A body of another build that has all the pieces in
/// this order differs from them by noise alone.
struct BodyTemplate {
  /// Bytes that all of them have.
  private struct Piece {
    let bytes: [UInt8]
    /// Bytes of noise before it at most; nil: there is none.
    let gap: Int?
  }

  /// Where a body is another.
  struct Mismatch: Equatable {
    /// The place in the other body, from 0.
    let place: Int
    /// What is expected and what is found, with some of what is before.
    let expected: String
    let found: String
  }

  private var pieces: [Piece] = []
  /// Bytes of noise at the end at most; nil: there is none.
  private var ending: Int?
  /// They have hardly anything in common.
  private(set) var isAllNoise = false

  /// The bodies are not all the same.
  var hasNoise: Bool { isAllNoise || pieces.count > 1 || ending != nil || pieces.first?.gap != nil }

  /// Changes between two bodies beyond which they count as having nothing in common.
  private static let mostChanges = 1000
  /// Bytes between two noises that count as noise too: what they share is chance.
  private static let chance = 3
  /// Bytes shown of a difference, and of what is before it.
  private static let (shown, before) = (60, 20)

  /// - Parameter bodies: at least one.
  init(_ bodies: [[UInt8]]) {
    let base = bodies[0]
    let tokens = BodyToken.all(in: base)
    // By tokens of the first body: which are noise; and before which of them, or at the end, others have so
    // many bytes more.
    var isNoise = [Bool](repeating: false, count: tokens.count)
    var more = [Int](repeating: 0, count: tokens.count + 1)
    for other in bodies.dropFirst() where other != base {
      let others = BodyToken.all(in: other)
      guard
        let pairs = Alignment.pairs(
          tokens.map(\.hash), others.map(\.hash), most: BodyTemplate.mostChanges)
      else {
        isAllNoise = true
        return
      }
      var (place, otherPlace) = (0, 0)
      for (next, otherNext) in pairs + [(tokens.count, others.count)] {
        for skipped in place..<next { isNoise[skipped] = true }
        let extra = others[otherPlace..<otherNext].reduce(0) { $0 + $1.range.count }
        more[next] = max(more[next], extra)
        (place, otherPlace) = (next + 1, otherNext + 1)
      }
    }
    collect(base, tokens, isNoise, more)
  }

  private mutating func collect(_ base: [UInt8], _ tokens: [BodyToken], _ isNoise: [Bool], _ more: [Int]) {
    var (bytes, gap): ([UInt8], Int?) = ([], nil)
    func extended(_ gap: Int?, by count: Int) -> Int { (gap ?? 0) + count }
    for (place, token) in tokens.enumerated() {
      if isNoise[place] || more[place] > 0 {
        close(&bytes, &gap)
        gap = extended(gap, by: more[place])
      }
      if isNoise[place] { gap = extended(gap, by: token.range.count) } else { bytes += base[token.range] }
    }
    if more[tokens.count] > 0 {
      close(&bytes, &gap)
      gap = extended(gap, by: more[tokens.count])
    }
    if !bytes.isEmpty {
      pieces.append(Piece(bytes: bytes, gap: gap))
    } else {
      ending = gap
    }
  }

  /// A noise follows: the bytes before it are a piece, unless they are few between two noises.
  private mutating func close(_ bytes: inout [UInt8], _ gap: inout Int?) {
    guard !bytes.isEmpty else { return }
    if let before = gap, bytes.count <= BodyTemplate.chance {
      gap = before + bytes.count
    } else {
      pieces.append(Piece(bytes: bytes, gap: gap))
      gap = nil
    }
    bytes = []
  }

  /// The bytes of noise that another body may have where the known ones have so many at most.
  private static func allowed(_ gap: Int) -> Int { 4 * gap + 256 }

  /// Where a body is not as these; nil if it differs by noise alone.
  func mismatch(_ body: [UInt8]) -> Mismatch? {
    if isAllNoise { return nil }
    var place = 0
    for (index, piece) in pieces.enumerated() {
      guard let gap = piece.gap else {
        let same = ByteSearch.common(piece.bytes, from: 0, body, from: place)
        guard same == piece.bytes.count else { return differs(piece, same, body, place + same) }
        place += same
        continue
      }
      let isLast = index == pieces.count - 1 && ending == nil
      let limit = place + BodyTemplate.allowed(gap) + piece.bytes.count
      let found =
        isLast
        ? last(piece.bytes, in: body, from: place, to: limit)
        : ByteSearch.first(piece.bytes, in: body, from: place, to: limit)
      guard let found else { return closest(piece, body, from: place, to: limit) }
      place = found + piece.bytes.count
    }
    let rest = body.count - place
    guard rest > ending.map(BodyTemplate.allowed) ?? 0 else { return nil }
    return Mismatch(
      place: place, expected: "the end", found: BodyTemplate.text(body, around: place))
  }

  /// The last piece ends the body.
  private func last(_ bytes: [UInt8], in body: [UInt8], from place: Int, to limit: Int) -> Int? {
    let start = body.count - bytes.count
    guard start >= place, body.count <= limit, body[start...].elementsEqual(bytes) else { return nil }
    return start
  }

  /// A piece is not there: tells where most of it is, if its beginning is found.
  private func closest(_ piece: Piece, _ body: [UInt8], from place: Int, to limit: Int) -> Mismatch {
    let beginning = Array(piece.bytes.prefix(16))
    guard let start = ByteSearch.first(beginning, in: body, from: place, to: limit) else {
      return differs(piece, 0, body, place)
    }
    let same = ByteSearch.common(piece.bytes, from: 0, body, from: start)
    return differs(piece, min(same, piece.bytes.count), body, start + same)
  }

  private func differs(_ piece: Piece, _ same: Int, _ body: [UInt8], _ place: Int) -> Mismatch {
    if same == piece.bytes.count {
      return Mismatch(place: place, expected: "the end", found: BodyTemplate.text(body, around: place))
    }
    return Mismatch(
      place: place, expected: BodyTemplate.text(piece.bytes, around: same),
      found: place >= body.count ? "the end" : BodyTemplate.text(body, around: place))
  }

  /// Some bytes around a place, in quotes.
  private static func text(_ bytes: [UInt8], around place: Int) -> String {
    let (start, end) = (max(0, place - before), min(bytes.count, place + shown))
    let text = bytes[start..<end].withUnsafeBytes { Printable.text($0) }
    return "\"\(start > 0 ? "…" : "")\(text)\(end < bytes.count ? "…" : "")\""
  }
}

/// A stretch of a body that is the same or not as a whole: a word or a number, with what random ones are made
/// of, or any other byte.
struct BodyToken {
  let range: Range<Int>
  let hash: UInt64

  private static func isOfWord(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x80...0xff: true
    case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="),
      UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "%"):
      true
    default: false
    }
  }

  /// Those of a body, in order.
  static func all(in body: [UInt8]) -> [BodyToken] {
    var tokens: [BodyToken] = []
    var start = 0
    while start < body.count {
      var end = start + 1
      if isOfWord(body[start]) { while end < body.count, isOfWord(body[end]) { end += 1 } }
      tokens.append(BodyToken(range: start..<end, hash: FNV1a.hash(body[start..<end])))
      start = end
    }
    return tokens
  }
}
