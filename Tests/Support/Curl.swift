// curl as a client: what people really use, with its own idea of HTTP.
import Foundation

/// One run of curl.
public enum Curl {
  /// Fetches `url`; `options` come before it, as on curl's command line.
  public static func get(
    _ url: String, _ options: [String] = [], deadline: Deadline = .usual
  ) throws -> Reply {
    let folder = try TemporaryFolder()
    let output = ["-D", folder.file("head"), "-o", folder.file("body"), "-w", "%{size_download}"]
    let (exit, said) = try ChildProcess.run(
      try Program.curl.path(), ["-sS", "--max-time", "60"] + output + options + [url],
      environment: ["http_proxy": "", "no_proxy": "*"], deadline: deadline)
    guard exit == .status(0) else {
      let command = "curl \(options.joined(separator: " ")) \(url)"
      throw SupportError.ended(program: command, exit: exit, output: said)
    }
    // Interim responses stand before the final one, trailers after it.
    let text = String(
      decoding: FileManager.default.contents(atPath: folder.file("head")) ?? Data(), as: UTF8.self)
    let blocks = text.components(separatedBy: "\r\n\r\n").filter { !$0.isEmpty }
    let heads = blocks.filter { $0.hasPrefix("HTTP/") }
    guard let last = heads.last else { throw SupportError.malformedReply("no head: \(said)") }
    var reply = try Reply(head: last + "\r\n\r\n")
    reply.interim = try heads.dropLast().map { (head) throws in try Reply(head: head + "\r\n\r\n") }
    reply.trailers = blocks.filter { !$0.hasPrefix("HTTP/") }.joined(separator: "\r\n")
      .components(separatedBy: "\r\n").filter { !$0.isEmpty }.map(Curl.field)
    reply.body = Array(FileManager.default.contents(atPath: folder.file("body")) ?? Data())
    // What curl received and the test cannot read would pass for an empty body.
    guard !reply.body.isEmpty || said == "0" else {
      throw SupportError.malformedReply("no body, of \(said) bytes")
    }
    return reply
  }

  /// A field line.
  private static func field(_ line: String) -> (name: String, value: String) {
    let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let value = parts.count == 2 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
    return (String(parts[0]), value)
  }

  /// Sends `body` with POST, from a file.
  public static func post(
    _ url: String, _ body: [UInt8], _ options: [String] = [], deadline: Deadline = .usual
  ) throws -> Reply {
    let folder = try TemporaryFolder()
    try Data(body).write(to: URL(fileURLWithPath: folder.file("sent")))
    return try get(url, ["--data-binary", "@" + folder.file("sent")] + options, deadline: deadline)
  }
}
