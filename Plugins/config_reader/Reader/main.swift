import Glibc

/// Reads a configuration file in a format that the server itself does not know, and writes it on standard
/// output in lines that it does: `config_reader yaml|xml|json|unit FILE`. The server starts it for such a
/// file, and nothing else does; what is wrong goes to standard error in one sentence, with the exit code 1.

/// Bytes of a file; no configuration comes near.
let most = 1 << 20

/// Writes all of a text to a descriptor; false if that fails, for the reason in `errno`.
func put(_ text: String, to descriptor: Int32) -> Bool {
  var text = text
  return text.withUTF8 { bytes in
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = write(descriptor, UnsafeBufferPointer(rebasing: rest).baseAddress, rest.count)
      if count < 0, errno != EINTR { return false }
      rest = rest.dropFirst(max(0, count))
    }
    return true
  }
}

func fail(_ sentence: String) -> Never {
  _ = put(sentence + "\n", to: STDERR_FILENO)
  exit(1)
}

/// The whole file.
func bytes(of path: String) -> [UInt8] {
  let fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
  guard fd >= 0 else { fail(String(cString: strerror(errno))) }
  guard System.isFile(fd), let file = fdopen(fd, "r") else {
    fail("it is no file that can be read to its end")
  }
  defer { fclose(file) }
  var bytes = [UInt8](repeating: 0, count: most + 1)
  let count = fread(&bytes, 1, bytes.count, file)
  if ferror(file) != 0 { fail("it is no file that can be read to its end") }
  if count > most { fail("it is longer than 1 MiB, which no configuration is; name the file that is one") }
  let mark: [UInt8] = [0xef, 0xbb, 0xbf]
  let text = bytes[..<count]
  return Array(text.starts(with: mark) ? text.dropFirst(mark.count) : text)
}

guard CommandLine.arguments.count == 3 else { fail("config_reader is started by a server only") }
let input = bytes(of: CommandLine.arguments[2])
do {
  let records: [Record]
  switch CommandLine.arguments[1] {
  case "yaml": records = try YAMLFile.records(of: input)
  case "xml": records = try XMLFile.records(of: input)
  case "json", "unit":
    try JSONChecker.check(input)
    let isUnit = CommandLine.arguments[1] == "unit"
    // What is null there is off for uWSGI, which takes a key without a value for on.
    records = isUnit ? try YAMLFile.paths(of: input) : try YAMLFile.records(of: input, nothing: "0")
  default: fail("config_reader is started by a server only")
  }
  let text = records.map { $0.text + "\n" }.joined()
  guard put(text, to: STDOUT_FILENO) else {
    fail("what was read cannot be written: \(String(cString: strerror(errno)))")
  }
} catch {
  fail("\(error)")
}
