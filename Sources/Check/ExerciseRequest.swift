import CNSGI
import Glibc
import Host
import Wire

/// What happens to one exchange of the exercise: the request, and how its client behaves.
struct ExerciseScenario {
  enum Client: Equatable {
    case stays
    /// Every function returns NSGI_GONE from the start.
    case isGone
    /// Leaves while the application is in its first call of the host, which returns after cancel().
    case leavesDuringFirstCall
    /// Leaves when the application has read this many bytes of the body.
    case leavesAfterReading(Int)
    /// Leaves when call() has returned NSGI_ASYNC.
    case leavesAfterReturn
  }

  var method = "GET"
  var path = "/"
  var fields: [(name: String, value: String)] = [("host", "check.example"), ("user-agent", "check")]
  var body: [UInt8] = []
  /// Fields behind the body.
  var trailers: [(name: String, value: String)] = []
  /// The most bytes that one read() gives.
  var mostPerRead = Int.max
  var client = Client.stays
  /// Every second call that may wait returns NSGI_AGAIN; for an application that never waits.
  var makesWait = false

  var isHead: Bool { method == "HEAD" }
}

/// A request in pages of its own: lent to the application, and made inaccessible when the exchange has ended,
/// so that later accesses are found.
final class ExerciseRequest {
  let view: UnsafeMutablePointer<nsgi_request>
  private let memory: UnsafeMutableRawPointer
  private let size: Int
  private var used = 0
  private(set) var fields: UnsafeMutablePointer<nsgi_pair>
  private(set) var fieldCount = 0
  private(set) var environ: UnsafeMutablePointer<nsgi_pair>
  private(set) var environCount = 0
  /// Fields behind the body.
  private(set) var trailers: UnsafeMutablePointer<nsgi_pair>
  private(set) var trailerCount = 0
  /// The plain form's list: name, value, …, NULL.
  private(set) var vars: UnsafeMutablePointer<UnsafePointer<CChar>?>
  private(set) var body = nsgi_str()

  init(_ scenario: ExerciseScenario, id: nsgi_id) throws(SystemError) {
    let all = scenario.fields + scenario.trailers
    let text = all.reduce(0) { $0 + 2 * ($1.name.utf8.count + $1.value.utf8.count + 16) }
    let page = 4096
    let most = all.count + Self.ownVariables
    size = (text + scenario.body.count + most * 128 + 8 * page) / page * page
    memory = try System.mapMemory(size)
    let base = memory
    var at = 0
    func room<Element>(_ type: Element.Type, _ count: Int) -> UnsafeMutablePointer<Element> {
      defer { at += (count * MemoryLayout<Element>.stride + 15) & ~15 }
      return (base + at).bindMemory(to: type, capacity: count)
    }
    view = room(nsgi_request.self, 1)
    fields = room(nsgi_pair.self, most)
    environ = room(nsgi_pair.self, most)
    trailers = room(nsgi_pair.self, scenario.trailers.count + 1)
    vars = room(UnsafePointer<CChar>?.self, 2 * most + 1)
    used = at
    fill(scenario, id)
  }

  private static let ownVariables = 20

  deinit { System.unmap(UnsafeRawPointer(memory), size) }

  /// The exchange is over: makes any access fault from now on.
  func forbid() { System.forbidMemory(memory, size) }

  /// Copies bytes and ends them with a zero.
  private func lend(_ bytes: some Collection<UInt8>) -> nsgi_str {
    let start = memory + used
    precondition(used + bytes.count + 1 <= size, "the request does not fit")
    UnsafeMutableRawBufferPointer(start: start, count: bytes.count).copyBytes(from: bytes)
    used += bytes.count + 1
    return nsgi_str(p: UnsafePointer(start.assumingMemoryBound(to: CChar.self)), n: bytes.count)
  }

  private func lend(_ text: String) -> nsgi_str { lend(text.utf8) }

  private func fill(_ scenario: ExerciseScenario, _ id: nsgi_id) {
    body = lend(scenario.body)
    let length = scenario.body.count
    let type = scenario.fields.first { $0.name == "content-type" }?.value ?? ""
    var request = nsgi_request()
    request.size = UInt32(MemoryLayout<nsgi_request>.size)
    if length > 0 { request.flags |= NSGI_HAS_BODY.rawValue }
    if scenario.isHead { request.flags |= NSGI_HEAD_ONLY.rawValue }
    request.flags |= NSGI_TAKES_INTERIM.rawValue | NSGI_TAKES_TRAILERS.rawValue
    request.id = id
    request.method = lend(scenario.method)
    request.script_name = lend("")
    request.path_info = lend(scenario.path)
    request.query = lend("a=1&b=%20")
    request.protocol = lend("HTTP/1.1")
    request.scheme = lend("http")
    request.remote_addr = lend("192.0.2.1")
    request.content_type = lend(type)
    request.content_length = Int64(length)
    view.initialize(to: request)

    for (name, value) in [
      ("REQUEST_METHOD", request.method), ("SCRIPT_NAME", request.script_name),
      ("PATH_INFO", request.path_info), ("QUERY_STRING", request.query),
      ("SERVER_PROTOCOL", request.protocol), ("REQUEST_SCHEME", request.scheme),
      ("REMOTE_ADDR", request.remote_addr),
      ("REQUEST_URI", lend(scenario.path + "?a=1&b=%20")), ("SERVER_NAME", lend("check.example")),
      ("SERVER_PORT", lend("80")), ("SERVER_SOFTWARE", lend("nsgi-server check")),
      ("GATEWAY_INTERFACE", lend("CGI/1.1")),
    ] { addVariable(name, value) }
    if !type.isEmpty { addVariable("CONTENT_TYPE", request.content_type) }
    if length > 0 { addVariable("CONTENT_LENGTH", lend("\(length)")) }
    for (name, value) in scenario.fields { addField(name, value) }
    for (name, value) in scenario.trailers {
      trailers[trailerCount] = nsgi_pair(name: lend(name), value: lend(value))
      trailerCount += 1
    }
    vars[2 * environCount] = nil
  }

  private func addField(_ name: String, _ value: String) {
    let value = lend(value)
    fields[fieldCount] = nsgi_pair(name: lend(name), value: value)
    fieldCount += 1
    guard name != "content-type", name != "content-length" else { return }
    addVariable("HTTP_" + String(name.uppercased().map { $0 == "-" ? "_" : $0 }), value)
  }

  private func addVariable(_ name: String, _ value: nsgi_str) {
    let name = lend(name)
    environ[environCount] = nsgi_pair(name: name, value: value)
    vars[2 * environCount] = name.p
    vars[2 * environCount + 1] = value.p
    environCount += 1
  }

  /// The value of a variable; .p is NULL if it is absent.
  func variable(_ name: UnsafeRawBufferPointer) -> nsgi_str {
    for index in 0..<environCount where environ[index].name.bytes.elementsEqual(name) {
      return environ[index].value
    }
    return nsgi_str(p: nil, n: 0)
  }
}
