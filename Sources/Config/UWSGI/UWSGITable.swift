// Every option of uWSGI 2.0 and 2.1, and what becomes of it here. The rows are in options.tsv, which is part
// of the program: class, names, what uWSGI does with it, and what this server does instead or what to use,
// separated by tabs. A name ends in `=` if it takes a value, in `?` if it may have one.
//
// It is read when a name is first looked up: never in a start without uWSGI's words.

/// What becomes of uWSGI's options.
enum UWSGIClass: String, CaseIterable {
  /// It has an effect here.
  case supported
  /// It always applies here, or there is nothing that it could change.
  case accepted
  /// Something is lost, and the server says what.
  case warned
  /// Security or data would suffer, or something would not be served: the server does not start.
  case refused
}

/// One row of the table.
struct UWSGIRow {
  let category: UWSGIClass
  let names: Substring
  /// What uWSGI does: an infinitive.
  let meaning: Substring
  /// What this server does instead, or what to use.
  let instead: Substring
}

/// A name of an option, as written in a row.
struct UWSGIName {
  enum Value { case none, optional, required }

  let text: Substring
  let value: Value

  init(_ word: Substring) {
    switch word.last {
    case "=": (text, value) = (word.dropLast(), .required)
    case "?": (text, value) = (word.dropLast(), .optional)
    default: (text, value) = (word, .none)
    }
  }
}

enum UWSGITable {
  /// The place of a name in the text, by a hash of its bytes.
  private struct Place {
    let hash: UInt64
    let start: Int
    let end: Int
    /// Where its row begins.
    let row: Int
  }

  /// The row of a name without dashes, and the name itself; nil for one that uWSGI does not know.
  static func find(_ name: some StringProtocol) -> (UWSGIRow, UWSGIName)? {
    let text = PackageResources.options_tsv
    let hash = name.utf8.reduce(start) { ($0 ^ UInt64($1)) &* prime }
    for place in index where place.hash == hash {
      guard text[place.start..<place.end].elementsEqual(name.utf8),
        let row = UWSGIRow(text[place.row...].prefix { $0 != 0x0a })
      else { continue }
      let word = text[place.start...].prefix { $0 != 0x20 && $0 != 0x09 }
      return (row, UWSGIName(Substring(decoding: word, as: UTF8.self)))
    }
    return nil
  }

  /// All rows.
  static var rows: [UWSGIRow] {
    PackageResources.options_tsv.split(separator: 0x0a).compactMap { UWSGIRow($0) }
  }

  /// FNV-1a.
  private static let (start, prime): (UInt64, UInt64) = (0xcbf2_9ce4_8422_2325, 0x100_0000_01b3)

  /// One pass over the bytes: the names are the second field of each line.
  private static let index: [Place] = {
    var places: [Place] = []
    places.reserveCapacity(2048)
    var (field, row, begin, hash) = (0, 0, 0, start)
    PackageResources.options_tsv.withUnsafeBufferPointer { text in
      for at in text.indices {
        let byte = text[at]
        switch byte {
        case 0x0a: (field, row) = (0, at + 1)
        case 0x09, 0x20:
          if field == 1, at > begin {
            let hasMark = text[at - 1] == UInt8(ascii: "=") || text[at - 1] == UInt8(ascii: "?")
            places.append(Place(hash: hash, start: begin, end: hasMark ? at - 1 : at, row: row))
          }
          if byte == 0x09 { field += 1 }
          (begin, hash) = (at + 1, start)
        case UInt8(ascii: "="), UInt8(ascii: "?"): break
        default: if field == 1 { hash = (hash ^ UInt64(byte)) &* prime }
        }
      }
    }
    return places
  }()
}

extension UWSGIRow {
  fileprivate init?(_ line: ArraySlice<UInt8>) {
    let fields = line.split(separator: 0x09).map { Substring(decoding: $0, as: UTF8.self) }
    guard fields.count == 4, let category = UWSGIClass(rawValue: String(fields[0])) else {
      return nil
    }
    (self.category, names, meaning, instead) = (category, fields[1], fields[2], fields[3])
  }

  /// The sentence for an operator who has such an option.
  var loss: String { "uWSGI would \(meaning), and nothing here does; \(instead)" }
}
