// Functions of C libraries as endpoints, made by the plugin ffi. Only the operator says what can be called.

let ffiRuntime = RuntimeSpec(
  name: "ffi", aliases: [], example: "--call 'libm.so.6:cbrt(x: f64) -> f64'", target: "call-file",
  files: ["call-file"],
  claims: { target in
    if target.hasSuffix(".sig") { return AppOption(key: "call-file", value: String(target)) }
    return FFITarget.isSignature(target) ? AppOption(key: "call", value: String(target)) : nil
  },
  accepts: { _ in nil })

/// The forms that name a function.
enum FFITarget {
  /// `LIBRARY:SYMBOL(`, whatever follows; not `/srv/a:b(2)/c.so`, whose parenthesis is in a name.
  static func isSignature(_ text: Substring) -> Bool {
    guard let open = text.utf8.firstIndex(of: UInt8(ascii: "(")),
      let colon = text.utf8[..<open].lastIndex(of: Ascii.colon), colon != text.startIndex
    else { return false }
    let behind = text.utf8[open...].firstIndex(of: UInt8(ascii: ")")).map { text.utf8[$0...].dropFirst() }
    if let next = behind?.first, [Ascii.slash, Ascii.dot, Ascii.colon].contains(next) { return false }
    let symbol = text.utf8[text.utf8.index(after: colon)..<open]
    return !symbol.isEmpty
      && symbol.allSatisfy { Ascii.isLetter($0) || Ascii.isDigit($0) || $0 == Ascii.underscore }
  }
}

extension Draft {
  /// Adds functions to the app at the root, which has everything from `--call` and `--call-file`.
  mutating func call(_ key: String, _ value: String) {
    let option = AppOption(key: key, value: value)
    let known = runtimes.made.firstIndex {
      $0.runtime == "ffi" && $0.mount.isEmpty && $0.option.key != "entry"
    }
    if let known {
      runtimes.made[known].further.append(option)
    } else {
      runtimes.made.append(.init(mount: "", runtime: "ffi", option: option))
    }
  }

  /// `--app [/mount=]LIBRARY:SYMBOL(…) -> TYPE`: a function of the library answers every request itself.
  mutating func addEntry(_ text: String) throws(ValueError) {
    var (mount, signature) = ("", text[...])
    let front = text.utf8.prefix { $0 != UInt8(ascii: "(") }
    let library = front.lastIndex(of: Ascii.colon).map { String(Substring(front[..<$0])) } ?? ""
    if !isFile(library), text.hasPrefix("/"), let (name, rest) = text.cut(at: Ascii.equals),
      name.utf8.count < front.count
    {
      mount = try AppSettings.mountPoint(name)
      signature = rest
    }
    runtimes.made.append(
      .init(mount: mount, runtime: "ffi", option: AppOption(key: "entry", value: String(signature))))
  }
}

let ffiOptions = OptionGroup(
  title: "C functions (any of these loads the plugin ffi)",
  options: [
    OptionSpec(
      "call", repeats: true,
      "answer at /path by calling a function: [/path=]LIBRARY:SYMBOL(NAME: TYPE, ...) -> TYPE",
      .value(placeholder: "SIGNATURE") { (draft, text) throws(ValueError) in
        guard FFITarget.isSignature(text[...]) else {
          throw text.isEmpty
            ? .empty(example: "--call 'libm.so.6:cbrt(x: f64) -> f64'") : .signatureIncomplete(text)
        }
        draft.call("call", text)
      }),
    OptionSpec(
      "call-file", repeats: true, "the same for every function that this file declares",
      .value(placeholder: "FILE") { (draft, text) throws(ValueError) in
        draft.call("call-file", try Value.text(text, example: "--call-file math.sig"))
      }),
  ])
