// Short ways to parse, for the tables of the other files.
@testable import Config

struct NoSuchFile: Error, CustomStringConvertible {
  var description: String { "no such file" }
}

/// Something else was asked for than to serve.
struct NotRun: Error {
  let invocation: Invocation
}

/// Parses with the given files and nothing else around.
func invoke(
  _ arguments: [String], environment: [String: String] = [:], files: [String: String] = [:],
  standardInputIsListening: Bool = false, workingDirectory: String = "",
  surroundings: Surroundings = Surroundings()
) throws(ConfigError) -> Invocation {
  try Settings.parse(
    arguments: arguments, environment: environment,
    standardInputIsListening: standardInputIsListening,
    workingDirectory: workingDirectory, isFile: { files[$0] != nil }, surroundings: surroundings
  ) { path in
    guard let text = files[path] else { throw NoSuchFile() }
    return text
  }
}

/// The settings of an invocation that is meant to run.
func served(_ invocation: Invocation) throws -> Settings {
  guard case .run(let settings) = invocation else { throw NotRun(invocation: invocation) }
  return settings
}

/// The words of a command line that has no quoting.
func words(_ line: String) -> [String] {
  line.split(separator: " ").map(String.init)
}

/// The settings of a command line that is meant to run, with an app and a socket added.
func settings(
  _ line: String, environment: [String: String] = [:], files: [String: String] = [:]
) throws -> Settings {
  let complete = words(line) + ["--app", "a.so", "--http-socket", ":0"]
  return try served(try invoke(complete, environment: environment, files: files))
}

/// What is said about a command line that is refused; "" when it is not.
func complaint(
  _ line: String, environment: [String: String] = [:], files: [String: String] = [:]
) -> String {
  do {
    _ = try invoke(words(line), environment: environment, files: files)
    return ""
  } catch {
    return error.description
  }
}
