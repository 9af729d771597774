/// A value of JSON (RFC 8259), for writing only.
public indirect enum JSON: CustomStringConvertible {
  case null
  case bool(Bool)
  case int(Int)
  case string(String)
  case array([JSON])
  /// Members in this order.
  case object([(String, JSON)])

  public var description: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .int(let value): "\(value)"
    case .string(let text): Printable.json(text)
    case .array(let values): "[" + values.map(\.description).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { Printable.json($0.0) + ":" + $0.1.description }.joined(separator: ",") + "}"
    }
  }

  /// The same for people, one value per line; ends with a newline.
  public var indented: String { lines("") + "\n" }

  private func lines(_ margin: String) -> String {
    let inner = margin + "  "
    switch self {
    case .array(let values) where !values.isEmpty:
      return "[\n" + values.map { inner + $0.lines(inner) }.joined(separator: ",\n") + "\n\(margin)]"
    case .object(let members) where !members.isEmpty:
      let list = members.map { inner + Printable.json($0.0) + ": " + $0.1.lines(inner) }
      return "{\n" + list.joined(separator: ",\n") + "\n\(margin)}"
    default: return description
    }
  }
}
