// `/new/$1?host=${HTTP_HOST}`: the texts of rules.

extension RuleText {
  /// Reads a text: `$0` … `$9`, `${VARIABLE}`, `${cookie[name]}`, `${qs[name]}`, `${uwsgi[status]}`; any
  /// other dollar sign stands for itself.
  ///
  /// - Parameter groups: how many the rule's pattern has.
  init(parsing text: some StringProtocol, groups: Int) throws(ValueError) {
    var parts: [Part] = []
    var literal: [UInt8] = []
    var rest = Array(text.utf8)[...]
    func end() {
      if !literal.isEmpty { parts.append(.literal(literal)) }
      literal = []
    }
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "$"), let next = rest.first else {
        literal.append(byte)
        continue
      }
      if Ascii.isDigit(next) {
        rest.removeFirst()
        let number = Int(next - Ascii.zero)
        guard number <= groups else {
          throw .rule(
            String(text), problem: "has $\(number), and no such group stands in its pattern",
            fix: "write a group in round brackets, or another text")
        }
        end()
        parts.append(.group(number))
      } else if next == UInt8(ascii: "{") {
        guard let close = rest.firstIndex(of: UInt8(ascii: "}")) else {
          throw .rule(String(text), problem: "has ${ without }", fix: "write ${VARIABLE}")
        }
        end()
        parts.append(try Self.place(rest[(rest.startIndex + 1)..<close]))
        rest = rest[(close + 1)...]
      } else {
        literal.append(byte)
      }
    }
    end()
    self.init(parts)
  }

  private static func place(_ text: ArraySlice<UInt8>) throws(ValueError) -> Part {
    let isName = { (byte: UInt8) in
      Ascii.isLetter(byte) || Ascii.isDigit(byte) || byte == Ascii.underscore || byte == Ascii.dash
    }
    if !text.isEmpty, text.allSatisfy(isName) { return .variable(Array(text)) }
    if text.last == Ascii.rightBracket, let open = text.firstIndex(of: UInt8(ascii: "[")) {
      let name = Array(text[(open + 1)...].dropLast())
      switch String(decoding: text[..<open], as: UTF8.self) {
      case "cookie": return .cookie(name)
      case "qs": return .parameter(name)
      case "uwsgi" where name.elementsEqual("status".utf8): return .status
      default: break
      }
    }
    throw .rule(
      "${\(String(decoding: text, as: UTF8.self))}", problem: "stands for nothing here",
      fix: "use ${VARIABLE}, ${cookie[name]}, ${qs[name]}, ${uwsgi[status]}, or $1 for a group")
  }
}
