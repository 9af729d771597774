// The checked-in inputs of the fuzz targets.
import Foundation

/// What the fuzz targets have found, to be run again; no randomness.
public enum FuzzCorpus {
  /// The files below Tests/Fuzz/corpus/`target`; a target without any is an error.
  public static func files(_ target: String) throws -> [(name: String, bytes: [UInt8])] {
    let folder = "\(Repository.root)/Tests/Fuzz/corpus/\(target)"
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    if names.isEmpty { throw SupportError.system(call: "\(folder) is empty", errno: ENOENT) }
    return try names.map { name in
      guard let bytes = FileManager.default.contents(atPath: "\(folder)/\(name)") else {
        throw SupportError.system(call: "open \(folder)/\(name)", errno: errno)
      }
      return (name, Array(bytes))
    }
  }

  /// What `verify` says of them, each sentence behind its file's name.
  public static func problems(_ target: String, _ verify: ([UInt8]) -> [String]) throws -> [String] {
    try files(target).flatMap { file in
      verify(file.bytes).map { "Tests/Fuzz/corpus/\(target)/\(file.name): \($0)" }
    }
  }
}
