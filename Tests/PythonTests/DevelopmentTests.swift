// --debug: what only whoever writes an application wants.
import Foundation
import Support
import Testing

@Suite struct DevelopmentTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write(Self.source("one"), to: "changing.py")
  }

  private static func source(_ text: String) -> String {
    """
    import changing_part
    def application(environ, start_response):
        path = environ['PATH_INFO']
        if path == '/late':
            start_response('200 OK', [('Content-Length', '9')])('half')
        if path != '/':
            raise ValueError("<script>alert('" + path + "')</script> & \\x1b[31m\\u202e")
        start_response('200 OK', [])
        return [b'\(text)' + changing_part.text]

    """
  }

  /// An ASGI application of the same answer.
  private static func coroutine(_ text: String) -> String {
    """
    import changing_part
    async def application(scope, receive, send):
        if scope['type'] == 'http':
            await send({'type': 'http.response.start', 'status': 200, 'headers': []})
            await send({'type': 'http.response.body', 'body': b'\(text)' + changing_part.text})

    """
  }

  private func serve(_ options: [String]) throws -> ServerProcess {
    try folder.write("text = b'!'\n", to: "changing_part.py")
    return try Python.serve("changing", ["--pp", folder.path] + options)
  }

  @Test("an exception is a page for a browser, in which nothing of it is markup")
  func page() throws {
    let server = try serve(["--debug"])
    let reply = try server.get("/%3Cimg%20src=x%20onerror=alert(1)%3E")
    #expect(reply.status == 500)
    #expect(reply["Content-Type"] == "text/html; charset=utf-8")
    #expect(reply["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'")
    #expect(reply["Cache-Control"] == "no-store" && reply["X-Content-Type-Options"] == "nosniff")
    #expect(
      reply.text.contains("ValueError: &lt;script&gt;alert(&#39;/&lt;img src=x onerror=alert(1)&gt;&#39;)"))
    #expect(reply.text.contains("Traceback (most recent call last):"), "\(reply.text)")
    #expect(reply.text.contains("changing.py&quot;, line 7, in application"), "\(reply.text)")
    #expect(reply.text.contains("GET /&lt;img"))
    let tags = reply.text.split(separator: "<").map {
      $0.prefix { $0.isLetter || $0.isNumber || "/!".contains($0) }
    }
    #expect(
      Set(tags) == [
        "!DOCTYPE", "html", "head", "meta", "title", "/title", "style", "/style", "/head", "body", "p", "/p",
        "h1",
        "/h1", "pre", "/pre", "/body", "/html",
      ], "\(reply.text)")
    #expect(!reply.text.contains("\u{1b}") && !reply.text.contains("<script"))
    #expect(try server.get("/").text == "one!")
    #expect(try server.stop() == .status(0))
    #expect(server.process.output.contains("--debug is for development"), "\(server.process.output)")
    #expect(server.process.output.contains("ValueError: <script>"), "\(server.process.output)")
  }

  @Test(
    "without --debug nobody sees a page, whatever else is asked for",
    arguments: [[], ["--py-autoreload", "1"], ["--watch"], ["--catch-exceptions"], ["--debug=false"]])
  func noPage(_ options: [String]) throws {
    let server = try serve(options)
    let reply = try server.get("/x")
    #expect(reply.status == 500)
    #expect(reply["Content-Type"] == "text/plain; charset=utf-8")
    #expect(!reply.text.contains("<pre>") && !reply.text.contains("<!DOCTYPE"))
    #expect(reply.text.contains("Traceback") == (options == ["--catch-exceptions"]))
    #expect(try server.stop() == .status(0))
  }

  @Test("a key of that name in a file of uWSGI's is a variable, and no page")
  func foreignWord() throws {
    try folder.write("text = b'!'\n", to: "changing_part.py")
    try folder.write(
      """
      [uwsgi]
      debug = true
      pythonpath = \(folder.path)
      module = changing

      """, to: "app.ini")
    let server = try ServerProcess(
      app: nil, ["--ini", folder.file("app.ini"), "--http-socket", "127.0.0.1:0"] + Python.role)
    #expect(try server.get("/x").text.contains("Its error is in the log"))
    #expect(try server.stop() == .status(0))
    #expect(
      server.process.output.contains("`debug`: neither this server nor uWSGI"), "\(server.process.output)")
  }

  @Test(
    "what is saved is served, however it is saved, and what is no Python is not",
    arguments: [(false, ["--debug"]), (false, ["--py-autoreload", "3600"]), (true, ["--debug"])])
  func saves(isASGI: Bool, options: [String]) throws {
    let source = isASGI ? Self.coroutine : Self.source
    try folder.write(source("one"), to: "changing.py")
    let server = try serve(["--http-socket", "127.0.0.1:\(try FreePort.any())"] + options)
    func expect(_ text: String) throws {
      try Deadline.usual.wait(for: "the answer \(text)", output: { server.process.output }) {
        (try? server.get("/"))?.text == text ? true : nil
      }
    }
    try expect("one!")
    try folder.write("this is no Python (", to: "changing.py")
    _ = try server.process.waitForOutput("the refusal") { $0.contains("is not loaded: ") ? true : nil }
    try expect("one!")
    try folder.write(source("two"), to: "changing.py")
    try expect("two!")
    // An editor that writes beside and renames; a module that the application imports.
    try folder.write("text = b'?'\n", to: "changing_part.py~")
    #expect(rename(folder.file("changing_part.py~"), folder.file("changing_part.py")) == 0)
    try expect("two?")
    #expect(try server.stop() == .status(0), "\(server.process.output)")
  }
}
