// A request as the normaliser leaves it, over any protocol.
import Support
import Testing
import Wire

/// The values of one request.
struct Normalized: Equatable {
  var method = "GET"
  var script = ""
  var path = ""
  var query = ""
  var uri = ""
  var version = "HTTP/1.0"
  var scheme = "http"
  var address = "192.0.2.1"
  var name = "localhost"
  /// What a front end says; nil: nothing that is a port.
  var port: String?
  var remotePort: String?
  var type: String?
  var length: Int64 = 0

  init() {}

  /// Every text must end with NUL, which is not counted.
  init(_ meta: MetaVariables) {
    func text(_ text: Text) -> String {
      if let start = text.start { #expect(start[text.count] == 0, "no NUL behind a text") }
      return String(decoding: text.bytes, as: UTF8.self)
    }
    (method, script, path, query) = (
      text(meta.method), text(meta.scriptName), text(meta.pathInfo), text(meta.query)
    )
    (uri, version, scheme) = (text(meta.requestURI), text(meta.serverProtocol), text(meta.scheme))
    (address, name) = (text(meta.remoteAddr), text(meta.serverName))
    type = meta.contentType.start == nil ? nil : text(meta.contentType)
    port = meta.serverPort.start == nil ? nil : text(meta.serverPort)
    remotePort = meta.remotePort.start == nil ? nil : text(meta.remotePort)
    length = meta.contentLength
  }
}

/// Reads a head and normalises it.
func normalize(
  _ bytes: [UInt8], _ gateway: Gateway, fixesRoot: Bool = false, peer: StaticString = "192.0.2.1"
) throws -> Normalized {
  var buffer = bytes
  var codec = Codec(gateway, limits: .fixtures)
  var head = RequestHead(capacity: HeadLimits.fixtures.fields)
  var arena = Arena(size: 64)
  return try buffer.withUnsafeMutableBytes { buffer in
    var offset = 0
    let event = try codec.next(UnsafeRawBufferPointer(buffer).bytes, &offset, &head)
    guard event == .head else { throw SupportError.malformedReply("\(event) instead of a head") }
    let facts = ConnectionFacts(
      gateway: gateway, remoteAddr: Text(peer), localName: Text("localhost"), fixesRootScriptName: fixesRoot)
    var meta = MetaVariables()
    try Normalizer.normalize(&head, head.base(buffer.baseAddress!), facts, into: &meta, &arena)
    return Normalized(meta)
  }
}

func http(_ requestLine: String, _ fields: String = "Host: h\r\n") throws -> Normalized {
  try normalize(Array("\(requestLine)\r\n\(fields)\r\n".utf8), .http1)
}

/// Reads an environment and normalises it.
func normalize(environment: [(name: String, value: String)], fixesRoot: Bool, peer: StaticString) throws
  -> Normalized
{
  var reader = CGIRequestReader(limits: .fixtures)
  var head = RequestHead(capacity: HeadLimits.fixtures.fields)
  var arena = Arena(size: 64)
  head.reset(form: .variables)
  for variable in environment {
    head.assembled.append(string: "\(variable.name)=\(variable.value)")
    head.assembled.append(0)
  }
  var offset = 0
  guard try reader.next([UInt8]().span.bytes, &offset, &head) == .head, let base = head.assembled.base else {
    throw SupportError.malformedReply("no head")
  }
  let facts = ConnectionFacts(
    gateway: .cgi, remoteAddr: Text(peer), localName: Text("localhost"), fixesRootScriptName: fixesRoot)
  var meta = MetaVariables()
  try Normalizer.normalize(&head, base, facts, into: &meta, &arena)
  return Normalized(meta)
}

/// The same variables over SCGI, uwsgi, FastCGI and CGI must mean the same.
func variables(
  _ variables: KeyValuePairs<String, String>, fixesRoot: Bool = false, peer: StaticString = "192.0.2.1"
) throws -> Normalized {
  try WireTests.variables(variables.map { (name: $0.key, value: $0.value) }, fixesRoot: fixesRoot, peer: peer)
}

/// The same for a list.
func variables(
  _ list: [(name: String, value: String)], fixesRoot: Bool = false, peer: StaticString = "192.0.2.1"
) throws -> Normalized {
  var request = SCGIRequest()
  request.variables = list
  let scgi = try normalize(request.bytes, .scgi, fixesRoot: fixesRoot, peer: peer)
  let uwsgi = try normalize(
    UWSGIClientRequest(variables: list).bytes, .uwsgi, fixesRoot: fixesRoot, peer: peer)
  #expect(uwsgi == scgi, "uwsgi")
  let params = FastCGIClientRequest(params: [("CONTENT_LENGTH", "0")] + list)
  #expect(try normalize(params.bytes, .fastcgi, fixesRoot: fixesRoot, peer: peer) == scgi, "FastCGI")
  let environment = list + [(name: "CONTENT_LENGTH", value: "0")]
  #expect(try normalize(environment: environment, fixesRoot: fixesRoot, peer: peer) == scgi, "CGI")
  return scgi
}

/// SCRIPT_NAME and PATH_INFO, which is what most tests are about.
func paths(_ list: KeyValuePairs<String, String>, fixesRoot: Bool = false) throws -> [String] {
  let found = try variables(list, fixesRoot: fixesRoot)
  return [found.script, found.path]
}
