import Config
import Foundation
import Support
import Testing

@testable import Host

@Suite struct PluginSearchTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for name in ["mine", "bin", "lib/nsgi-server"] {
      try FileManager.default.createDirectory(
        atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true)
    }
  }

  private func place(_ name: String) throws -> String {
    let path = "\(folder.path)/\(name)"
    try Data().write(to: URL(fileURLWithPath: path))
    return path
  }

  private var search: PluginSearch {
    PluginSearch(directories: ["\(folder.path)/mine"], executable: "\(folder.path)/bin/server")
  }

  @Test func theOperatorsDirectoryComesBeforeTheExecutablesAndTheLibrarys() throws {
    let plugin = RuntimeReference(name: "lua")
    let last = try place("lib/nsgi-server/liblua_plugin.so")
    #expect(try search.find(plugin).hasSuffix("/lib/nsgi-server/liblua_plugin.so"))
    #expect(FileManager.default.fileExists(atPath: last))
    let beside = try place("bin/liblua_plugin.so")
    #expect(try search.find(plugin) == beside)
    let own = try place("mine/lua_plugin.so")
    #expect(try search.find(plugin) == own)
  }

  @Test func aFileIsTakenAsItIs() throws {
    let path = try place("any.so")
    #expect(try search.find(RuntimeReference(name: "lua", path: path)) == path)
  }

  @Test func aMissingPluginIsOneSentenceWithThePlacesAndTheFix() {
    let places = "\(folder.path)/mine, \(folder.path)/bin or \(folder.path)/lib/nsgi-server"
    let error = #expect(throws: ServerFailure.self) { try search.find(RuntimeReference(name: "lua")) }
    #expect(
      error?.description == "the plugin lua was not found: neither lua_plugin.so nor liblua_plugin.so is in "
        + "\(places); install nsgi-server-lua, build it with `make plugins`, or name its directory with "
        + "--plugins-dir")
    #expect(error?.exitCode == 1)
    let absent = #expect(throws: ServerFailure.self) {
      try search.find(RuntimeReference(name: "lua", path: "/nowhere/lua.so"))
    }
    #expect(absent?.exitCode == 1)
  }
}
