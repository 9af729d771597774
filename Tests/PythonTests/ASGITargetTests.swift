// Which interface an application has, and the lifespan: what is refused, what is tolerated, what is awaited.
import Foundation
import Support
import Testing

@Suite struct ASGITargetTests {
  @Test(
    "-w decides by what it finds",
    arguments: [
      ("function", "function"), ("instance", "instance"), ("method", "instance"), ("partial", "function"),
      ("Awaited", "awaited"), ("plain", "function"), ("make()", "made"), ("make('word')", "word"),
      ("wsgi", "wsgi"),
    ])
  func inspection(target: String, text: String) throws {
    let output = try Python.run("asgi_targets:\(target)") { (server) throws in
      #expect(try server.get("/").text == text, "\(server.process.output)")
    }
    #expect(!output.contains("error:"), "\(output)")
  }

  @Test("--asgi, --wsgi and --interface say what it has to be")
  func forced() throws {
    for options in [["--asgi", "asgi_targets:function"], ["-w", "asgi_targets:function"]] {
      let server = try ServerProcess(
        app: nil,
        ["--no-master", "-L", "--pythonpath", Python.folder, "--http-socket", "127.0.0.1:0"] + options)
      #expect(try server.get("/").text == "function")
      #expect(try server.stop() == .status(0))
    }
    let wrong = [
      (["--wsgi", "asgi_targets:function"], "is an ASGI application", "--wsgi asks for WSGI"),
      (["--asgi", "asgi_targets:wsgi"], "is a WSGI application", "--asgi asks for ASGI"),
      (["-w", "asgi_targets:instance", "--interface", "wsgi"], "is an ASGI application", "--interface"),
      (["-w", "asgi_targets:Double"], "takes one argument, as applications of ASGI 2 do", "ASGI 3"),
      (["-w", "asgi_targets:double"], "takes one argument, as applications of ASGI 2 do", "ASGI 3"),
    ]
    for (options, sentence, more) in wrong {
      let (exit, output) = try Python.refusal(["--no-master"] + options)
      #expect(exit == .status(22) && output.contains(sentence) && output.contains(more), "\(output)")
    }
    let (exit, output) = try Python.refusal(["-w", "asgi_app", "--asgi-loop", "tornado"])
    #expect(exit == .status(1) && output.contains("\"tornado\" is not known"), "\(output)")
  }

  @Test("state, startup and shutdown: once, on the loop's thread, a copy of the state for each request")
  func lifespan() throws {
    let output = try Python.run("asgi_app") { (server) throws in
      #expect(try server.get("/state").text == "[[\"list\", \"made\", \"own\"], 1]")
      #expect(try server.get("/state").text == "[[\"list\", \"made\", \"own\"], 2]")
    }
    #expect(output.components(separatedBy: "the lifespan shuts down").count == 2, "\(output)")
  }

  @Test(
    "a startup that fails or hangs ends the start with one sentence",
    arguments: [
      ("startup_fails", "the startup of its lifespan failed: there is no database"),
      (
        "startup_hangs",
        "the startup of its lifespan has not come to an end within 1.6 s (--swap-timeout), in"
      ),
      ("startup_blocks", "within 1.6 s (--swap-timeout): it holds the event loop up"),
    ])
  func startupFails(target: String, sentence: String) throws {
    let (exit, output) = try Python.refusal(
      ["--no-master", "--swap-timeout", "2", "-w", "asgi_targets:\(target)"])
    #expect(exit == .status(22) && output.contains(sentence), "\(output)")
  }

  @Test(
    "an application that knows no lifespan is served without one",
    arguments: ["function", "startup_returns", "startup_out_of_order", "instance"])
  func unsupported(target: String) throws {
    let output = try Python.run("asgi_targets:\(target)") { (server) throws in
      #expect(try server.get("/").status == 200)
    }
    #expect(output.contains("takes no part in the lifespan protocol"), "\(output)")
  }

  @Test("a shutdown that fails or hangs is told, and holds the end up no longer than the mercy")
  func shutdownFails() throws {
    let failed = try Python.run("asgi_targets:shutdown_fails") { (server) throws in
      #expect(try server.get("/").text == "served")
    }
    #expect(failed.contains("the shutdown of its lifespan failed: the pool is stuck"), "\(failed)")
    let early = try Python.run("asgi_targets:ends_early") { (server) throws in
      #expect(try server.get("/").text == "served")
    }
    #expect(early.contains("its lifespan ended with") && early.contains("the pool is gone"), "\(early)")
    let hung = try Python.run("asgi_targets:shutdown_hangs", ["--worker-reload-mercy", "1"]) {
      (server) throws in
      #expect(try server.get("/").text == "served")
    }
    #expect(hung.contains("the shutdown of its lifespan has not come to an end within 1 s"), "\(hung)")
  }
}
