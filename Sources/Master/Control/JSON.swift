import Control

/// A value of JSON (RFC 8259), for writing only.
indirect enum JSON: CustomStringConvertible {
  case null
  case bool(Bool)
  case int(Int)
  case string(String)
  case array([JSON])
  /// Members in this order.
  case object([(String, JSON)])

  var description: String {
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
}
