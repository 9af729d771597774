import Config

/// `config_reader`, the program that reads configuration files of other formats than ini, so that the server
/// needs no library for them.
enum Converter {
  /// The file in the lines of `ConfigText`; throws one sentence.
  @Sendable
  static func convert(_ format: ConfigFormat, _ path: String) throws -> String {
    let program = try find()
    let (isGood, output) = try ProgramSystem.run(program, [format.rawValue, path])
    guard isGood else {
      let sentence = output.split(separator: "\n").last.map(String.init) ?? "\(program) has failed"
      throw UnreadableFile(printed: sentence)
    }
    return output
  }

  /// Beside the executable, or in the library directory beside its own, as plugins are.
  private static func find() throws -> String {
    let beside = FileSystem.parent(FileSystem.executable())
    let candidates = [beside, FileSystem.parent(beside) + "/lib/nsgi-server"].map { $0 + "/config_reader" }
    if let found = candidates.first(where: FileSystem.exists) { return found }
    throw ProgramSystem.Failure(
      description: "the program config_reader, which reads such files, is neither in "
        + "\(FileSystem.parent(candidates[0])) nor in \(FileSystem.parent(candidates[1])); build it with "
        + "`make build`, or write the file as ini")
  }
}
