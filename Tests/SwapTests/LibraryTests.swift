// Builds that bring libraries of their own, and libraries that change under builds that stay.
import Foundation
import Support
import Testing

extension Swaps {
  @Suite struct LibraryTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// How the second build comes to another library than the first.
    enum Way: String, CaseIterable {
      case otherFolder, sameName, throughAnother, byRPATH, opened
    }

    private func server(_ app: String, _ options: [String] = []) throws -> SupervisedServer {
      try SupervisedServer(
        app, workers: 1, ["--swap-soak", "0", "--swap-probation", "0"] + options, folder: folder)
    }

    private func answer(_ server: SupervisedServer) throws -> String {
      try Curl.get(try server.server.url).text
    }

    /// A build of the app and its library, in the way that is wanted.
    private func build(_ number: Int, _ way: Way) throws -> String {
      let place = way == .otherFolder || way == .byRPATH ? "r\(number)" : "r"
      let dep = folder.file("\(place)/libdep.so.1")
      switch way {
      case .otherFolder, .sameName:
        try LinkedApp.library(number, at: dep)
        return try LinkedApp.build("app", number, with: dep, in: folder)
      case .byRPATH:
        try LinkedApp.library(number, at: dep)
        return try LinkedApp.build("app", number, with: dep, in: folder, ["-Wl,--disable-new-dtags"])
      case .throughAnother:
        try LinkedApp.library(number, at: dep, function: "deeper_version")
        let middle = try LinkedApp.library(
          0, at: folder.file("m\(number)/libmiddle\(number).so"), soname: "libmiddle\(number).so",
          below: .init("deeper_version", dep))
        return try LinkedApp.build("app", number, with: middle, in: folder)
      case .opened:
        try LinkedApp.library(number, at: dep)
        return try LinkedApp.build("app", number, with: nil, in: folder)
      }
    }

    @Test("in place, a build never gets the library of the one before", arguments: Way.allCases)
    func inPlace(way: Way) throws {
      let server = try server(
        try build(1, way),
        ["--swap", "in-place", "--app-option", "library=\(folder.file("r/libdep.so.1"))"])
      #expect(try answer(server) == "app 1 library 1")
      try server.install(try build(2, way))
      let (exit, output) = try server.ctl("swap")
      #expect(try answer(server) == "app 2 library 2", "\(output)")
      #expect(exit == 0 && output.contains("worker by worker"), "\(output)")
      #expect(way == .opened || output.contains("libdep.so.1"), "\(output)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a library that is the same, there or in another folder, does not stand in the way")
    func sameLibrary() throws {
      let server = try server(try build(1, .otherFolder), ["--swap", "in-place"])
      #expect(try answer(server) == "app 1 library 1")
      try server.install(
        try LinkedApp.build("app", 2, with: folder.file("r1/libdep.so.1"), in: folder))
      #expect(try server.ctl("swap").output.contains("(in place)"))
      let copy = folder.file("r3/libdep.so.1")
      try FileManager.default.createDirectory(
        atPath: folder.file("r3"), withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: folder.file("r1/libdep.so.1"), toPath: copy)
      try server.install(try LinkedApp.build("app", 3, with: copy, in: folder))
      let (_, output) = try server.ctl("swap")
      #expect(output.contains("(in place)"), "\(output)")
      #expect(try answer(server) == "app 3 library 1")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    // MARK: The library alone

    enum Change: String, CaseIterable {
      case moved, linkTurned, throughAnother, opened, inPlace
    }

    /// Changes the library and nothing else.
    private func change(_ change: Change, to version: Int) throws {
      switch change {
      case .linkTurned:
        try LinkedApp.library(version, at: folder.file("v\(version)/libdep.so.1"))
        let link = folder.file("r")
        try? FileManager.default.removeItem(atPath: link)
        try FileManager.default.createSymbolicLink(
          atPath: link, withDestinationPath: folder.file("v\(version)"))
      case .throughAnother:
        try LinkedApp.library(version, at: folder.file("r/libdep.so.1"), function: "deeper_version")
      case .moved, .opened, .inPlace: try LinkedApp.library(version, at: folder.file("r/libdep.so.1"))
      }
    }

    @Test(
      "a library that was replaced is a new build, by ctl and by SIGHUP; after that there is nothing to do",
      arguments: Change.allCases)
    func libraryAlone(change: Change) throws {
      try self.change(change, to: 1)
      let dep = folder.file("r/libdep.so.1")
      let app: String
      switch change {
      case .throughAnother:
        let middle = try LinkedApp.library(
          0, at: folder.file("libmiddle.so"), soname: "libmiddle.so", below: .init("deeper_version", dep))
        app = try LinkedApp.build("app", 1, with: middle, in: folder)
      case .opened: app = try LinkedApp.build("app", 1, with: nil, in: folder)
      case .moved, .linkTurned, .inPlace: app = try LinkedApp.build("app", 1, with: dep, in: folder)
      }
      let mode = change == .inPlace ? "in-place" : "rolling"
      let server = try server(app, ["--swap", mode, "--app-option", "library=\(dep)"])
      #expect(try answer(server) == "app 1 library 1")
      #expect(try server.ctl("swap").output.contains("nothing to do"))
      try self.change(change, to: 2)
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 0 && output.contains("what it loads has changed"), "\(output)")
      #expect(output.contains("libdep.so.1"), "\(output)")
      #expect(try answer(server) == "app 1 library 2", "\(output)")
      #expect(try server.ctl("swap").output.contains("nothing to do"))
      try self.change(change, to: 3)
      server.server.process.send(SIGHUP)
      try Deadline.usual.wait(for: "the third library", output: { server.log }) {
        try answer(server) == "app 1 library 3" ? true : nil
      }
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("--watch sees a library that was replaced")
    func watched() throws {
      let dep = try LinkedApp.library(1, at: folder.file("r/libdep.so.1"))
      let server = try server(try LinkedApp.build("app", 1, with: dep, in: folder), ["--watch"])
      for version in 2...3 {
        try LinkedApp.library(version, at: dep)
        try Deadline.usual.wait(for: "library \(version)", output: { server.log }) {
          try answer(server) == "app 1 library \(version)" ? true : nil
        }
      }
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a library of --call that was replaced is a new build")
    func callLibrary() throws {
      let library = try LinkedApp.library(1, at: folder.file("x=1/libdep.so.1"))
      let server = try SupervisedServer(
        runtime: ["--call", "\(library):dep_version() -> i32 pure", "--swap-soak", "0"], workers: 1,
        folder: folder)
      let url = try server.server.url + "/dep_version"
      #expect(try Curl.get(url).text.contains(":1}"), "\(server.log)")
      #expect(try server.ctl("swap").output.contains("nothing to do"))
      try LinkedApp.library(2, at: library)
      let (exit, output) = try server.ctl("swap")
      #expect(exit == 0, "\(output)")
      #expect(try Curl.get(url).text.contains(":2}"), "\(output)")
      // A worker that is replaced runs what lies there, and says so.
      try LinkedApp.library(3, at: library)
      kill(try #require(try server.status().serving.first).pid, SIGKILL)
      try server.waitForLog(
        "runs with libraries that have changed since its build was loaded first, \(library)")
      #expect(try Curl.get(url).text.contains(":3}"), "\(server.log)")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("a worker that is replaced, and a build that is brought back, say that libraries have changed")
    func changedBehindTheServer() throws {
      let dep = try LinkedApp.library(1, at: folder.file("r/libdep.so.1"))
      let server = try server(try LinkedApp.build("app", 1, with: dep, in: folder))
      try LinkedApp.library(2, at: dep)
      let worker = try #require(try server.status().serving.first).pid
      kill(worker, SIGKILL)
      try server.waitForLog("runs with libraries that have changed since its build was loaded first, \(dep)")
      try server.install(try LinkedApp.build("app", 2, with: dep, in: folder))
      #expect(try server.ctl("swap").exit == 0)
      try LinkedApp.library(3, at: dep)
      let (exit, output) = try server.ctl("rollback")
      #expect(exit == 0 && output.contains("no copies of them are kept"), "\(output)")
      #expect(try answer(server) == "app 1 library 3")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }
  }
}
