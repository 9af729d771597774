import Config
import Glibc
import Host

/// `server migrate FILE`: prints another server's configuration in this server's words.
enum MigrateCommand {
  static let usage = """
    Usage: server migrate FILE

    Prints an ini file for this server that does what FILE does for another one, with a comment for each line
    that has changed, is lost (LOST) or needs a hand (TO DO). Nothing is written, and nothing is served.

      *.ini, *.yaml, *.xml     of uWSGI; FILE:section for another section
      *.py                     of gunicorn: it is run by Python, in a process of its own with your rights
      *.json                   of NGINX Unit, as its control socket prints it, or of uWSGI

    For example: server migrate gunicorn.conf.py >server.ini && server --check-config server.ini
    """

  /// Runs the command; the exit code.
  static func run(_ arguments: [String], environment: [String: String]) -> Int32 {
    guard !arguments.contains("--help"), !arguments.contains("-h") else {
      print(usage)
      return 0
    }
    guard arguments.count == 1, let path = arguments.first, !path.hasPrefix("-") else {
      Server.announce("one file is migrated at a time; write server migrate FILE")
      return 1
    }
    do {
      let migration = try migrate(path, environment)
      if let obstacle = migration.obstacle { throw ProgramSystem.Failure(description: obstacle) }
      print(migration.text, terminator: "")
      return 0
    } catch {
      Server.announce("\(path) cannot be migrated: \(error)")
      return 1
    }
  }

  private static func migrate(_ path: String, _ environment: [String: String]) throws -> Migration {
    if path.hasSuffix(".py") { return try gunicorn(path, environment) }
    let file = path.split(separator: ":").first.map(String.init) ?? path
    guard FileSystem.isFile(path) || FileSystem.isFile(file) else {
      throw ProgramSystem.Failure(description: "there is no such file; correct the path")
    }
    if path.hasSuffix(".json") {
      let text = try Converter.convert(.unit, path)
      if Migration.isUnit(text) { return Migration.unit(path, converted: text) }
    }
    return Migration.uwsgi(
      path, environment: environment, workingDirectory: Files.workingDirectory(), isFile: FileSystem.isFile,
      surroundings: .ofThisMachine, readFile: Files.read)
  }

  private static func gunicorn(_ path: String, _ environment: [String: String]) throws -> Migration {
    let source = try Files.read(path)
    let home = environment["VIRTUAL_ENV"].map { $0 + "/bin/python3" }
    let python = [home, "/usr/bin/python3"].compactMap { $0 }.first(where: FileSystem.exists)
    guard let python else {
      throw ProgramSystem.Failure(description: "there is no Python to run it; install python3")
    }
    let script = String(decoding: PackageResources.evaluate_gunicorn_py, as: UTF8.self)
    let (isGood, output) = try ProgramSystem.run(python, ["-c", script, path])
    guard isGood, let mark = output.range(of: "\u{1e}\n") else {
      let reason = output.split(separator: "\n").last.map(String.init) ?? "it has not ended within 10 s"
      throw ProgramSystem.Failure(description: "it cannot be run (\(reason)); correct it")
    }
    return Migration.gunicorn(
      Migration.settings(printed: output[mark.upperBound...]), path: path, source: source)
  }
}

extension String {
  /// Where a text stands last.
  fileprivate func range(of text: String) -> Range<Index>? {
    var end = endIndex
    while end > startIndex {
      let start = index(before: end)
      if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
      end = start
    }
    return nil
  }
}
