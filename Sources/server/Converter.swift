import Config
import Host

/// `config_reader`, the program that reads configuration files of other formats than ini, so that the server
/// needs no library for them.
enum Converter {
  /// The file in the lines of `ConfigText`; throws one sentence.
  @Sendable
  static func convert(_ format: ConfigFormat, _ path: String) throws -> String {
    let program = try find()
    let (isGood, output) = try ProgramSystem.run(
      program, [format.rawValue, path], from: HeldFiles.place(of: program))
    guard isGood else {
      let sentence = output.split(separator: "\n").last.map(String.init) ?? "\(program) has failed"
      throw UnreadableFile(printed: sentence)
    }
    return output
  }

  /// Beside the executable, or in the library directory beside its own, as plugins are.
  private static func find() throws -> String {
    let candidates = HeldFiles.readers
    if let found = candidates.first(where: { HeldFiles.exists($0) }) { return found }
    let places = candidates.map { FileSystem.parent($0) }.joined(separator: " nor in ")
    throw ProgramSystem.Failure(
      description: "the program config_reader, which reads such files, is neither in \(places); build it "
        + "with `make build`, or write the file as ini")
  }
}
