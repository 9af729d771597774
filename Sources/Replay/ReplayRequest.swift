import Config
import Control

/// A remembered request as it is replayed.
struct ReplayRequest: Sendable {
  /// The application's place among those that serve.
  let app: Int
  /// "GET /shop?x=1".
  let line: String
  let isHead: Bool
  /// The request in SCGI.
  let bytes: [UInt8]

  init(_ head: RememberedHead) {
    app = head.app
    let method = head.text("REQUEST_METHOD")
    line = Printable.text("\(method) \(head.text("REQUEST_URI"))")
    isHead = method == "HEAD"
    bytes = ReplayRequest.encoded(head)
  }

  /// A netstring of variables (SCGI specification, "Request Format"). Of a name that is there more than once
  /// the last one counts, unless it is a field, of which all do.
  private static func encoded(_ head: RememberedHead) -> [UInt8] {
    let field = Array("HTTP_".utf8)
    let variables = head.variables
    var last: [ArraySlice<UInt8>: Int] = [:]
    for (place, variable) in variables.enumerated() { last[variable.name] = place }
    var block = Array("CONTENT_LENGTH\u{0}0\u{0}SCGI\u{0}1\u{0}".utf8)
    for (place, variable) in variables.enumerated() {
      guard !variable.name.elementsEqual("CONTENT_LENGTH".utf8), !variable.name.elementsEqual("SCGI".utf8),
        last[variable.name] == place || variable.name.starts(with: field)
      else { continue }
      block += variable.name
      block.append(0)
      block += variable.value
      block.append(0)
    }
    return Array("\(block.count):".utf8) + block + [UInt8(ascii: ",")]
  }

  /// Those that are replayed: of each application the youngest ones that ask for different things, in the
  /// order in which they came.
  ///
  /// - Parameters:
  ///   - apps: the places of the applications.
  ///   - most: requests of each application.
  static func chosen(from heads: [RememberedHead], apps: [Int], most: Int) -> [ReplayRequest] {
    var chosen: [RememberedHead] = []
    for app in apps {
      var seen: Set<[String]> = []
      let own = heads.filter { $0.app == app && !$0.block.isEmpty }.sorted { $0.at > $1.at }
      for head in own where seen.count < most {
        let key = ["REQUEST_METHOD", "REQUEST_URI", "HTTP_HOST"].map { head.text($0) }
        if seen.insert(key).inserted { chosen.append(head) }
      }
    }
    return chosen.sorted { ($0.at, $0.app) < ($1.at, $1.app) }.map { ReplayRequest($0) }
  }
}
