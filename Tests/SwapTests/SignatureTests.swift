// `--app-key`: only what the key has signed is loaded, in every way in, and the reason says what is wrong.
import Foundation
import Support
import Testing

/// Keys and signatures of one kind, made by the programs that people make them with.
private struct Signer: Sendable, CustomTestStringConvertible {
  /// openssl; minisign with a hash before (its usual), and without (its older form).
  enum Kind: String, CaseIterable, Sendable { case openssl, minisign, legacy }

  let kind: Kind
  var testDescription: String { kind.rawValue }
  static let all = Kind.allCases.map { Signer(kind: $0) }

  var ending: String { kind == .openssl ? ".sig" : ".minisig" }

  private func run(_ program: String, _ words: [String]) throws {
    guard access(program, X_OK) == 0 else { throw SignerMissing(program: program) }
    let (exit, output) = try ChildProcess.run(program, words, environment: ["OPENSSL_CONF": "/dev/null"])
    guard exit == .status(0) else { throw SupportError.ended(program: program, exit: exit, output: output) }
  }

  /// Makes a pair of keys at a path; what is public is in `PATH.pub`.
  func makeKeys(_ path: String) throws {
    switch kind {
    case .openssl:
      try run("/usr/bin/openssl", ["genpkey", "-algorithm", "ed25519", "-out", path])
      try run("/usr/bin/openssl", ["pkey", "-in", path, "-pubout", "-out", path + ".pub"])
    case .minisign, .legacy:
      try run("/usr/bin/minisign", ["-G", "-f", "-W", "-p", path + ".pub", "-s", path])
    }
  }

  /// Signs a file, beside it.
  func sign(_ file: String, _ key: String) throws {
    switch kind {
    case .openssl:
      try run(
        "/usr/bin/openssl", ["pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", file, "-out", file + ending])
    case .minisign, .legacy:
      let old = kind == .legacy ? ["-l"] : []
      try run("/usr/bin/minisign", ["-S", "-W", "-s", key, "-m", file, "-x", file + ending] + old)
    }
  }
}

private struct SignerMissing: Error, CustomStringConvertible {
  let program: String
  var description: String { "\(program) is not installed; use: scripts/install.sh test" }
}

extension Swaps {
  @Suite struct SignatureTests {
    private static let quick = ["--swap-soak", "0", "--swap-probation", "0"]

    /// A signed build and its keys, in a folder.
    private func prepare(_ signer: Signer) throws -> TemporaryFolder {
      let folder = try TemporaryFolder()
      try signer.makeKeys(folder.file("own"))
      try signer.makeKeys(folder.file("other"))
      return folder
    }

    /// Puts a build and its signature at the app's path.
    private func install(_ library: String, _ server: SupervisedServer, _ signer: Signer, key: String = "own")
      throws
    {
      let file = server.folder.file("app.so")
      try SupervisedServer.replace(file, with: library)
      try signer.sign(file, server.folder.file(key))
    }

    private func start(_ signer: Signer, _ options: [String] = quick) throws -> SupervisedServer {
      let folder = try prepare(signer)
      let file = folder.file("app.so")
      try SupervisedServer.replace(file, with: try Fixture.good)
      try signer.sign(file, folder.file("own"))
      return try SupervisedServer(Fixture.good, ["--app-key", "DIR/own.pub"] + options, folder: folder)
    }

    @Test("signed builds go live in every way, and come back", arguments: Signer.all)
    fileprivate func signed(signer: Signer) throws {
      let server = try start(signer, Self.quick + ["--touch-reload", "DIR/touch", "--watch"])
      #expect(try server.answering() == "A 1")
      // The watch looks at the file: the signature lies there before it.
      try signer.sign(try Fixture.better, server.folder.file("own"))
      try FileManager.default.removeItem(atPath: server.app + signer.ending)
      try FileManager.default.copyItem(
        atPath: try Fixture.better + signer.ending, toPath: server.app + signer.ending)
      try FileManager.default.removeItem(atPath: try Fixture.better + signer.ending)
      try SupervisedServer.replace(server.app, with: try Fixture.better)
      try server.wait(for: "the new build") { $0.generations == [2] }
      #expect(try server.answering() == "B 2")
      // A worker that is replaced, and one of a build that is brought back.
      let old = try server.status()
      kill(old.serving[0].pid, SIGKILL)
      try server.wait(for: "a successor") { $0.serving.count == 2 && $0.serving != old.serving }
      #expect(try server.ctl("rollback").exit == 0, "\(server.log)")
      #expect(try server.answering() == "A 1")
      let (exit, output) = try server.ctl("upgrade")
      #expect(exit == 0, "\(output)")
      try Deadline.usual.wait(for: "the new master", output: { server.log }) { () -> Void? in
        guard let status = try? server.status() else { return nil }
        return status.pid != server.pid && status.serving.count == 2 ? () : nil
      }
      #expect(try server.answering() == "A 1")
      #expect(try server.ctl("reload").exit == 0, "\(server.log)")
      #expect(try server.answering().hasPrefix("B "))
      let last = try server.status()
      #expect(try server.ctl("stop").exit == 0)
      try Deadline.usual.wait(for: "the end") { ProcessUsage.isAlive(last.pid) ? nil : () }
    }

    @Test("what is not signed, changed, or signed by another key is refused by name", arguments: Signer.all)
    fileprivate func refused(signer: Signer) throws {
      let server = try start(signer, Self.quick + ["--touch-reload", "DIR/touch"])
      let signature = server.app + signer.ending
      func hold(_ words: [String], _ bad: (SupervisedServer) throws -> Void) throws {
        try bad(server)
        for verb in ["swap", "reload"] {
          let (exit, output) = try server.ctl(verb)
          let verdict = output.split(separator: "\n").last.map(String.init) ?? ""
          #expect(exit == 1 && verdict.hasPrefix("refused: "), "\(output)")
          for word in words + ["(--app-key)", "still serving ledger generation 1"] {
            #expect(verdict.contains(word), "\(word): \(output)")
          }
        }
        #expect(try server.answering() == "A 1")
      }
      try hold(["app.so is not signed: there is no \(signature); sign it with the key of"]) { server in
        try SupervisedServer.replace(server.app, with: try Fixture.better)
        try FileManager.default.removeItem(atPath: signature)
      }
      try hold([
        "app.so is not loaded: the signature \(signature) does not fit it", "was changed after it was signed",
      ]) {
        try install(Fixture.better, $0, signer)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: $0.app))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: $0.app), options: .atomic)
      }
      let byOther =
        signer.kind == .openssl
        ? "does not fit it and the key \(server.folder.file("own.pub")): the file was changed"
        : "was made by the key "
      try hold([byOther]) { try install(Fixture.better, $0, signer, key: "other") }
      try hold(["app.so is not loaded: the signature \(signature) "]) { _ in
        try Data("nonsense\n".utf8).write(to: URL(fileURLWithPath: signature))
      }
      if signer.kind != .openssl {
        // The trusted comment is signed too.
        try hold(["does not fit it and the key"]) { server in
          try install(Fixture.better, server, signer)
          let text = try String(contentsOfFile: signature, encoding: .utf8)
          try text.replacingOccurrences(of: "timestamp:", with: "timestamp:9").write(
            toFile: signature, atomically: true, encoding: .utf8)
        }
      }
      // A touched file asks for the same, and history says who it was and why not.
      try "".write(toFile: server.folder.file("touch"), atomically: false, encoding: .utf8)
      try Deadline.usual.wait(for: "the refusal", output: { server.log }) {
        let history = try server.ctl("history").output
        let line = "reload by touch \(server.folder.file("touch")): refused"
        return history.contains(line) && history.contains("(--app-key)") ? () : nil
      }
      try install(Fixture.better, server, signer)
      #expect(try server.ctl("swap").exit == 0, "\(server.log)")
      #expect(try server.answering().hasPrefix("B "))
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test(
      "a copy that somebody has changed is not loaded by the next worker", arguments: Signer.all.prefix(2))
    fileprivate func changedCopy(signer: Signer) throws {
      let server = try start(signer, Self.quick + ["--runtime-dir", "DIR/"])
      let found = try FileManager.default.subpathsOfDirectory(atPath: server.folder.path)
        .filter { $0.contains("gen-") && $0.hasSuffix("/app.so") }
      let copy = server.folder.file(try #require(found.first))
      chmod(copy, 0o600)
      let file = try #require(FileHandle(forWritingAtPath: copy))
      // Behind what is mapped to be run: who runs it already does not notice.
      try file.seekToEnd()
      try file.write(contentsOf: Data([0]))
      try file.close()
      let old = try server.status()
      kill(old.serving[0].pid, SIGKILL)
      try server.waitForLog(" ms for its next worker: application cannot be loaded: ")
      #expect(server.log.contains("does not fit it and the key"), "\(server.log)")
      #expect(try server.answering() == "A 1")
      #expect(try server.stop() == .status(0), "\(server.log)")
    }

    @Test("the linker looks for libraries nowhere that others than root can write")
    func libraries() throws {
      let signer = Signer(kind: .openssl)
      let folder = try prepare(signer)
      let app = folder.file("app.so")
      let (open, guarded) = (try folder.folder("open"), try folder.folder("guarded"))
      #expect(chmod(open, 0o777) == 0 && chmod(guarded, 0o755) == 0)
      for place in [open, guarded] { try LinkedApp.library(1, at: "\(place)/libdep.so.1") }
      let low = "\(open)/liblow.so.1"
      try LinkedApp.library(1, at: low, soname: "liblow.so.1", function: "low_version")
      try LinkedApp.library(1, at: "\(guarded)/through/libdep.so.1", below: .init("low_version", low))
      let builds: [(library: String, words: [String], isRefused: Bool)] = [
        ("\(guarded)/libdep.so.1", [], false), ("\(open)/libdep.so.1", [], true),
        ("\(guarded)/libdep.so.1", ["-Wl,-rpath,\(open)/not/there"], true),
        ("\(guarded)/libdep.so.1", ["-Wl,-rpath,somewhere"], true),
        ("\(guarded)/libdep.so.1", ["-Wl,-rpath,/usr/lib/not-there"], false),
        ("\(guarded)/through/libdep.so.1", [], true),
      ]
      for (number, build) in builds.enumerated() {
        let made = try LinkedApp.build("signed", number, with: build.library, in: folder, build.words)
        try SupervisedServer.replace(app, with: made)
        try signer.sign(app, folder.file("own"))
        let server = try ChildProcess(
          Repository.server,
          ["--app", app, "--app-key", folder.file("own.pub"), "--http-socket", "127.0.0.1:0", "--no-master"])
        if build.isRefused {
          #expect(try server.wait() == .status(22), "\(number): \(server.output)")
          #expect(server.output.contains(" has libraries looked for in "), "\(number): \(server.output)")
        } else {
          _ = try server.waitForOutput("its readiness") { $0.contains(" ready") ? () : nil }
          #expect(try server.stop() == .status(0), "\(number): \(server.output)")
        }
      }
    }

    @Test("a start refuses what no swap would put to work, with and without a master")
    func start() throws {
      let signer = Signer(kind: .openssl)
      let folder = try prepare(signer)
      let app = folder.file("app.so")
      try SupervisedServer.replace(app, with: try Fixture.good)
      try folder.write("-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n", to: "broken.pub")
      try folder.write("untrusted comment: a\nRWQnonsense\n", to: "short.pub")
      for words in [
        ["genpkey", "-algorithm", "RSA", "-out", folder.file("rsa")],
        ["pkey", "-in", folder.file("rsa"), "-pubout", "-out", folder.file("rsa.pub")],
      ] {
        #expect(try ChildProcess.run("/usr/bin/openssl", words).exit == .status(0))
      }
      let cases: [(key: String, code: Int32, word: String)] = [
        ("own.pub", 22, "app.so is not signed: there is no \(app).sig; sign it with the key of"),
        ("nothing.pub", 1, "the key of --app-key \(folder.file("nothing.pub")) cannot be read"),
        ("broken.pub", 1, "broken.pub holds no public key in PEM; write it by `openssl pkey"),
        ("short.pub", 1, "short.pub is neither a public key in PEM"),
        ("own", 1, "own holds no public key in PEM; write it by `openssl pkey"),
        ("rsa.pub", 1, "rsa.pub is no Ed25519 key; make one by"),
      ]
      for master in [[], ["--no-master"]] {
        for (key, code, word) in cases {
          let (exit, output) = try ServerProcess.run(
            ["--app", app, "--http-socket", "127.0.0.1:0", "--app-key", folder.file(key), "-L"] + master)
          #expect(exit == .status(code) && output.contains(word), "\(key) \(master): \(exit) \(output)")
        }
      }
      try signer.sign(app, folder.file("own"))
      let server = try ServerProcess(
        app: app, ["--http-socket", "127.0.0.1:0", "--no-master", "--app-key", folder.file("own.pub")])
      #expect(try server.connect().ask("/?id=1").status == 200)
      #expect(try server.stop() == .status(0))
    }

    @Test("what no signature covers is refused by name: Python, C functions, libraries beside the build")
    func unsignable() throws {
      let folder = try prepare(Signer(kind: .openssl))
      let function = "/pow=libm.so.6:pow(x: f64, y: f64) -> f64"
      for words in [["--plugin", "python3", "-w", "shop"], ["--call", function]] {
        let (exit, output) = try ServerProcess.run(
          words + ["--http-socket", "127.0.0.1:0", "--app-key", folder.file("own.pub")])
        #expect(exit == .status(1) && output.contains("of files that no signature covers"), "\(output)")
        #expect(output.contains("serve it by a server of its own without --app-key"), "\(output)")
      }
      let library = try LinkedApp.library(1, at: folder.file("libdep.so.1"))
      let app = try LinkedApp.build("beside", 1, with: library, in: folder, ["-Wl,-rpath,$ORIGIN"])
      try Signer(kind: .openssl).sign(app, folder.file("own"))
      let (exit, output) = try ServerProcess.run(
        ["--app", app, "--http-socket", "127.0.0.1:0", "--app-key", folder.file("own.pub")])
      #expect(
        exit == .status(22) && output.contains("it loads \(library), which no signature covers"), "\(output)")
    }
  }
}
