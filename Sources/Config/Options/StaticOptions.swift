// Files that the server serves itself; names and meanings are uWSGI's.

let staticOptions = OptionGroup(
  title: "Static files",
  options: [
    OptionSpec(
      "static-map", repeats: true,
      "serve files below DIR, or one file, at /prefix; what is missing is the app's",
      .value(placeholder: "/prefix=DIR") { (draft, text) throws(ValueError) in
        draft.settings.files.roots.append(try StaticRoot(parsing: text, .map))
      }),
    OptionSpec(
      "static-map2", repeats: true, "the same, with the prefix in the path below DIR",
      .value(placeholder: "/prefix=DIR") { (draft, text) throws(ValueError) in
        draft.settings.files.roots.append(try StaticRoot(parsing: text, .wholePath))
      }),
    OptionSpec(
      "check-static", aliases: ["check-static-docroot"], repeats: true,
      "look below DIR for every path before the app is asked",
      .value(placeholder: "DIR") { (draft, text) throws(ValueError) in
        let directory = try Value.text(text, example: "/srv/www")
        draft.settings.files.roots.append(StaticRoot(prefix: "", directory: directory, kind: .check))
      }),
    OptionSpec(
      "static-index", repeats: true, "serve this file of a directory for the directory",
      .value(placeholder: "NAME") { (draft, text) throws(ValueError) in
        guard !text.isEmpty, !text.utf8.contains(Ascii.slash) else { throw .empty(example: "index.html") }
        draft.settings.files.indexes.append(text)
      }),
    OptionSpec(
      "static-skip-ext", repeats: true, "leave files whose names end so to the app",
      .value(placeholder: "ENDING") { (draft, text) throws(ValueError) in
        draft.settings.files.skippedEndings.append(try Value.text(text, example: ".php"))
      }),
    OptionSpec(
      "static-safe", repeats: true, "links may lead into this directory too",
      .value(placeholder: "DIR") { (draft, text) throws(ValueError) in
        draft.settings.files.safeDirectories.append(try Value.text(text, example: "/srv/shared"))
      }),
    OptionSpec(
      "mimefile", aliases: ["mime-file"], repeats: true, "media types of this file (mime.types) come first",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.settings.files.typeFiles.append(try Value.text(text, example: "/etc/mime.types"))
      }),
    OptionSpec(
      "static-cache-paths", default: "0",
      "trust a small file in memory for so long without a look at the disk",
      .value(placeholder: "SECONDS") { (draft, text) throws(ValueError) in
        draft.settings.files.cacheSeconds = try Value.number(text, 0...86_400)
      }),
    OptionSpec(
      "static-cache-paths-name", "accepted: each worker has its own",
      .value(placeholder: "NAME") { _, _ in }),
    OptionSpec(
      "offload-threads", aliases: ["offload-thread"], "accepted: files are sent without a thread",
      .value(placeholder: "N") { (_, text) throws(ValueError) in _ = try Value.number(text, 0...4096) }),
  ] + expiryOptions + codingOptions)

/// `--static-expires…` and the same with `-mtime`: what selects the files, and from when it counts.
private let expiryOptions: [OptionSpec] = [false, true].flatMap { isFromChange -> [OptionSpec] in
  let end = isFromChange ? "-mtime" : ""
  let from = isFromChange ? " after its last change" : ""
  func option(
    _ name: String, _ what: String, _ placeholder: String,
    _ read: @escaping @Sendable (String) throws(ValueError) -> (Expiry.Subject, String)
  ) -> OptionSpec {
    OptionSpec(
      name + end, repeats: true, "let clients keep a file for SECONDS\(from): \(what)",
      .value(placeholder: placeholder) { (draft, text) throws(ValueError) in
        let (subject, seconds) = try read(text)
        draft.settings.files.expiries.append(
          Expiry(
            subject: subject, seconds: try Value.number(seconds, 0...Expiry.longest),
            isFromChange: isFromChange))
      })
  }
  return [
    option("static-expires", "by its path on the disk", "\"REGEXP SECONDS\"") {
      (text) throws(ValueError) in
      let (pattern, seconds) = try Expiry.cut(text)
      return (.path(try Pattern(pattern)), seconds)
    },
    option("static-expires-type", "by its media type", "TYPE=SECONDS") { (text) throws(ValueError) in
      guard let (type, seconds) = text.cut(at: Ascii.equals) else { throw .optionWithoutEquals(text) }
      return (.type(type.lowercased()), String(seconds))
    },
    option("static-expires-uri", "by the target of the request", "\"REGEXP SECONDS\"") {
      (text) throws(ValueError) in
      let (pattern, seconds) = try Expiry.cut(text)
      return (.uri(try Pattern(pattern)), seconds)
    },
    option("static-expires-path-info", "by the path of the request", "\"REGEXP SECONDS\"") {
      (text) throws(ValueError) in
      let (pattern, seconds) = try Expiry.cut(text)
      return (.pathInfo(try Pattern(pattern)), seconds)
    },
  ]
}

/// Which files may have compressed copies beside them as FILE.br, FILE.zst or FILE.gz.
private let codingOptions = [
  OptionSpec(
    "static-gzip-all", "send FILE.br, .zst or .gz in place of any FILE to clients that take it",
    .flag { draft, isOn in
      draft.settings.files.coded.removeAll { $0 == .all }
      if isOn { draft.settings.files.coded.append(.all) }
    }),
  OptionSpec(
    "static-gzip-dir", aliases: ["static-gzip-prefix"], repeats: true,
    "the same for files whose path on the disk begins so",
    .value(placeholder: "DIR") { (draft, text) throws(ValueError) in
      draft.settings.files.coded.append(.below(Array(try Value.text(text, example: "/srv/www").utf8)))
    }),
  OptionSpec(
    "static-gzip-ext", aliases: ["static-gzip-suffix"], repeats: true,
    "the same for files whose names end so",
    .value(placeholder: "ENDING") { (draft, text) throws(ValueError) in
      draft.settings.files.coded.append(.ending(try Value.text(text, example: ".css")))
    }),
  OptionSpec(
    "static-gzip", repeats: true, "the same for files whose path on the disk it matches",
    .value(placeholder: "REGEXP") { (draft, text) throws(ValueError) in
      draft.settings.files.coded.append(.matching(try Pattern(text)))
    }),
]

extension Expiry {
  /// Ten years, in seconds.
  fileprivate static let longest = 315_360_000

  /// `REGEXP SECONDS`: the last blank is between them.
  fileprivate static func cut(_ text: String) throws(ValueError) -> (pattern: String, seconds: String) {
    guard let blank = text.utf8.lastIndex(of: 0x20) else {
      throw .empty(example: "\"\\.css$ 86400\"")
    }
    var pattern = text[..<blank]
    while pattern.hasSuffix(" ") { pattern.removeLast() }
    return (String(pattern), String(text[text.utf8.index(after: blank)...]))
  }
}

extension StaticRoot {
  /// Reads `/prefix=DIR`.
  fileprivate init(parsing text: String, _ kind: Kind) throws(ValueError) {
    guard text.hasPrefix("/"), let (prefix, directory) = text.cut(at: Ascii.equals), !directory.isEmpty else {
      throw .badStaticMap(text)
    }
    _ = try AppSettings.mountPoint(prefix)
    self.init(
      prefix: prefix == "/" ? "" : String(prefix), directory: String(directory), kind: kind)
  }
}
