// The front end's side of uwsgi, written from uWSGI's description and sharing nothing with Sources/Wire.
import Wire

/// What a front end sends for one request.
public struct UWSGIClientRequest: Sendable {
  public var modifier1: UInt8 = 0
  public var modifier2: UInt8 = 0
  public var variables: [(name: String, value: String)]
  public var body: [UInt8]

  public init(variables: [(name: String, value: String)], body: [UInt8] = []) {
    self.variables = variables
    self.body = body
  }

  /// Header, block and body; lengths with the low byte first.
  public var bytes: [UInt8] {
    let block = variables.flatMap { uwsgiText($0.name) + uwsgiText($0.value) }
    precondition(block.count <= 65535, "more than a block holds")
    return [modifier1] + lowFirst(block.count) + [modifier2] + block + body
  }
}

/// A text behind its length.
private func uwsgiText(_ text: String) -> [UInt8] { lowFirst(text.utf8.count) + Array(text.utf8) }

private func lowFirst(_ number: Int) -> [UInt8] { [UInt8(number % 256), UInt8(number / 256)] }

extension UWSGIRequestReader: RequestCodec {
  public static var name: String { "uwsgi" }
  public static var carriesManyRequests: Bool { false }
  public mutating func reset() {}
}
