// The memory that workers have in common for the module `uwsgi`, through reloads that are refused.
import Foundation
import Support
import Testing

@Suite struct CommonMemoryTests {
  private static let app = """
    import os, uwsgi, _uwsgi_shared

    if os.path.exists(FLAG) and uwsgi.worker_id() == 2 and _uwsgi_shared.told("serves"):
        raise RuntimeError("not today")

    def application(environ, start):
        if environ["PATH_INFO"] == "/set":
            uwsgi.cache_update("key", "kept")
        memory = os.fstat(_uwsgi_shared.descriptor).st_ino
        start("200 OK", [])
        return [f"{uwsgi.worker_id()} {os.getpid()} {memory} {uwsgi.cache_get('key')}".encode()]

    """

  private static func ini(_ folder: TemporaryFolder, items: Int) -> String {
    """
    [uwsgi]
    pythonpath = \(folder.path)
    module = common_app
    processes = 3
    lazy-apps = true
    cache2 = name=pages,items=\(items)

    """
  }

  /// What each of the workers says: its process, its memory, what it finds there.
  private func answers(_ server: SupervisedServer) throws -> [Int: [String]] {
    var found: [Int: [String]] = [:]
    try Deadline.usual.wait(for: "an answer of each worker", output: { server.log }) {
      let words = try server.get().text.split(separator: " ").map(String.init)
      if let place = Int(words[0]) { found[place] = Array(words.dropFirst()) }
      return found.count == 3 ? () : nil
    }
    return found
  }

  @Test("workers of one release have one memory, also after a reload with other caches was refused")
  func refused() throws {
    let folder = try TemporaryFolder()
    let flag = folder.file("flag")
    try folder.write(Self.app.replacingOccurrences(of: "FLAG", with: "'\(flag)'"), to: "common_app.py")
    try folder.write(Self.ini(folder, items: 10), to: "app.ini")
    let server = try SupervisedServer(
      runtime: ["--ini", folder.file("app.ini")], workers: 3, folder: folder)
    #expect(try server.get("/set").status == 200)
    let before = try answers(server)
    try folder.write("", to: "flag")
    try folder.write(Self.ini(folder, items: 20), to: "app.ini")
    let (exit, output) = try server.ctl("reload")
    #expect(exit == 1 && output.contains("refused"), "\(output)")
    try FileManager.default.removeItem(atPath: flag)
    // The change ends at once; the worker that had the new release goes back to the one before after it.
    try server.wait(for: "the release before") {
      $0.serving.count == 3 && $0.workers.allSatisfy { $0.generations == [1] }
    }
    // One that is started anew gets what its siblings have.
    let victim = try #require(try server.status().serving.first { $0.place == 2 })
    kill(victim.pid, SIGKILL)
    try server.wait(for: "its successor") { $0.serving.contains { $0.place == 2 && $0.pid != victim.pid } }
    let after = try answers(server)
    #expect(Set(after.values.map { $0[1] }) == Set(before.values.map { $0[1] }), "\(before) \(after)")
    #expect(after.values.allSatisfy { $0[2] == "b'kept'" }, "\(after)")
    try folder.write(Self.ini(folder, items: 30), to: "app.ini")
    #expect(try server.ctl("reload").exit == 0)
    let fresh = try answers(server)
    #expect(Set(fresh.values.map { $0[1] }).count == 1 && fresh.values.allSatisfy { $0[2] == "None" })
    #expect(try server.stop() == .status(0), "\(server.log)")
  }
}
