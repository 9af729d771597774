// Requests replayed to two builds of a Python application, WSGI and ASGI, before anybody meets the new one.
import Foundation
import Support
import Testing

@Suite(.serialized) struct PythonReplayTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  enum Interface: String, CaseIterable, Sendable { case wsgi, asgi }

  /// What answers a path: `wrong` is the path that is answered wrongly.
  private static func body(_ price: Int, _ wrong: String) -> String {
    """
    import json, os, random, sys, time

    def answer(path):
        status = 500 if path == "\(wrong)" else 200
        if path == "/json":
            pairs = [("id", random.random()), ("now", time.time_ns()), ("price", \(price))]
            random.shuffle(pairs)
            return status, "application/json", json.dumps(dict(pairs)).encode()
        if path == "/told":
            return status, "text/plain", os.environ.get("NSGI_REPLAY", "no").encode()
        return status, "text/html", f"<b>{random.getrandbits(64):x}</b> costs \(price)".encode()

    sys.stderr.write("tried " + os.environ.get("NSGI_REPLAY", "no") + "\\n")

    """
  }

  private static func application(_ interface: Interface) -> String {
    switch interface {
    case .wsgi:
      """
      def application(environ, start_response):
          status, kind, body = answer(environ["PATH_INFO"])
          start_response(f"{status} Words", [("Content-Type", kind)])
          return [body]

      """
    case .asgi:
      """
      async def application(scope, receive, send):
          if scope["type"] != "http":
              raise NotImplementedError
          status, kind, body = answer(scope["path"])
          fields = [(b"content-type", kind.encode())]
          await send({"type": "http.response.start", "status": status, "headers": fields})
          await send({"type": "http.response.body", "body": body})

      """
    }
  }

  /// Each has another size: Python trusts its compiled copy by size and whole seconds.
  private func install(_ interface: Interface, price: Int = 12, wrong: String = "", number: Int) throws {
    let text = Self.body(price, wrong) + Self.application(interface) + String(repeating: "#", count: number)
    try text.write(toFile: folder.file("shop.py"), atomically: true, encoding: .utf8)
  }

  @Test("a wrong status is refused, noise is not, a wrong body is told", arguments: Interface.allCases)
  func replays(interface: Interface) throws {
    try install(interface, number: 1)
    let server = try SupervisedServer(
      runtime: [
        "--pythonpath", folder.path, "-w", "shop", "--swap-soak", "0", "--swap-probation", "0",
        "--swap-replay", "50",
      ], folder: folder)
    let paths = ["/json", "/page", "/told", "/status"]
    func ask() throws { for path in paths { #expect(try server.get(path).status == 200, "\(path)") } }
    func swap() throws -> (exit: Int32, output: String) { try server.ctl(["swap"], Deadline(seconds: 120)) }
    try ask()
    #expect(try server.get("/told").text == "no")
    try install(interface, wrong: "/status", number: 2)
    let (refused, output) = try swap()
    #expect(refused == 1, "\(output)")
    #expect(
      output.contains("GET /status was answered with 500, and with 200 by the build before"), "\(output)")
    #expect(output.contains("still serving"), "\(output)")
    #expect(server.log.contains("tried 1\n"), "\(server.log)")
    try install(interface, number: 3)
    let (good, words) = try swap()
    #expect(good == 0 && words.contains("4 requests replayed, none differs, 3 by noise alone"), "\(words)")
    try ask()
    try install(interface, price: 13, number: 4)
    let (told, differences) = try swap()
    #expect(told == 0 && differences.contains("4 requests replayed, 3 differ (3 body)"), "\(differences)")
    #expect(try server.ctl("diff").output.contains("$.price: 12 became 13"))
    #expect(try server.get("/told").text == "no")
    #expect(try server.stop() == .status(0), "\(server.log)")
  }
}
